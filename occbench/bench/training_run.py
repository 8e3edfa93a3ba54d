"""What a method sees of a run: the model alone when it predicts, the pairs too while it trains."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from occbench.bench.images import render_batch
from occbench.bench.materials import Materials
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol import Arm
from occbench.core.interfaces import TrainingRun
from occbench.core.seeding import stream

__all__ = ["Prediction", "Training", "generator"]


def generator(seed: int, *names: str | int) -> Generator:
    """Return a torch generator on the CPU started from a named stream."""
    made = Generator()
    made.manual_seed(stream(seed, "train", *names).integer(0, 2**31))
    return made


class Prediction(TrainingRun):
    """The side of ``TrainingRun`` that a method needs to predict: the model alone."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Take the model's input side."""
        self.epoch = 0
        self.memory: dict[str, Any] = {}
        self.draws = generator(0, "predict")
        self._pipeline = pipeline

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return deep feature vectors; see ``TrainingRun``."""
        return self._pipeline.vectors(inputs)

    def head(self, vectors: Tensor) -> Tensor:
        """Return logits; see ``TrainingRun``."""
        logits: Tensor = self._pipeline.model.head(vectors)
        return logits

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield nothing: there are no pairs at test time."""
        return iter(())


class Training(Prediction):
    """The trainer's side of ``TrainingRun``: the model and the arm's pairs."""

    def __init__(self, pipeline: Pipeline, materials: Materials, arm: Arm, cache: ActivationCache, seed: int) -> None:
        """Take the model's input side, the images, the arm, the shared activations and the training seed."""
        super().__init__(pipeline)
        self.draws = generator(seed, "method", 0)
        self._materials = materials
        self._arm = arm
        self._cache = cache

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every clean image of the pairs with its twins, normalised and never augmented; float32."""
        materials, pipeline = self._materials, self._pipeline
        conditions = materials.pair_conditions(self._arm)
        names = [condition.name for condition in conditions]

        def inputs(number: int) -> Tensor:
            one = slice(number, number + 1)
            twins = [
                render_batch(materials.pairs, one, condition, materials.pair_renderer, pipeline.device)
                for condition in conditions
            ]
            return pipeline.inputs(torch.cat([materials.pairs.images[one].to(pipeline.device), *twins]))

        for number in range(len(materials.pairs)):
            if pipeline.prefix_hash:
                key = ("pairs", pipeline.prefix_hash, materials.pairs.keys[number], *names)
                made = self._cache.recall(key, partial(inputs, number))
            else:
                made = inputs(number)
            yield made[:1].float(), made[1:].float()
