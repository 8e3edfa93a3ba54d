"""Training on images, their occluded twins and, where asked for, their silhouettes: what the D-Feat arms share.

Mallick, Dong, Ruiz, Bargal, "D-Feat Occlusions", arXiv 2504.06432, equation 1:

    min over theta of  alpha * E[L(theta, {x_i, x^_i}, y_i)] + beta * E[L(theta, m_i, y_i)]

The paper gives neither alpha, beta nor the form of m. Inferred: alpha is 1 and beta 0; m is the union of the image's
part masks as a silhouette, white on black, normalised like an image and classified by the same network and head. The
trainer puts the twins x^ among the training images, so both expectations are means over a batch. Silhouettes are moved
by the same augmentation as their images, and BatchNorm sees them with its running statistics, which they do not move.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from occbench.core.options import check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun

__all__ = ["TwinTraining"]


@dataclass(frozen=True)
class TwinTraining(Method):
    """Trains on every image and on its twin, same label; a player says which family makes the twins.

    Attributes:
        alpha: weight of the images and their twins, above 0. Inferred: 1.
        beta: weight of the silhouettes, 0 or more; above 0 the source must know parts or objects. Inferred: 0.

    Raises:
        ConfigError: a weight outside of its range.
    """

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    alpha: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        """Check the weights."""
        check_range(self, "alpha", 0.0, above=True)
        check_range(self, "beta", 0.0)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return equation 1 of the batch; see ``Method.loss``.

        Raises:
            ConfigError: ``beta`` is above 0, and the source has no masks.
        """
        loss = self.alpha * run.task.loss(run.head(run.vectors(inputs)), labels)
        if self.beta == 0:
            return loss
        # a half of a pixel decides: what moves a mask leaves soft edges
        silhouettes = (run.batch.masks() > 0.5).float().expand(-1, 3, -1, -1) * 255
        with run.held_statistics():
            logits = run.head(run.vectors(run.inputs(silhouettes)))
        return loss + self.beta * run.task.loss(logits, labels)
