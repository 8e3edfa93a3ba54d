"""Scoring: every test image under every condition, rendered and classified on the device, one block per condition."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from occbench.bench.batches.augment import Geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.images import batches
from occbench.bench.scoring.blocks import blocks_of
from occbench.bench.scoring.predictions import block_file
from occbench.bench.scoring.test_set import TestSet
from occbench.core.seeding import stream
from occbench.core.types import Condition

__all__ = ["Predict", "count_flips", "image_name", "missing_conditions", "score"]

#: (inputs of the trainable stages, the images behind them) -> logits float[B, C].
Predict = Callable[[Tensor, ImageBatch], Tensor]
#: Test images: a slice of them, or row numbers int64[B].
Rows = slice | Tensor

#: Images of one condition in a batch of ``count_flips``.
_PROBE_BATCH = 50


@torch.inference_mode()
def score(  # noqa: PLR0913 - one call per cell; every argument is one of its parts
    predict: Predict,
    pipeline: Pipeline,
    test: TestSet,
    folder: Path,
    *,
    cache: ActivationCache,
    batch_size: int = 64,
    mixed: bool = False,
    on_start: Callable[[], None] = lambda: None,
    on_block: Callable[[Condition], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> int:
    """Score every condition that has no block yet.

    Args:
        predict: inputs as ``Pipeline.inputs`` makes them, and the images behind them -> logits float[B, C].
        pipeline: the model's input side.
        test: what is scored.
        folder: for the blocks.
        cache: activations of frozen stages, shared between models that have the same ones.
        batch_size: images in a forward pass; the last batch of a condition is filled up to keep shapes static.
        mixed: images come in a mixed order, the same in every column, instead of the test set's (class by class): for
            methods that adapt to the images beside. Blocks are in the test set's order all the same.
        on_start: called before every condition.
        on_block: called after every condition.
        on_images: told after every batch how many images it classified.

    Returns:
        The number of images that were classified now.
    """
    pipeline.model.eval()
    blocks = blocks_of(test.images.task)
    labels = test.images.labels
    device_labels = labels.to(pipeline.device)
    order = torch.from_numpy(stream(0, "score", "mixed").permutation(len(labels))) if mixed else None
    classified = 0
    for condition in missing_conditions(test.conditions, folder):
        found = []
        on_start()
        for part in batches(len(test.images), batch_size):
            rows = part if order is None else order[part]
            inputs = _inputs(pipeline, test, condition, rows, batch_size, cache)
            with pipeline.autocast():
                logits = predict(inputs, _batch(pipeline, test, condition, rows, batch_size))[: part.stop - part.start]
            found.append(blocks.answers(logits, device_labels[rows]))
            on_images(len(logits))
        columns = [torch.cat(column) for column in zip(*found, strict=True)]
        if order is not None:
            columns = [column[order.argsort().to(column.device)] for column in columns]
        blocks.write(block_file(folder, condition), condition, test.images, columns)
        classified += len(labels)
        on_block(condition)
    return classified


@torch.inference_mode()
def count_flips(predict: Predict, pipeline: Pipeline, exact: Pipeline, test: TestSet, count: int) -> tuple[int, int]:
    """Compare answers of a reduced precision with fp32, on images spread over the conditions.

    Args:
        predict: as ``score``.
        pipeline: in the precision that was scored with.
        exact: the same model in fp32.
        test: what was scored.
        count: predictions to compare, about.

    Returns:
        (predictions compared, answers that differ); of several labels an answer is all classes of an image.
    """
    batch_size = _PROBE_BATCH
    batches_wanted = max(1, count // min(batch_size, len(test.images)))
    step = max(1, len(test.conditions) // batches_wanted)
    task = test.images.task
    compared = flips = 0
    for number, condition in enumerate(test.conditions[::step][:batches_wanted]):
        start = (number * batch_size) % max(1, len(test.images) - batch_size + 1)
        rows = slice(start, min(start + batch_size, len(test.images)))
        pixels = test.on(pipeline.device).render(rows, condition)
        batch = _batch(pipeline, test, condition, rows, len(pixels))
        found = []
        for one in (pipeline, exact):
            with one.autocast():
                found.append(task.decisions(predict(one.inputs(pixels), batch)))
        compared += len(pixels)
        flips += int((found[0] != found[1]).view(len(pixels), -1).any(1).sum())
    return compared, flips


def image_name(key: str, condition: Condition) -> str:
    """Return the name of a test image under a condition, as ``core.training.Batch`` has it."""
    return f"{key}~test-{condition.name}"


def missing_conditions(conditions: Sequence[Condition], folder: Path) -> list[Condition]:
    """Return the conditions without a block; a block is written whole, so its presence is enough."""
    return [condition for condition in conditions if not block_file(folder, condition).is_file()]


def _filled(pipeline: Pipeline, test: TestSet, condition: Condition, rows: Rows, batch_size: int) -> Tensor:
    """Return uint8[B, 3, S, S]: the images of ``rows``, a last batch filled up by its last image."""
    pixels = test.on(pipeline.device).render(rows, condition)
    if (short := _missing_rows(test, rows, batch_size)) > 0:
        pixels = torch.cat([pixels, pixels[-1:].expand(short, -1, -1, -1)])
    return pixels


def _numbers(rows: Rows) -> list[int]:
    return list(range(rows.start, rows.stop)) if isinstance(rows, slice) else rows.tolist()


def _missing_rows(test: TestSet, rows: Rows, batch_size: int) -> int:
    return batch_size - len(_numbers(rows)) if len(test.images) > batch_size else 0


def _batch(pipeline: Pipeline, test: TestSet, condition: Condition, rows: Rows, batch_size: int) -> ImageBatch:
    order = _numbers(rows)
    order += [order[-1]] * _missing_rows(test, rows, batch_size)
    return ImageBatch(
        lambda: _filled(pipeline, test, condition, rows, batch_size).float(),
        lambda: silhouettes(test.images, order, Geometry(), pipeline.device),
        [image_name(test.images.keys[row], condition) for row in order],
    )


def _inputs(
    pipeline: Pipeline, test: TestSet, condition: Condition, rows: Rows, batch_size: int, cache: ActivationCache
) -> Tensor:
    def make() -> Tensor:
        return pipeline.inputs(_filled(pipeline, test, condition, rows, batch_size))

    if not pipeline.prefix_hash:
        return make()
    first = str(rows.start) if isinstance(rows, slice) else f"mixed {rows[0]}"
    key = ("test", test.fingerprint, pipeline.prefix_hash, condition.name, first, str(batch_size))
    return cache.recall(key, make)
