"""Patch Mixing: random cells of a grid are replaced by those of another image, and the label mixed by area.

Lee et al., "Hardwiring ViT Patch Selectivity into CNNs using Patch Mixing", arXiv 2306.17848. The numbers are inferred:
cells of 16 px in 224, a share of them uniform in [0, 0.5] for every image, partners by a random order of the batch. The
expected replaced share is ``largest_share / 2``, 0.25 by default; an image may be its own partner.
"""

from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.options import check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.hidden_pixels import scaled_px

__all__ = ["PatchMixing"]


@dataclass(frozen=True)
class PatchMixing(Method):
    """Replaces random cells by those of another image and mixes the labels by area.

    Attributes:
        cell_px: side of a cell in an image of 224 px, 1 or more; other images have cells of the same share of their
            side. Inferred: 16.
        largest_share: of the cells that are replaced, above 0 up to 1. Inferred: 0.5.

    Raises:
        ConfigError: an option outside of its range.
    """

    cell_px: int = 16
    largest_share: float = 0.5

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "cell_px", 1)
        check_range(self, "largest_share", 0.0, 1.0, above=True)

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images and labels float32[B, C]; see ``Method.augment``."""
        count, side = len(images), images.shape[-1]
        cell = scaled_px(self.cell_px, side)
        across = ceil(side / cell)
        wanted = self.largest_share * torch.rand(count, 1, generator=run.draws) * across**2
        order = torch.rand(count, across**2, generator=run.draws).argsort(1).argsort(1)
        cells = (order < wanted.round()).view(count, across, across)
        taken = cells.repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, None, :side, :side].to(images.device)
        partner = torch.randperm(count, generator=run.draws).to(images.device)
        kept = 1 - taken.float().mean((1, 2, 3))[:, None]
        targets = run.task.multi_hot(labels, run.num_classes).to(images)
        return torch.where(taken, images[partner], images), kept * targets + (1 - kept) * targets[partner]
