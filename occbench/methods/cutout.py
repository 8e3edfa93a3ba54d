"""Cutout: square holes anywhere in the image.

DeVries, Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", arXiv 1708.04552. A hole's
centre is uniform over the image, so a part of it may lie outside; what is hidden is 0 after normalisation. One hole of
side s hides (s - s^2 / 4)^2 of an image on average, 0.19 for s = 1/2.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.options import check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.hidden_pixels import filled, within

__all__ = ["Cutout"]


@dataclass(frozen=True)
class Cutout(Method):
    """Hides square holes of every image.

    Attributes:
        holes: squares in an image, 1 or more; they may overlap. The paper: 1.
        side: of a square, a share of the image's, above 0 up to 1. The paper: 16 px of 32 px for CIFAR-10.

    Raises:
        ConfigError: an option outside of its range.
    """

    holes: int = 1
    side: float = 0.5

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "holes", 1)
        check_range(self, "side", 0.0, 1.0, above=True)

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with holes, and their labels; see ``Method.augment``."""
        count, _, height, width = images.shape
        side = max(1, round(self.side * height))
        # first row and column of every hole: its centre is any pixel
        top = torch.randint(height, (count, self.holes), generator=run.draws) - side // 2
        left = torch.randint(width, (count, self.holes), generator=run.draws) - side // 2
        hidden = within(top, side, height)[..., :, None] & within(left, side, width)[..., None, :]
        return filled(run, images, hidden.any(1, keepdim=True)), labels
