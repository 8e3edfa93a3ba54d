"""Mixup: every image and its label are mixed with another's.

Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018:

    x~ = lambda * x_a + (1 - lambda) * x_b,    y~ = lambda * y_a + (1 - lambda) * y_b,    lambda ~ Beta(alpha, alpha)

One lambda for the whole batch, as the authors' code has it; partners are neighbours in a batch, whose order is drawn.
Nothing is hidden.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from occbench.core.options import check_probability, check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.mixing import mixed_by

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
        check_range(self, "alpha", 0.0, above=True)
        check_probability(self, "probability")

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images and labels float32[B, C]; see ``Method.augment``."""
        return mixed_by("MixUp", self.alpha, self.probability, run, images, labels)
