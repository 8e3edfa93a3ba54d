"""Images as they are, batch by batch: what validation looks at, and what a method fits to in one go."""

from collections.abc import Iterator
from functools import partial
from typing import Final, Literal

import torch
from torch import Tensor

from occbench.bench.batches.augment import Geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.images import ImageSet, batches

__all__ = ["HELD_OUT", "HeldOut", "training_batches", "validation_batches"]

#: ``test`` only where a paper chose its epoch by the test images and is followed in that.
HeldOut = Literal["validation", "occluded_validation", "test"]
#: Parts of what is held out of the training images, in the order in which they are validated.
HELD_OUT: Final[tuple[HeldOut, HeldOut]] = ("validation", "occluded_validation")

_BATCH: Final = 64
#: What the parts are called in names of images and activations.
_CALLED: Final = {"validation": "clean", "occluded_validation": "occluded", "test": "test"}


def validation_batches(
    pipeline: Pipeline, images: ImageSet, part: HeldOut, cache: ActivationCache
) -> Iterator[tuple[Tensor, ImageBatch, Tensor]]:
    """Yield (inputs, the images behind them, labels) of images that are held out.

    Args:
        pipeline: the model's input side.
        images: the part.
        part: its name.
        cache: activations of frozen stages.
    """
    name = _CALLED[part]
    for rows in batches(len(images), _BATCH):
        key = ("validation", name, pipeline.prefix_hash, str(rows.start))
        make = partial(pipeline.inputs, images.images[rows])
        inputs = cache.recall(key, make) if pipeline.prefix_hash else make()
        names = [f"{key}~validation-{name}" for key in images.keys[rows]]
        yield inputs, _batch(pipeline, images, rows, names), images.labels[rows].to(pipeline.device)


def training_batches(
    pipeline: Pipeline, images: ImageSet, cache: ActivationCache
) -> Iterator[tuple[Tensor, ImageBatch, Tensor]]:
    """Yield (inputs, the images behind them, labels) of training images, not augmented, in order."""
    for rows in batches(len(images), _BATCH):
        names = list(images.keys[rows])
        make = partial(pipeline.inputs, images.images[rows])
        # not shared with the steps of training: kernels chosen by batch size round differently, and a resumed training
        # that does not come by here must end in the same weights
        inputs = cache.recall(("fitting", pipeline.prefix_hash, *names), make) if pipeline.prefix_hash else make()
        yield inputs, _batch(pipeline, images, rows, names), images.labels[rows].to(pipeline.device)


def _batch(pipeline: Pipeline, images: ImageSet, rows: slice, names: list[str]) -> ImageBatch:
    geometry, device = Geometry(), pipeline.device

    def pixels() -> Tensor:
        return images.images[rows].to(device, torch.float32)

    return ImageBatch(
        pixels,
        lambda: silhouettes(images, range(rows.start, rows.stop), geometry, device),
        names,
        range(rows.start, rows.stop),
    )
