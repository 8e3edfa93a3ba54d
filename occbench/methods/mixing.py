"""torchvision's mixing of a batch, with the run's draws instead of torch's global generator."""

from typing import Literal

import torch
from torch import Tensor

from occbench.core.seeding import torch_seeded
from occbench.core.training import TrainingRun

__all__ = ["mixed_by"]


def mixed_by(
    kind: Literal["CutMix", "MixUp"],
    alpha: float,
    probability: float,
    run: TrainingRun,
    images: Tensor,
    labels: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return a batch that a transform of torchvision mixes, its draws a function of the run's; or leave it alone.

    Args:
        kind: the transform; every image's partner is the one before it in the batch, whose order is drawn.
        alpha: of its Beta distribution.
        probability: that the batch is mixed.
        run: draws.
        images: float32[B, 3, S, S].
        labels: int64[B], or float32[B, C].

    Returns:
        float32[B, 3, S, S] and float32[B, C], or what was given.
    """
    from torchvision.transforms import v2

    if torch.rand((), generator=run.draws) >= probability:
        return images, labels
    transform = getattr(v2, kind)(alpha=alpha, num_classes=run.num_classes)
    with torch_seeded(int(torch.randint(2**31, (), generator=run.draws))):
        mixed: tuple[Tensor, Tensor] = transform(images, labels)
    return mixed
