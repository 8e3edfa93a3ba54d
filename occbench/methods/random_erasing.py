"""Random erasing: a rectangle of random area and aspect, wholly inside the image.

Zhong et al., "Random Erasing Data Augmentation", AAAI 2020: area uniform in [sl, sh] of the image, aspect (height over
width) uniform in [r1, 1 / r1]. Where the paper draws both again until the rectangle fits, up to a hundred times, the
aspect is drawn here from those that fit, so that it always does and the area keeps its distribution. The expected
hidden share is ``probability * (sl + sh) / 2``, 0.105 by default.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from occbench.core.options import check_probability, check_range, settle_options
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.hidden_pixels import filled, within

__all__ = ["RandomErasing"]


@dataclass(frozen=True)
class RandomErasing(Method):
    """Hides a random rectangle of a share of the images.

    Attributes:
        probability: that an image has a rectangle, 0 to 1. The paper: 0.5.
        smallest: area of the smallest rectangle, a share of the image, above 0. The paper: 0.02.
        largest: area of the largest one, up to 1. The paper: 0.4.
        aspect: smallest ratio of its sides, above 0 up to 1; the largest is its inverse. The paper: 0.3.
        fill: ``mean`` colour, or ``random`` values 0 to 255 in every pixel and channel, as in the paper.

    Raises:
        ConfigError: an option outside of its range.
    """

    probability: float = 0.5
    smallest: float = 0.02
    largest: float = 0.4
    aspect: float = 0.3
    fill: Literal["mean", "random"] = "random"

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        settle_options(self)
        check_probability(self, "probability")
        check_range(self, "smallest", 0.0, 1.0, above=True)
        check_range(self, "largest", self.smallest, 1.0)
        check_range(self, "aspect", 0.0, 1.0, above=True)

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with rectangles, and their labels; see ``Method.augment``."""
        hidden = self._rectangles(len(images), images.shape[-1], run.draws)
        if self.fill == "mean":
            return filled(run, images, hidden), labels
        noise = torch.randint(256, images.shape, generator=run.draws)
        return torch.where(hidden.to(images.device), noise.to(images), images), labels

    def _rectangles(self, count: int, side: int, draws: torch.Generator) -> Tensor:
        """Return bool[count, 1, side, side]."""
        chance, area, aspect, top, left = torch.rand(5, count, generator=draws)
        area = self.smallest + (self.largest - self.smallest) * area
        # a side of more than the image's would need an aspect above 1 / area or below area
        low, high = area.clamp(min=self.aspect), (1 / area).clamp(max=1 / self.aspect)
        aspect = low + (high - low) * aspect
        height = (side * (area * aspect).sqrt()).round().clamp(1, side)
        width = (side * (area / aspect).sqrt()).round().clamp(1, side)
        rows = within((top * (side - height + 1)).floor(), height, side)
        columns = within((left * (side - width + 1)).floor(), width, side)
        erased = chance < self.probability
        hidden: Tensor = rows[:, :, None] & columns[:, None, :] & erased[:, None, None]
        return hidden[:, None]
