"""What a method sees of a run: the model alone when it predicts, the pairs too while it trains."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.held_out import HeldOut, training_batches, validation_batches
from occbench.bench.batches.mask_bank import MaskBank
from occbench.bench.batches.occluding import Occluder
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.batches.side import side_dim, side_vectors
from occbench.bench.images.images import ImageSet, render_batch
from occbench.bench.images.materials import Materials
from occbench.bench.protocol.benchmark import Arm
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream, torch_seeded
from occbench.core.tasks import SINGLE_LABEL, Task
from occbench.core.training import Method, TrainingRun
from occbench.models.trainable import adaptable, hold_statistics

__all__ = ["Prediction", "Training", "extend", "generator"]


def generator(seed: int, *names: str | int) -> Generator:
    """Return a torch generator on the CPU started from a named stream."""
    made = Generator()
    made.manual_seed(stream(seed, "train", *names).seed())
    return made


class Prediction(TrainingRun):
    """The side of ``TrainingRun`` that a method needs to predict: the model alone."""

    batch: ImageBatch

    def __init__(self, pipeline: Pipeline, cache: ActivationCache | None = None, task: Task = SINGLE_LABEL) -> None:
        """Take the model's input side, where activations are kept, and what labels mean."""
        self.task = task
        self.epoch = 0
        self.memory: dict[str, Any] = {}
        self.draws = generator(0, "predict")
        self._pipeline = pipeline
        self.cache = cache or ActivationCache()

    @property
    def dim(self) -> int:
        """Length of a deep feature vector."""
        return self._pipeline.model.dim

    @property
    def channels(self) -> int:
        """Number of channels of a feature map."""
        return self._pipeline.model.channels

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self._pipeline.model.num_classes

    @property
    def mean_pixel(self) -> Tensor:
        """The colour that normalisation maps to 0, float32[3] in 0..255."""
        return torch.tensor(self._pipeline.model.mean, device=self._pipeline.device) * 255

    @property
    def module(self) -> nn.Module:
        """What the method's ``build`` made; see ``TrainingRun``."""
        if self._pipeline.model.extension is None:
            raise ConfigError("the method asks for run.module, and its build made none: return a module from build.")
        return self._pipeline.model.extension

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return deep feature vectors; see ``TrainingRun``."""
        return self._pipeline.vectors(inputs)

    def features(self, inputs: Tensor) -> Tensor:
        """Return feature maps; see ``TrainingRun``."""
        return self._pipeline.features(inputs)

    def pool(self, feature_map: Tensor) -> Tensor:
        """Return deep feature vectors of feature maps; see ``TrainingRun``."""
        return self._pipeline.pool(feature_map)

    def head(self, vectors: Tensor) -> Tensor:
        """Return logits; see ``TrainingRun``."""
        logits: Tensor = self._pipeline.model.head(vectors)
        return logits

    @contextmanager
    def held_statistics(self) -> Iterator[None]:
        """Hold BatchNorm's running statistics; see ``TrainingRun``."""
        model = self._pipeline.model
        training = [layer for layer in model.modules() if layer.training]
        hold_statistics(model)
        try:
            yield
        finally:
            for layer in training:
                layer.training = True

    def adaptable(self) -> AbstractContextManager[list[nn.Parameter]]:
        """Return a context for learning from test images; see ``TrainingRun``."""
        return adaptable(self._pipeline.model)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Return what ``vectors`` takes; see ``TrainingRun``."""
        made = self._pipeline.inputs(pixels)
        return made if self._pipeline.bf16 else made.float()

    def ask(self, method: Method, inputs: Tensor, batch: ImageBatch) -> Tensor:
        """Return a method's logits for inputs and the images behind them."""
        self.batch = batch
        return method.predict(self, inputs)

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield nothing: there are no pairs at test time."""
        return iter(())

    def examples(self, part: Literal["train"] | HeldOut) -> Iterator[tuple[Tensor, Tensor]]:  # noqa: ARG002
        """Yield nothing: there are no training images at test time."""
        return iter(())

    def overlays(self) -> Tensor:
        """Raise: there are no pairs at test time.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a method asks for the overlays of the pairs while it predicts: use them in training only.")

    def masked_inputs(self, masks: int) -> Tensor:  # noqa: ARG002 - the role's signature
        """Raise: test images are occluded by the benchmark.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a method asks for masked inputs while it predicts: use them in training only.")

    def occluded_inputs(self, views: int = 0) -> Tensor:  # noqa: ARG002
        """Raise: test images are occluded by the benchmark.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a method asks for occluded inputs while it predicts: use them in training only.")

    def side_dim(self, extractor: str, options: Mapping[str, Any]) -> int:
        """Return the length of ``side_vectors``."""
        return side_dim(extractor, options)

    def side_vectors(self, extractor: str, options: Mapping[str, Any]) -> Tensor:
        """Return what an extractor makes of the present batch's pixels; see ``TrainingRun``."""
        return side_vectors(extractor, options, self.batch, self.cache).to(self._pipeline.device)


