"""What a method sees of a run: the model alone when it predicts, the pairs too while it trains."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from occbench.bench.images import render_batch
from occbench.bench.materials import Materials
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol import Arm
from occbench.bench.side import side_dim, side_vectors
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Batch, Method, TrainingRun
from occbench.core.seeding import stream

__all__ = ["Prediction", "Training", "extend", "generator"]


def generator(seed: int, *names: str | int) -> Generator:
    """Return a torch generator on the CPU started from a named stream."""
    made = Generator()
    made.manual_seed(stream(seed, "train", *names).integer(0, 2**31))
    return made


class Prediction(TrainingRun):
    """The side of ``TrainingRun`` that a method needs to predict: the model alone."""

    def __init__(self, pipeline: Pipeline, cache: ActivationCache | None = None) -> None:
        """Take the model's input side, and where activations are kept."""
        self.epoch = 0
        self.memory: dict[str, Any] = {}
        self.draws = generator(0, "predict")
        self._pipeline = pipeline
        self._cache = cache or ActivationCache()

    @property
    def dim(self) -> int:
        """Length of a deep feature vector."""
        return self._pipeline.model.dim

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self._pipeline.model.num_classes

    @property
    def module(self) -> nn.Module:
        """What the method's ``build`` made; see ``TrainingRun``."""
        if self._pipeline.model.extension is None:
            raise ConfigError("the method asks for run.module, and its build made none: return a module from build.")
        return self._pipeline.model.extension

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return deep feature vectors; see ``TrainingRun``."""
        return self._pipeline.vectors(inputs)

    def head(self, vectors: Tensor) -> Tensor:
        """Return logits; see ``TrainingRun``."""
        logits: Tensor = self._pipeline.model.head(vectors)
        return logits

    def inputs(self, pixels: Tensor) -> Tensor:
        """Return what ``vectors`` takes; see ``TrainingRun``."""
        made = self._pipeline.inputs(pixels)
        return made if self._pipeline.bf16 else made.float()

    def ask(self, method: Method, inputs: Tensor, batch: Batch) -> Tensor:
        """Return a method's logits for inputs and the images behind them."""
        self.batch = batch
        return method.predict(self, inputs)

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield nothing: there are no pairs at test time."""
        return iter(())

    def overlays(self) -> Tensor:
        """Raise: there are no pairs at test time.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a method asks for the overlays of the pairs while it predicts: use them in training only.")

    def side_dim(self, extractor: str, options: Mapping[str, Any]) -> int:
        """Return the length of ``side_vectors``."""
        return side_dim(extractor, options)

    def side_vectors(self, extractor: str, options: Mapping[str, Any]) -> Tensor:
        """Return what an extractor makes of the present batch's pixels; see ``TrainingRun``."""
        return side_vectors(extractor, options, self.batch, self._cache).to(self._pipeline.device)


def extend(pipeline: Pipeline, method: Method, seed: int) -> None:
    """Give a model what its method learns beside it, with weights drawn from the training seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "train", "extension").integer(0, 2**31))
        pipeline.model.extension = method.build(Prediction(pipeline))


class Training(Prediction):
    """The trainer's side of ``TrainingRun``: the model and the arm's pairs."""

    def __init__(self, pipeline: Pipeline, materials: Materials, arm: Arm, cache: ActivationCache, seed: int) -> None:
        """Take the model's input side, the images, the arm, the shared activations and the training seed."""
        super().__init__(pipeline, cache)
        self.draws = generator(seed, "method", 0)
        self._materials = materials
        self._arm = arm
        self._kept: dict[str, Tensor] = {}

    def overlays(self) -> Tensor:
        """Return the overlays of the pairs' conditions; see ``TrainingRun``."""
        if "overlays" not in self._kept:
            materials = self._materials
            renderer, conditions = materials.pair_renderer, materials.pair_conditions(self._arm)
            if own := [item.name for item in conditions if renderer.per_image(item)]:
                raise ConfigError(
                    f"the method pastes the pairs' occlusions on any image, and {own[0]} depends on the image. Set "
                    "pair_occlusions to families that images share (patterns)."
                )
            drawn = [renderer.full_overlay(materials.train.examples[0], item) for item in conditions]
            stacked = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
            self._kept["overlays"] = stacked.to(self._pipeline.device)
        return self._kept["overlays"]

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
