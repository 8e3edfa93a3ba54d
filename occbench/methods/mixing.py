"""torchvision's mixing of a batch, with the run's draws instead of torch's global generator."""

from collections.abc import Callable

import torch
from torch import Tensor

from occbench.core.training import TrainingRun

__all__ = ["mixed_by"]


def mixed_by(
    transform: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], run: TrainingRun, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a transform's images and labels; its draws are a function of the run's.

    Args:
        transform: draws from torch's global generator of the CPU, which is put back afterwards.
        run: its ``draws`` are advanced by one number.
        images: float32[B, 3, S, S].
        labels: int64[B].

    Returns:
        float32[B, 3, S, S] and float32[B, C].
    """
    seed = int(torch.randint(2**31, (), generator=run.draws))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return transform(images, labels)
