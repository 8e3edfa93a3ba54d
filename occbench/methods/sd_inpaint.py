"""Inpainting: training on images and on their twins whose parts a diffusion model has painted anew.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, input augmentation: half of an image's parts, rounded
up, those of the largest area, are inpainted by Stable Diffusion, asked for the image's class. Twins are made once,
before training. Which model and how many steps are options of the family: name it in the arm, ``twins: {name: inpaint,
...}``. Loss: equation 1 of the paper, as ``twin_loss`` has it.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from occbench.core.interfaces import Method, TrainingRun
from occbench.core.tasks import EVERY_TASK
from occbench.methods.twin_loss import check_weights, twin_loss

__all__ = ["DiffusionInpaint"]


@dataclass(frozen=True)
class DiffusionInpaint(Method):
    """Trains on every image and on its twin with parts inpainted by a diffusion model, same label.

    Attributes:
        alpha: weight of the images and their twins, above 0. Inferred: 1.
        beta: weight of the silhouettes, 0 or more; above 0 the source must know parts or objects. Inferred: 0.

    Raises:
        ConfigError: a weight outside of its range.
    """

    alpha: float = 1.0
    beta: float = 0.0

    twins: ClassVar[str] = "inpaint"
    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the weights."""
        check_weights("sd_inpaint", self.alpha, self.beta)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return equation 1 of the batch; see ``Method.loss``."""
        return twin_loss(run, inputs, labels, self.alpha, self.beta)
