"""The loss of training on images, their occluded twins and, where asked for, their silhouettes.

Mallick, Dong, Ruiz, Bargal, "D-Feat Occlusions", arXiv 2504.06432, equation 1:

    min over theta of  alpha * E[L(theta, {x_i, x^_i}, y_i)] + beta * E[L(theta, m_i, y_i)]

The paper gives neither alpha, beta nor the form of m. Inferred: alpha is 1 and beta 0; m is the union of the image's
part masks as a silhouette, white on black, normalised like an image and classified by the same network and head. The
trainer puts the twins x^ among the training images, so both expectations are means over a batch. Silhouettes are moved
by the same augmentation as their images, and BatchNorm sees them with its running statistics, which they do not move.
"""

from torch import Tensor

from occbench.core.interfaces import TrainingRun
from occbench.methods.option_ranges import check_range

__all__ = ["check_weights", "twin_loss"]


def check_weights(method: str, alpha: float, beta: float) -> None:
    """Check the weights of equation 1.

    Raises:
        ConfigError: alpha is not above 0, or beta below 0.
    """
    check_range(method, "alpha", alpha, 0.0, above=True)
    check_range(method, "beta", beta, 0.0)


def twin_loss(run: TrainingRun, inputs: Tensor, labels: Tensor, alpha: float, beta: float) -> Tensor:
    """Return equation 1 of a batch.

    Raises:
        ConfigError: ``beta`` is above 0, and the source has no masks.
    """
    loss = alpha * run.task.loss(run.head(run.vectors(inputs)), labels)
    if beta == 0:
        return loss
    # a half of a pixel decides: what moves a mask leaves soft edges
    silhouettes = (run.batch.masks() > 0.5).float().expand(-1, 3, -1, -1) * 255
    with run.held_statistics():
        logits = run.head(run.vectors(run.inputs(silhouettes)))
    return loss + beta * run.task.loss(logits, labels)
