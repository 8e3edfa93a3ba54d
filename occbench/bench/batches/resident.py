"""Clean images and overlays kept on the device where the model is, so that scoring moves as little as it can."""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.images.images import ImageSet, batches
from occbench.core.compose import composite_batch
from occbench.core.types import CLEAN, Condition
from occbench.data.render import Renderer

__all__ = ["Resident"]

#: Images sent to the device at a time while it is filled.
_CHUNK: Final = 256


class Resident:
    """Renders a set of images on a device.

    As many images as the budget allows stay there as uint8, the first ones of the set; the others are sent whenever
    they are asked for. Overlays that images share (the pattern bank, 0.2 MB each at 224 px) are made and sent once. On
    the CPU nothing is held: the images are in its memory, or in files that the operating system caches.
    """

    def __init__(
        self, images: ImageSet, renderer: Renderer, device: torch.device, budget_bytes: int | None = None
    ) -> None:
        """Take the images; nothing is sent yet.

        Args:
            images: clean images.
            renderer: puts conditions on them.
            device: where the model is.
            budget_bytes: device memory for the images; by default half of what is free on a GPU, none on the CPU.
        """
        self._images = images
        self._renderer = renderer
        self._device = device
        self._budget_bytes = budget_bytes
        self._overlays: dict[str, Tensor] = {}

    @property
    def held(self) -> int:
        """How many images stay on the device."""
        return len(self._held)

    def clean(self, rows: slice | Tensor) -> Tensor:
        """Return uint8[B, 3, S, S] on the device.

        Args:
            rows: a slice without a step, or row numbers int64[B] on the CPU.
        """
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self._images))
            if stop <= self.held:
                return self._held[start:stop]
            if start >= self.held:
                return self._sent(rows)
            return torch.cat([self._held[start:], self._sent(slice(self.held, stop))])
        inside = rows < self.held
        if bool(inside.all()):
            return self._taken(rows)
        if not bool(inside.any()):
            return self._sent(rows)
        parts = torch.cat([self._taken(rows[inside]), self._sent(rows[~inside])])
        places = torch.cat([inside.nonzero()[:, 0], (~inside).nonzero()[:, 0]])
        return parts[places.argsort().to(self._device)]

    def render(self, rows: slice | Tensor, condition: Condition) -> Tensor:
        """Return uint8[B, 3, S, S] on the device: images under one condition; ``clean`` leaves them as they are.

        Args:
            rows: as for ``clean``.
            condition: for all of them.
        """
        images = self.clean(rows)
        if condition.name == CLEAN.name:
            return images
        if not self._renderer.per_image(condition):
            return composite_batch(images, self._shared(condition)[None])
        numbers = range(*rows.indices(len(self._images))) if isinstance(rows, slice) else rows.tolist()
        return composite_batch(images, self._own(numbers, [condition] * len(numbers)))

    def render_cells(self, rows: NDArray[np.int64], conditions: Sequence[Condition]) -> Tensor:
        """Return uint8[K, 3, S, S] on the device: image ``rows[k]`` under ``conditions[k]``, none of them ``clean``."""
        clean = self.clean(torch.from_numpy(rows))
        if not any(self._renderer.per_image(condition) for condition in conditions):
            return composite_batch(clean, torch.stack([self._shared(condition) for condition in conditions]))
        return composite_batch(clean, self._own(rows.tolist(), conditions))

    def _own(self, rows: Sequence[int], conditions: Sequence[Condition]) -> Tensor:
        """Return uint8[K, 4, S, S] on the device, overlays some of which depend on their image."""
        examples = self._images.examples
        drawn = [
            self._renderer.full_overlay(examples[row], condition)
            for row, condition in zip(rows, conditions, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).to(self._device)

    def _shared(self, condition: Condition) -> Tensor:
        """Return uint8[4, S, S] on the device, the overlay that all images share."""
        if (kept := self._overlays.get(condition.name)) is None:
            overlay = self._renderer.full_overlay(self._images.examples[0], condition)
            kept = self._overlays[condition.name] = torch.from_numpy(overlay).permute(2, 0, 1).to(self._device)
        return kept

    @cached_property
    def _held(self) -> Tensor:
        """uint8[n, 3, S, S] on the device, the first n images, in channels-last order."""
        pixels = self._images.images
        count = min(len(pixels), self._budget() // max(1, int(np.prod(pixels.shape[1:]))))
        if not count:
            return torch.empty(0, *pixels.shape[1:], dtype=torch.uint8, device=self._device)
        side = pixels.shape[2:]
        held = torch.empty(count, *side, 3, dtype=torch.uint8, device=self._device).permute(0, 3, 1, 2)
        for rows in batches(count, _CHUNK):
            held[rows].copy_(pixels[rows])
        return held

    def _budget(self) -> int:
        if self._budget_bytes is not None:
            return self._budget_bytes
        return torch.cuda.mem_get_info(self._device)[0] // 2 if self._device.type == "cuda" else 0

    def _taken(self, rows: Tensor) -> Tensor:
        """Gather held images; along the first axis of what lies contiguous in memory, which is copied whole."""
        found = self._held.permute(0, 2, 3, 1).index_select(0, rows.to(self._device))
        return found.permute(0, 3, 1, 2)

    def _sent(self, rows: slice | Tensor) -> Tensor:
        batch = self._images.images[rows]
        if self._device.type == "cuda":  # from pinned memory the copy does not hold up the program
            return batch.pin_memory().to(self._device, non_blocking=True)
        return batch.to(self._device)