def extend(pipeline: Pipeline, method: Method, seed: int) -> None:
    """Give a model what its method learns beside it, with weights drawn from the training seed.

    Raises:
        ConfigError: the method made something else than a module.
    """
    with torch_seeded(stream(seed, "train", "extension").seed()):
        made = method.build(Prediction(pipeline))
    if made is not None and not isinstance(made, nn.Module):  # anything else would be neither trained nor stored
        raise ConfigError(f"the method's build returned a {type(made).__name__}: return a torch module, or None.")
    pipeline.model.extension = made


class Training(Prediction):
    """The trainer's side of ``TrainingRun``: the model and the arm's pairs."""

    def __init__(self, pipeline: Pipeline, materials: Materials, arm: Arm, cache: ActivationCache, seed: int) -> None:
        """Take the model's input side, the images, the arm, the shared activations and the training seed."""
        super().__init__(pipeline, cache, materials.task)
        self.draws = generator(seed, "method", 0)
        self.seed = seed
        self._materials = materials
        self._arm = arm
        self._banks: dict[int, MaskBank] = {}

    def masked_inputs(self, masks: int) -> Tensor:
        """Return the batch's images under masks of a bank; see ``TrainingRun``."""
        if masks not in self._banks:
            materials = self._materials
            conditions = materials.pair_conditions(self._arm)
            self._banks[masks] = MaskBank(
                materials.train, materials.pair_renderer, conditions, masks, self._pipeline.device
            )
        return self.inputs(self._banks[masks].lay(self.batch.pixels(), self.draws))

    @cached_property
    def images(self) -> ImageSet:
        """What the arm trains on."""
        return self._materials.training_images(self._arm)

    def examples(self, part: Literal["train"] | HeldOut) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images as they are; see ``TrainingRun``."""
        pipeline, materials = self._pipeline, self._materials
        if part == "train":
            found = training_batches(pipeline, self.images, self.cache)
        elif part == "test":
            found = validation_batches(pipeline, materials.test, part, self.cache)
        elif not len(materials.validation):
            return
        else:
            images = materials.validation if part == "validation" else materials.occluded_validation
            found = validation_batches(pipeline, images, part, self.cache)
        for inputs, batch, labels in found:
            self.batch = batch
            yield inputs, labels

    @cached_property
    def _occluder(self) -> Occluder:
        materials = self._materials
        conditions = materials.pair_conditions(self._arm)
        return Occluder(self.images, materials.pair_renderer, conditions, self._pipeline.device)

    def overlays(self) -> Tensor:
        """Return the overlays of the pairs' conditions; see ``TrainingRun``."""
        renderer = self._materials.pair_renderer
        if own := [item.name for item in self._occluder.conditions if renderer.per_image(item)]:
            raise ConfigError(
                f"the method pastes the pairs' occlusions on any image, and {own[0]} depends on the image. Set "
                "pair_occlusions to families that images share (patterns)."
            )
        return self._overlays

    @cached_property
    def _overlays(self) -> Tensor:
        return self._occluder.overlays()

    def occluded_inputs(self, views: int = 0) -> Tensor:
        """Return the batch's images under occlusions; see ``TrainingRun``."""
        batch, occluder, pipeline = self.batch, self._occluder, self._pipeline
        conditions = occluder.draw(batch.rows, self.draws, views)

        def make() -> Tensor:
            return self.inputs(batch.move(occluder.render(batch.rows, conditions)))

        if batch.names is None or not pipeline.prefix_hash:
            return make()
        keys = [
            ("occluded", pipeline.prefix_hash, name, condition.name)
            for name, condition in zip(batch.names, conditions, strict=True)
        ]
        return self.cache.recall_rows(keys, make)

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
                made = self.cache.recall(key, partial(inputs, number))
            else:
                made = inputs(number)
            yield made[:1].float(), made[1:].float()
