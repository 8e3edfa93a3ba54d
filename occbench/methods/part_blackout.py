"""Part blackout: training on images and on their twins whose parts are blacked out.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, baseline zeta 1: half of an image's parts, rounded up,
those of the largest area, go black; texture and colour vanish there, the outline stays. Loss: equation 1 of the paper,
as ``twin_loss`` has it.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from occbench.core.interfaces import Method, TrainingRun
from occbench.core.tasks import EVERY_TASK
from occbench.methods.twin_loss import check_weights, twin_loss

__all__ = ["PartBlackout"]


@dataclass(frozen=True)
class PartBlackout(Method):
    """Trains on every image and on its twin with parts blacked out, same label.

    Attributes:
        alpha: weight of the images and their twins, above 0. Inferred: 1.
        beta: weight of the silhouettes, 0 or more; above 0 the source must know parts or objects. Inferred: 0.

    Raises:
        ConfigError: a weight outside of its range.
    """

    alpha: float = 1.0
    beta: float = 0.0

    twins: ClassVar[str] = "part_blackout"
    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the weights."""
        check_weights("part_blackout", self.alpha, self.beta)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return equation 1 of the batch; see ``Method.loss``."""
        return twin_loss(run, inputs, labels, self.alpha, self.beta)
