"""What a training step is fed: batches in the epoch's order, augmented, normalised, on the device."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from occbench.bench.batches.augment import Geometry, augment, draw_geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.images import ImageSet, batches
from occbench.bench.protocol.rules import TrainRule
from occbench.bench.training.training_run import generator
from occbench.core.errors import ConfigError

__all__ = ["Fed", "Feeder", "PixelChange"]

#: A method's own augmentation: (batch, float32[B, 3, S, S] in 0..255, labels int64[B]) -> (images, targets).
PixelChange = Callable[[ImageBatch, Tensor, Tensor], tuple[Tensor, Tensor]]


class Fed(NamedTuple):
    """One training step's batch.

    Attributes:
        inputs: what the trainable stages take.
        targets: int64[B] labels, or what a method's augmentation made of them.
        batch: the images behind the inputs.
    """

    inputs: Tensor
    targets: Tensor
    batch: ImageBatch


class Feeder:
    """The training batches of every epoch.

    Attributes:
        rule: how is trained.
        steps: batches in an epoch; a last one that would be smaller is left out.
        on_step: told after every step which share of an epoch it was.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        images: ImageSet,
        rule: TrainRule,
        cache: ActivationCache,
        seed: int,
        change: PixelChange | None = None,
    ) -> None:
        """Take model side, images and rule; with ``cached_views``, compute what the frozen stages make of the views.

        Raises:
            ConfigError: ``cached_views`` with frozen stages and a method that changes pixels.
        """
        self._pipeline = pipeline
        self._images = images
        self.rule = rule
        self._seed = seed
        self._change = change
        self.on_step: Callable[[float], None] = lambda _: None
        self._cache = cache
        self._views: list[Tensor] = []
        self.steps = max(1, len(images) // rule.batch_size)
        self._blocks: dict[tuple[int, int], Geometry] = {}
        if rule.cached_views and pipeline.prefix_hash:
            if change is not None:
                raise ConfigError(
                    f"train.cached_views is {rule.cached_views}, and the method changes the pixels of every batch "
                    "anew: nothing of the frozen stages can be kept. Set train.cached_views=0."
                )
            self._views = [self._view(number, cache) for number in range(rule.cached_views)]

    def batches(self, epoch: int) -> Iterator[Fed]:
        """Yield every step of an epoch, a function of seed and epoch alone."""
        order = torch.randperm(len(self._images), generator=generator(self._seed, "order", epoch))
        draws = generator(self._seed, "augment", epoch)
        size = min(self.rule.batch_size, len(order))
        for step in range(self.steps):
            rows = order[step * size : (step + 1) * size]
            yield self._fed(rows, draws)
            self.on_step(1 / self.steps)

    def _fed(self, rows: Tensor, draws: Generator) -> Fed:
        labels = self._images.labels[rows].to(self._pipeline.device)
        geometry, names, views = self._drawn(rows, draws)
        places = rows.tolist()
        masks = self._silhouettes(places, geometry)

        def move(images: Tensor) -> Tensor:
            return geometry.apply(images.float())

        if self._views:
            kept = torch.stack([self._views[view][row] for view, row in zip(views, places, strict=True)])
            if kept.ndim == 4:  # feature maps; where the whole trunk is frozen, they are vectors
                kept = kept.contiguous(memory_format=torch.channels_last)
            batch = ImageBatch(lambda: move(self._pixels(rows)), masks, names, places, move)
            return Fed(kept.to(self._pipeline.device), labels, batch)
        clean = self._pixels(rows)
        if self._change is None:
            pixels = clean if geometry.matrix is None else move(clean)
            batch = ImageBatch(pixels.float, masks, names, places, move)
            return Fed(self._prefix(pixels, names), labels, batch)
        moved = move(clean)
        before = ImageBatch(lambda: moved, masks, names, places, move)
        changed, targets = self._change(before, moved, labels)
        after = ImageBatch(lambda: changed, before.masks, None, places, move)
        return Fed(self._pipeline.inputs(changed), targets, after)

    def _prefix(self, pixels: Tensor, names: list[str] | None) -> Tensor:
        """Return the input of the trainable stages; what frozen stages make of images that come again is kept."""
        if names is None or not self._pipeline.prefix_hash:
            return self._pipeline.inputs(pixels)
        keys = [("image", self._pipeline.prefix_hash, name) for name in names]
        return self._cache.recall_rows(keys, lambda: self._pipeline.inputs(pixels))

    def _drawn(self, rows: Tensor, draws: Generator) -> tuple[Geometry, list[str] | None, list[int]]:
        """Return how the images are moved, their names where they come again, and which view each of them is."""
        kind = self.rule.augment
        if self.rule.cached_views and (self._views or kind != "none"):
            views = torch.randint(self.rule.cached_views, (len(rows),), generator=draws).tolist()
            places = list(zip(views, rows.tolist(), strict=True))
            return self._views_geometry(places), [self._view_name(*place) for place in places], views
        if kind == "none":
            return Geometry(), [self._images.keys[row] for row in rows.tolist()], []
        return draw_geometry(len(rows), kind, draws), None, []

    def _pixels(self, rows: Tensor) -> Tensor:
        return self._images.images[rows].to(self._pipeline.device)

    def _silhouettes(self, rows: list[int], geometry: Geometry) -> Callable[[], Tensor]:
        return lambda: silhouettes(self._images, rows, geometry, self._pipeline.device)

    def _view(self, number: int, cache: ActivationCache) -> Tensor:
        """Return the prefix activations of one augmented view of every image; the same for all seeds and arms.

        An image's view depends on its place in the set, so arms that add images behind the clean ones share those.
        """
        parts = []
        for rows in batches(len(self._images), self.rule.batch_size):
            names = "".join(self._images.keys[rows])
            key = ("view", self._pipeline.prefix_hash, self.rule.augment, str(number), str(rows.start), names)
            parts.append(cache.recall(key, lambda rows=rows: self._augmented(rows, number)))  # type: ignore[misc]
        return torch.cat(parts)

    def _augmented(self, rows: slice, number: int) -> Tensor:
        images = self._images.images[rows].to(self._pipeline.device)
        made = self._pipeline.inputs(augment(images, self.rule.augment, self._view_draws(number, rows.start)))
        return made.to("cpu", torch.bfloat16)  # half the memory; training noise hides the rounding

    def _views_geometry(self, places: list[tuple[int, int]]) -> Geometry:
        """Return the geometry that images have in views, (view, row) each: that of their rows among those drawn."""
        found = [(self._block(view, row), row % self.rule.batch_size) for view, row in places]
        matrices = [block.matrix[within] for block, within in found if block.matrix is not None]
        return Geometry(torch.stack(matrices), found[0][0].padding) if matrices else Geometry()

    def _block(self, view: int, row: int) -> Geometry:
        """Return the geometry of all images whose view is drawn together with that of a row."""
        start, count = self._extent(row)
        if (view, start) not in self._blocks:
            self._blocks[view, start] = draw_geometry(count, self.rule.augment, self._view_draws(view, start))
        return self._blocks[view, start]

    def _extent(self, row: int) -> tuple[int, int]:
        """Return (first row, rows) of the images whose view is drawn together with that of a row."""
        size = self.rule.batch_size
        start = row - row % size
        return start, min(size, len(self._images) - start)

    def _view_name(self, view: int, row: int) -> str:
        """Name a view by all that decides its pixels: names are compared between arms with other images, too."""
        start, count = self._extent(row)
        return f"{self._images.keys[row]}~{self.rule.augment}-{view}-{start}-{count}"

    def _view_draws(self, number: int, start: int) -> Generator:
        return generator(0, "view", number, start)
