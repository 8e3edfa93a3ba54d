"""What a training step is fed: batches in the epoch's order, augmented, normalised, on the device."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from occbench.bench.images import ImageSet, batches
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol import TrainRule
from occbench.bench.training_run import generator

__all__ = ["Feeder"]


class Feeder:
    """The training batches of every epoch.

    Attributes:
        rule: how is trained.
        steps: batches in an epoch; a last one that would be smaller is left out.
    """

    def __init__(
        self, pipeline: Pipeline, images: ImageSet, rule: TrainRule, cache: ActivationCache, seed: int
    ) -> None:
        """Take model side, images and rule; with ``cached_views``, compute what the frozen stages make of the views."""
        self._pipeline = pipeline
        self._images = images
        self.rule = rule
        self._seed = seed
        self._views: list[Tensor] = []
        self.steps = max(1, len(images) // rule.batch_size)
        if rule.cached_views and pipeline.prefix_hash:
            self._views = [self._view(number, cache) for number in range(rule.cached_views)]

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (inputs, labels int64[B]) of every step of an epoch, a function of seed and epoch alone."""
        order = torch.randperm(len(self._images), generator=generator(self._seed, "order", epoch))
        draws = generator(self._seed, "augment", epoch)
        size = min(self.rule.batch_size, len(order))
        for step in range(self.steps):
            rows = order[step * size : (step + 1) * size]
            yield self._inputs(rows, draws), self._images.labels[rows].to(self._pipeline.device)

    def _inputs(self, rows: Tensor, draws: Generator) -> Tensor:
        if not self._views:
            return self._pipeline.inputs(self._images.images[rows], self.rule.augment, draws)
        views = torch.randint(len(self._views), (len(rows),), generator=draws).tolist()
        kept = [self._views[view][row] for view, row in zip(views, rows.tolist(), strict=True)]
        return torch.stack(kept).to(self._pipeline.device).contiguous(memory_format=torch.channels_last)

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
        draws = generator(0, "view", number, rows.start)
        made = self._pipeline.inputs(self._images.images[rows], self.rule.augment, draws)
        return made.to("cpu", torch.bfloat16)  # half the memory; training noise hides the rounding
