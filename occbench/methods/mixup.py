"""Mixup: every image and its label are mixed with another's.

Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018:

    x~ = lambda * x_a + (1 - lambda) * x_b,    y~ = lambda * y_a + (1 - lambda) * y_b,    lambda ~ Beta(alpha, alpha)

One lambda and one order of partners for the whole batch, as the authors' code has it. Nothing is hidden.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.mixing import mixed_by
from occbench.methods.option_ranges import check_probability, check_range

__all__ = ["Mixup"]


@dataclass(frozen=True)
class Mixup(Method):
    """Mixes every image and label of a batch with another's.

    Attributes:
        alpha: of the Beta distribution of lambda, above 0. The paper: 0.2 for ImageNet, 1 for CIFAR.
        probability: that a batch is mixed, 0 to 1.

    Raises:
        ConfigError: an option outside of its range.
    """

    alpha: float = 0.2
    probability: float = 1.0

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("mixup", "alpha", self.alpha, 0.0, above=True)
        check_probability("mixup", "probability", self.probability)

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images and labels float32[B, C]; see ``Method.augment``."""
        from torchvision.transforms.v2 import MixUp as OfTorchvision

        if torch.rand((), generator=run.draws) >= self.probability:
            return images, labels
        return mixed_by(OfTorchvision(alpha=self.alpha, num_classes=run.num_classes), run, images, labels)
