"""Classifying any cells of a test matrix, many conditions in one batch, as ``bench.score`` does one after another.

Batches are filled up to the one static shape that ``score`` uses, too: a network that treats every image of a batch
alike then gives a cell the same answer, bit for bit, in whatever company it is classified.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.images import batches
from occbench.bench.pipeline import Pipeline
from occbench.bench.predictions import answers
from occbench.bench.score import TestSet
from occbench.core.compose import composite_batch
from occbench.core.types import Condition
from occbench.data.datasets import StoredDataset

__all__ = ["RenderedPixels", "StoredPixels", "classify", "logits_of"]

Indices = NDArray[np.int64]
#: (images int64[K], columns int64[K]) -> uint8[K, 3, S, S]; columns count the occluded conditions.
Pixels = Callable[[Indices, Indices], Tensor]


@dataclass(frozen=True, eq=False)
class RenderedPixels:
    """Occluded images made on the device, from resident clean images and a bank of resident overlays."""

    test: TestSet
    conditions: tuple[Condition, ...]
    device: torch.device
    _bank: dict[str, Tensor] = field(default_factory=dict, init=False)

    def __call__(self, images: Indices, columns: Indices) -> Tensor:
        """Return uint8[K, 3, S, S] on the device."""
        clean = self.test.images.images[torch.from_numpy(images)].to(self.device)
        pairs = zip(images.tolist(), columns.tolist(), strict=True)
        return composite_batch(clean, torch.stack([self._overlay(image, column) for image, column in pairs]))

    def _overlay(self, image: int, column: int) -> Tensor:
        condition = self.conditions[column]
        if (kept := self._bank.get(condition.name)) is not None:
            return kept
        renderer = self.test.renderer
        overlay = torch.from_numpy(renderer.full_overlay(self.test.images.examples[image], condition))
        made = overlay.permute(2, 0, 1).to(self.device)
        if not renderer.per_image(condition):
            self._bank[condition.name] = made
        return made


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
    pipeline: Pipeline, pixels: Pixels, labels: Tensor, cells: tuple[Indices, Indices], batch_size: int
) -> list[Tensor]:
    """Classify cells.

    Args:
        pipeline: the model's input side.
        pixels: where the occluded images come from.
        labels: int64[n_images], of the whole test set.
        cells: images int64[K] and columns int64[K].
        batch_size: as for ``score``.

    Returns:
        top1, top5, p_label and margin of every cell, as ``predictions.answers``.
    """
    pipeline.model.eval()
    found = list(_batches(pipeline, pixels, labels, cells, min(batch_size, len(labels))))
    return [torch.cat(part) for part in zip(*found, strict=True)]


def _batches(
    pipeline: Pipeline, pixels: Pixels, labels: Tensor, cells: tuple[Indices, Indices], size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    images, columns = cells
    device_labels = labels.to(pipeline.device)
    for rows in batches(len(images), size):
        batch = pixels(images[rows], columns[rows])
        if (short := size - len(batch)) > 0:
            batch = torch.cat([batch, batch[-1:].expand(short, -1, -1, -1)])
        with pipeline.autocast():
            logits = logits_of(pipeline, pipeline.inputs(batch))[: rows.stop - rows.start]
        yield answers(logits, device_labels[torch.from_numpy(images[rows]).to(pipeline.device)])
