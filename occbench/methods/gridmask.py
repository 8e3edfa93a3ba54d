"""GridMask: a rotated grid of squares is hidden.

Chen, Liu, Zhao, Wang, Jia, "GridMask Data Augmentation", arXiv 2001.04086, with the settings of the authors' code. The
image is covered by units of d x d px, in each of which a square of side d - l is hidden, with l = ceil(ratio * d); d,
the phase and the angle are drawn for every image. What is hidden is 0 after normalisation. The expected hidden share is
``probability * (1 - ratio)^2``, 0.128 by default, a little less for the ceiling.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.options import check_probability, check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.hidden_pixels import filled, scaled_px

__all__ = ["GridMask"]


@dataclass(frozen=True)
class GridMask(Method):
    """Hides a rotated grid of squares of a share of the images.

    Attributes:
        smallest_px: smallest side d of a unit in an image of 224 px, 2 or more; other images have units of the same
            share of their side. The paper: 96.
        largest_px: largest side d. The paper: 224.
        ratio: share of a unit's side that is kept, above 0 up to 1. The authors' code: 0.6.
        rotation_degrees: angles are drawn from 0 to this, 0 to 360.
        probability: that an image has a grid, 0 to 1. The authors' code: 0.8.
        ramp_epochs: epochs over which the probability rises from 0 to ``probability``; 0 for none. The paper rises for
            80 % of training.

    Raises:
        ConfigError: an option outside of its range.
    """

    smallest_px: int = 96
    largest_px: int = 224
    ratio: float = 0.6
    rotation_degrees: float = 360.0
    probability: float = 0.8
    ramp_epochs: int = 0

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "smallest_px", 2)
        check_range(self, "largest_px", self.smallest_px)
        check_range(self, "ratio", 0.0, 1.0, above=True)
        check_range(self, "rotation_degrees", 0.0, 360.0)
        check_probability(self, "probability")
        check_range(self, "ramp_epochs", 0)

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with hidden squares, and their labels; see ``Method.augment``."""
        ramp = min(1.0, run.epoch / self.ramp_epochs) if self.ramp_epochs else 1.0
        chosen = torch.rand(len(images), generator=run.draws) < ramp * self.probability
        hidden = self._squares(len(images), images.shape[-1], run.draws)
        return filled(run, images, hidden & chosen[:, None, None, None]), labels

    def _squares(self, count: int, side: int, draws: torch.Generator) -> Tensor:
        """Return bool[count, 1, side, side]."""
        low, high = max(2, scaled_px(self.smallest_px, side)), max(2, scaled_px(self.largest_px, side))
        unit = torch.randint(low, high + 1, (count,), generator=draws)
        kept = (unit * self.ratio).ceil()
        angle = torch.rand(count, generator=draws) * math.radians(self.rotation_degrees)
        phase = (torch.rand(2, count, generator=draws) * unit).floor()
        place = torch.arange(side) - (side - 1) / 2
        cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
        across = cosine * place + sine * place[:, None] + phase[0, :, None, None]
        down = cosine * place[:, None] - sine * place + phase[1, :, None, None]
        unit, kept = unit[:, None, None], kept[:, None, None]
        return ((across.remainder(unit) >= kept) & (down.remainder(unit) >= kept))[:, None]
