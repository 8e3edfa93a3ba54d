"""Classifying any cells of a test matrix, many conditions in one batch, as ``scoring.score`` does one after another.

Batches are filled up to the one static shape that ``score`` uses, too: a network that treats every image of a batch
alike then gives a cell the same answer, bit for bit, in whatever company it is classified.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.images import batches
from occbench.bench.scoring.predictions import answers
from occbench.bench.scoring.test_set import TestSet
from occbench.core.types import Condition
from occbench.data.datasets import StoredDataset

__all__ = ["RenderedPixels", "StoredPixels", "classify", "logits_of"]

Indices = NDArray[np.int64]
#: (images int64[K], columns int64[K]) -> uint8[K, 3, S, S]; columns count the occluded conditions.
Pixels = Callable[[Indices, Indices], Tensor]
#: (inputs of the trainable stages, their uint8 pixels, images int64[B], columns int64[B]) -> logits float[B, C].
Answer = Callable[[Tensor, Tensor, Indices, Indices], Tensor]


@dataclass(frozen=True, eq=False)
class RenderedPixels:
    """Occluded images made on the device, from resident clean images and a bank of resident overlays."""

    test: TestSet
    conditions: tuple[Condition, ...]
    device: torch.device

    def __call__(self, images: Indices, columns: Indices) -> Tensor:
        """Return uint8[K, 3, S, S] on the device."""
        conditions = [self.conditions[column] for column in columns.tolist()]
        return self.test.on(self.device).render_cells(images, conditions)


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """Occluded images as a materialised dataset stores them."""

    dataset: StoredDataset

    def __call__(self, images: Indices, columns: Indices) -> Tensor:
        """Return uint8[K, 3, S, S] on the CPU."""
        rows = images * len(self.dataset.conditions) + columns
        return torch.from_numpy(np.stack([self.dataset.sample(int(row)).image for row in rows])).permute(0, 3, 1, 2)


def logits_of(pipeline: Pipeline, inputs: Tensor) -> Tensor:
    """Return logits float[B, C] of what ``Pipeline.inputs`` made."""
    logits: Tensor = pipeline.model.head(pipeline.vectors(inputs))
    return logits


@torch.inference_mode()
def classify(
    pipeline: Pipeline,
    pixels: Pixels,
    labels: Tensor,
    cells: tuple[Indices, Indices],
    *,
    batch_size: int,
    answer: Answer | None = None,
) -> list[Tensor]:
    """Classify cells.

    Args:
        pipeline: the model's input side.
        pixels: where the occluded images come from.
        labels: int64[n_images], of the whole test set.
        cells: images int64[K] and columns int64[K].
        batch_size: as for ``score``.
        answer: how a batch is classified; the bare model by default.

    Returns:
        top1, top5, p_label and margin of every cell, as ``predictions.answers``.
    """
    pipeline.model.eval()
    asked = answer or (lambda inputs, *_: logits_of(pipeline, inputs))
    found = list(_batches(pipeline, pixels, labels, cells, min(batch_size, len(labels)), asked))
    return [torch.cat(part) for part in zip(*found, strict=True)]


def _batches(
    pipeline: Pipeline, pixels: Pixels, labels: Tensor, cells: tuple[Indices, Indices], size: int, answer: Answer
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    device_labels = labels.to(pipeline.device)
    for rows in batches(len(cells[0]), size):
        # the last batch is filled up by its last cell
        order = np.minimum(np.arange(rows.start, rows.start + size), rows.stop - 1)
        images, columns = (part[order] for part in cells)
        shown = pixels(images, columns)
        with pipeline.autocast():
            logits = answer(pipeline.inputs(shown), shown, images, columns)
        count = rows.stop - rows.start
        yield answers(logits[:count], device_labels[torch.from_numpy(images[:count]).to(pipeline.device)])
