"""What the parts of a cell cost in time, measured on a few real images with the real model, trainer and scorer."""

import copy
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import torch

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.images import ImageSet, load_images
from occbench.bench.images.materials import Materials, test_source_of
from occbench.bench.protocol.cell import Cell
from occbench.bench.protocol.rules import TrainRule
from occbench.bench.scoring.score import score
from occbench.bench.scoring.test_set import test_set
from occbench.bench.training.states import save_state
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, Training
from occbench.bench.training.untrained import untrained
from occbench.core.interfaces import Source
from occbench.core.types import Condition
from occbench.data.render import Renderer

__all__ = ["Costs", "measure"]

Item = TypeVar("Item")

#: Training steps that are timed, after one that is not.
_STEPS: Final = 3
#: Test conditions that are timed, after one that is not.
_CONDITIONS: Final = 3
_PAIRS: Final = 2
_HELD_OUT: Final = 4
_PAIR_CONDITIONS: Final = 6
#: Images in a forward pass while scoring, as ``run_cell`` has it.
_SCORED_TOGETHER: Final = 64
#: Checkpoints of an epoch in units of the model: the best weights, the last ones and their momentum.
_STATES: Final = 3


@dataclass(frozen=True)
class Costs:
    """Seconds that the parts of a cell take.

    Attributes:
        step_s: of training, an image.
        refresh_s: of the method's preparation of an epoch, an image of the pairs (clean or occluded).
        new_s: of a prediction, when nothing is known of the image.
        known_s: of a prediction when the frozen stages' activations are kept; ``new_s`` without frozen stages.
        decode_s: of an image, once in every process.
        save_s: of an epoch's checkpoints.
        block_s: of writing a condition's predictions.
        twins: occluded twins that the arm adds, for each training image.
        kept_bytes: of the activations of an image; 0 without frozen stages.
    """

    step_s: float
    refresh_s: float
    new_s: float
    known_s: float
    decode_s: float
    save_s: float
    block_s: float
    twins: float
    kept_bytes: int


