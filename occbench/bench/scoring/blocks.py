"""What is kept of a batch's logits and how a condition's answers become a block, for either task."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from occbench.bench.images.images import ImageSet
from occbench.bench.measures.label_metrics import average_precision
from occbench.bench.scoring.label_predictions import stored_labels, write_label_block
from occbench.bench.scoring.predictions import answers, write_block
from occbench.core.tasks import MULTI_LABEL, Task
from occbench.core.types import Condition

__all__ = ["Blocks", "blocks_of"]


class Blocks(ABC):
    """How answers are kept."""

    @abstractmethod
    def answers(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return what is kept of a batch, one row an image in each tensor.

        Args:
            logits: float[B, C].
            targets: of the batch.
        """

    @abstractmethod
    def write(self, path: Path, condition: Condition, images: ImageSet, found: Sequence[Tensor]) -> None:
        """Write the answers of every test image under one condition, whole or not at all."""

    @abstractmethod
    def score(self, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Return the one number that an epoch is chosen by, a share; nan where there is no batch.

        Args:
            batches: (logits, targets on the CPU), batch by batch.
        """


class _SingleLabelBlocks(Blocks):
    """Top-1, top-5, probability and margin; the number is top-1 accuracy."""

    def answers(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        return answers(logits, targets)

    def write(self, path: Path, condition: Condition, images: ImageSet, found: Sequence[Tensor]) -> None:
        write_block(path, condition, images.labels, found)

    def score(self, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        hits = total = 0
        for logits, targets in batches:
            hits += int((logits.argmax(1).cpu() == targets).sum())
            total += len(targets)
        return hits / total if total else math.nan


class _MultiLabelBlocks(Blocks):
    """All logits; the number is mAP."""

    def answers(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG002 - the role's signature
        return (logits.float(),)

    def write(self, path: Path, condition: Condition, images: ImageSet, found: Sequence[Tensor]) -> None:
        write_label_block(path, condition, images, found[0])

    def score(self, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        asked = [(logits.float().cpu(), targets) for logits, targets in batches]
        if not asked:
            return math.nan
        logits, targets = (torch.cat(parts) for parts in zip(*asked, strict=True))
        found = average_precision(logits.numpy(), stored_labels(targets))
        known = found[found == found]  # nan for a class that no image has
        return float(known.mean()) if len(known) else 0.0


_SINGLE_LABEL, _MULTI_LABEL = _SingleLabelBlocks(), _MultiLabelBlocks()


def blocks_of(task: Task) -> Blocks:
    """Return how a task's answers are kept."""
    return _MULTI_LABEL if task is MULTI_LABEL else _SINGLE_LABEL
