"""CutMix: a box of one image is pasted into another, and the label mixed by area.

Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019:

    lambda ~ Beta(alpha, alpha);  a box with sides sqrt(1 - lambda) of the image's, centred anywhere, cut at the border
    x~ = M * x_a + (1 - M) * x_b,  y~ = lambda' * y_a + (1 - lambda') * y_b,  lambda' = share of pixels left of x_a

One lambda and one box for the whole batch, as the authors' code has it; partners are neighbours in a batch, whose
order is drawn. The expected replaced
share is ``probability`` times 0.32 for alpha 1: 1/2 less what the border cuts off.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from occbench.core.options import check_probability, check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.mixing import mixed_by

__all__ = ["CutMix"]


@dataclass(frozen=True)
class CutMix(Method):
    """Pastes a box of another image into every image of a batch and mixes the labels by area.

    Attributes:
        alpha: of the Beta distribution of the kept share, above 0. The paper: 1, a uniform share.
        probability: that a batch is mixed, 0 to 1. The paper: 1 for ImageNet, 0.5 for CIFAR.

    Raises:
        ConfigError: an option outside of its range.
    """

    alpha: float = 1.0
    probability: float = 1.0

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "alpha", 0.0, above=True)
        check_probability(self, "probability")

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images and labels float32[B, C]; see ``Method.augment``."""
        return mixed_by("CutMix", self.alpha, self.probability, run, images, labels)
