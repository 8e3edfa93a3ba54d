"""Training images put under occlusions row by row, each under a condition of its own."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from occbench.bench.images.images import ImageSet
from occbench.core.compose import composite_batch
from occbench.core.seeding import stream
from occbench.core.types import Condition
from occbench.data.render import Renderer

__all__ = ["Occluder"]


class Occluder:
    """Renders any rows of a set of images under any conditions; overlays that images share are made once.

    Attributes:
        conditions: what may be asked for.
    """

    def __init__(
        self, images: ImageSet, renderer: Renderer, conditions: Sequence[Condition], device: torch.device
    ) -> None:
        """Take the images and their conditions; nothing is drawn yet."""
        self.conditions = tuple(conditions)
        self._images = images
        self._renderer = renderer
        self._device = device
        self._shared: dict[str, Tensor] = {}
        self._orders: dict[int, list[int]] = {}

    def draw(self, rows: Sequence[int], draws: Generator, views: int = 0) -> list[Condition]:
        """Draw a condition for each row: among all of them, or among ``views`` of the row's own.

        Which ones are a row's own is a function of its key alone, the same for every method and seed.
        """
        count = min(views, len(self.conditions)) or len(self.conditions)
        drawn = torch.randint(count, (len(rows),), generator=draws).tolist()
        if not views:
            return [self.conditions[number] for number in drawn]
        return [self.conditions[self._own(row)[number]] for row, number in zip(rows, drawn, strict=True)]

    def _own(self, row: int) -> list[int]:
        """Return the conditions' numbers in the row's own order."""
        if row not in self._orders:
            order = stream(0, "views", self._images.keys[row]).permutation(len(self.conditions))
            self._orders[row] = order.tolist()
        return self._orders[row]

    def render(self, rows: Sequence[int], conditions: Sequence[Condition]) -> Tensor:
        """Return uint8[B, 3, S, S] on the device: each row under its condition.

        Raises:
            BrokenImageError: an image cannot be occluded so.
        """
        clean = self._images.images[torch.tensor(list(rows))].to(self._device)
        overlays = [self._overlay(row, condition) for row, condition in zip(rows, conditions, strict=True)]
        return composite_batch(clean, torch.stack(overlays))

    def overlays(self) -> Tensor:
        """Return uint8[K, 4, S, S] on the device: the overlay of every condition, all of which images must share."""
        return torch.stack([self._overlay(0, condition) for condition in self.conditions])

    def _overlay(self, row: int, condition: Condition) -> Tensor:
        """Return uint8[4, S, S]."""
        if self._renderer.per_image(condition):
            return self._drawn(row, condition)
        if condition.name not in self._shared:
            self._shared[condition.name] = self._drawn(row, condition)
        return self._shared[condition.name]

    def _drawn(self, row: int, condition: Condition) -> Tensor:
        full = np.ascontiguousarray(self._renderer.full_overlay(self._images.examples[row], condition))
        return torch.from_numpy(full).permute(2, 0, 1).to(self._device)