def measure(cell: Cell, materials: Materials, source: Source, device: torch.device, pace_s: float) -> Costs:
    """Train a few steps and score a few batches of a cell on a sample of its images; nothing is kept.

    Args:
        cell: which one; published weights are not fetched for it, because they do not change how long it takes.
        materials: of the benchmark; its images need not have been decoded.
        source: of the training images.
        device: to measure on.
        pace_s: seconds that a step should take at most on a CPU, by a smaller batch where need be.

    Raises:
        ConfigError: a model, method or occlusion that cannot work on these images.
    """
    benchmark = cell.benchmark.model_copy(
        update={"pretrained": cell.weights is not None, "pretrained_head": False, "warm_up": None}
    )
    cell = replace(cell, benchmark=benchmark)
    pipeline = untrained(cell, materials, device)
    batch = _affordable(pipeline, benchmark.prepare.size_px, pace_s, benchmark.train)
    started = time.perf_counter()
    sample = _sample(materials, source, cell, (_STEPS + 1) * batch)
    sample.decode()
    images = len(sample.train) + len(sample.validation) + len(sample.pairs) + len(sample.test)
    decode_s = (time.perf_counter() - started) / images
    cache = ActivationCache()
    _fit(cell, pipeline, sample, cache)
    with TemporaryDirectory(prefix="occbench-dry-run-") as folder:
        new_s, known_s, block_s = _prediction_s(cell, pipeline, sample, cache, Path(folder))
        refresh_s = _refresh_s(cell, pipeline, sample, cache)
        rule = benchmark.train.model_copy(
            update={"batch_size": min(batch, max(1, len(sample.train) // (_STEPS + 1))), "epochs": _STEPS + 1}
        )
        step_s = _step_s(cell, pipeline, sample, rule, cache)
        started = time.perf_counter()
        save_state(Path(folder) / "model.safetensors", pipeline.model)
        save_s = _STATES * (time.perf_counter() - started)
    with torch.no_grad():
        made = pipeline.inputs(sample.train.images[:1]) if pipeline.prefix_hash else torch.empty(0)
    return Costs(
        step_s=step_s,
        refresh_s=refresh_s,
        new_s=new_s,
        known_s=known_s,
        decode_s=decode_s,
        save_s=save_s,
        block_s=block_s,
        twins=_twins(cell, sample),
        kept_bytes=made.numel() * made.element_size(),
    )


class _Clock:
    """Times of events, seconds; what a GPU has in its queue is waited for first."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.times: list[float] = []

    def tick(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())


class _Enough(Exception):  # noqa: N818 - not an error: ends a training that has been timed
    """Enough steps have been timed."""


def _affordable(pipeline: Pipeline, size_px: int, pace_s: float, rule: TrainRule) -> int:
    """Return a batch whose training step takes ``pace_s`` at most: the rule's own, or a smaller one on a CPU."""
    if pipeline.device.type == "cuda":
        return rule.batch_size
    two = torch.zeros(2, 3, size_px, size_px, dtype=torch.uint8)
    pipeline.model.eval()
    with torch.no_grad():
        pipeline.vectors(pipeline.inputs(two).float())
        started = time.perf_counter()
        pipeline.vectors(pipeline.inputs(two).float())
    forward_s = (time.perf_counter() - started) / len(two)
    return max(4, min(rule.batch_size, int(pace_s / (3 * forward_s))))  # backwards takes about twice as long


def _sample(materials: Materials, source: Source, cell: Cell, count: int) -> Materials:
    """Return materials of few images and conditions."""
    split, rule = materials.split, materials.benchmark.prepare
    train = _spread(split.train, count)

    def some(indices: Sequence[int], most: int, of: Source = source) -> ImageSet:
        return load_images(of, _spread(indices, most), rule, split.label_of)

    return replace(
        materials,
        train=some(train, count),
        validation=some(split.validation, _HELD_OUT),  # methods choose by them; a timed training stops before it does
        pairs=some(split.pairs, _PAIRS),
        test=some(
            split.test, min(_SCORED_TOGETHER, count // (_STEPS + 1) * 2), test_source_of(materials.benchmark, source)
        ),
        pair_renderer=_fewer(materials.pair_renderer, materials.pair_conditions(cell.arm)),
        _twin_sets={},
    )


def _fewer(renderer: Renderer, conditions: Sequence[Condition]) -> Renderer:
    first_of_group = {condition.group: condition for condition in reversed(conditions)}
    chosen = dict.fromkeys([*first_of_group.values(), *_spread(conditions, _PAIR_CONDITIONS)])
    fewer = copy.copy(renderer)
    fewer.conditions = tuple(chosen)
    return fewer


def _spread(items: Sequence[Item], most: int) -> tuple[Item, ...]:
    return tuple(items[number * len(items) // most] for number in range(most)) if most < len(items) else tuple(items)


def _prediction_s(
    cell: Cell, pipeline: Pipeline, sample: Materials, cache: ActivationCache, folder: Path
) -> tuple[float, float, float]:
    """Return seconds of a new prediction, of one whose activations are kept, and of writing a block."""
    test = test_set(sample)
    test = replace(test, conditions=_spread(test.conditions, 1 + _CONDITIONS))
    predict = partial(Prediction(pipeline, cache, sample.task).ask, cell.arm.build())

    def times(name: str) -> list[float]:
        clock = _Clock(pipeline.device)
        score(
            predict, pipeline, test, folder / name, cache=cache, batch_size=len(test.images),
            on_images=lambda _: clock.tick(), on_block=lambda _: clock.tick(),
        )  # fmt: skip
        return clock.times

    new, known = times("new"), times("known")
    # ticks: images, block, images, block, ...; the first condition warms up
    new_s, known_s = (
        median(end - start for start, end in _pairs(found[1:])) / len(test.images) for found in (new, known)
    )
    return new_s, min(new_s, known_s), median(end - start for start, end in _pairs(new))


def _pairs(times: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(times[::2], times[1::2], strict=False))


@torch.no_grad()
def _fit(cell: Cell, pipeline: Pipeline, sample: Materials, cache: ActivationCache) -> None:
    """Let the method fill its module, without which it can predict nothing."""
    run, method = Training(pipeline, sample, cell.arm, cache, cell.seed), cell.arm.build()
    pipeline.model.eval()
    method.on_training_start(run)
    method.on_training_end(run)


@torch.no_grad()
def _refresh_s(cell: Cell, pipeline: Pipeline, sample: Materials, cache: ActivationCache) -> float:
    run, method = Training(pipeline, sample, cell.arm, cache, cell.seed), cell.arm.build()
    pipeline.model.eval()
    method.on_epoch_start(run)
    run.memory.clear()
    clock = _Clock(pipeline.device)
    clock.tick()
    method.on_epoch_start(run)
    clock.tick()
    shown = len(sample.pairs) * (1 + len(sample.pair_conditions(cell.arm)))
    return (clock.times[1] - clock.times[0]) / max(1, shown)


def _step_s(cell: Cell, pipeline: Pipeline, sample: Materials, rule: TrainRule, cache: ActivationCache) -> float:
    """Return seconds of a training step, an image, by the trainer's own loop; 0 where there are no steps."""
    if not cell.arm.build().has_epochs:
        return 0.0
    clock = _Clock(pipeline.device)

    def on_step(_: float) -> None:
        clock.tick()
        if len(clock.times) > _STEPS:
            raise _Enough

    with TemporaryDirectory(prefix="occbench-dry-run-") as folder, suppress(_Enough):
        train(
            pipeline, cell.arm.build(), cell.arm, sample, cache=cache, seed=cell.seed, folder=Path(folder),
            rule=rule.model_copy(update={"cached_views": min(1, rule.cached_views)}), on_step=on_step,
        )  # fmt: skip
    return median(end - start for start, end in pairwise(clock.times)) / rule.batch_size


def _twins(cell: Cell, sample: Materials) -> float:
    """Return how many occluded twins a training image has; those of the pairs are not counted."""
    plain = cell.arm.model_copy(update={"add_occluded": False})
    return len(sample.training_images(plain)) / len(sample.train) - 1
