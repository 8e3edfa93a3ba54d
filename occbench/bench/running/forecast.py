"""How long a benchmark will take, before it is run: costs are measured on a sample, and the queue is played through."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch

from occbench.bench.images.materials import Materials
from occbench.bench.protocol.cell import Cell
from occbench.bench.running.costs import Costs, measure
from occbench.bench.running.jobs import Request, first_jobs, take_device
from occbench.bench.running.left import Left, left_of
from occbench.core.canonical import canonical_json

__all__ = ["Forecast", "Kind", "forecast"]

#: Seconds that all measurements together should take on a CPU, about.
_SAMPLE_S: Final = 24.0
#: Steps and batches that a kind of cell is timed on, in units of a step.
_STEPS_A_KIND: Final = 12


@dataclass(frozen=True)
class Kind:
    """Cells that take equally long.

    Attributes:
        label: what sets it apart, for people.
        cells: how many are not finished.
        epoch_s: seconds of an epoch.
        prediction_s: seconds of a prediction.
    """

    label: str
    cells: int
    epoch_s: float
    prediction_s: float


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        cells: of the benchmark.
        finished: of them.
        predictions: left to make; at most, where a precision is asked.
        train_s: seconds of training, all jobs added up.
        score_s: seconds of scoring, all jobs added up.
        wall_s: seconds until the last job ends.
        kinds: what was measured.
        sampled_s: seconds that measuring took.
    """

    cells: int
    finished: int
    predictions: int
    train_s: float
    score_s: float
    wall_s: float
    kinds: tuple[Kind, ...]
    sampled_s: float


@dataclass
class _Worker:
    """A process that takes one job after another.

    Attributes:
        time_s: when it is free.
        budget_bytes: memory left for activations.
        kept: name of frozen stages -> share of the test set's activations that are kept.
    """

    time_s: float
    budget_bytes: float
    kept: dict[str, float] = field(default_factory=dict)


def forecast(request: Request, materials: Materials, todo: Sequence[Cell]) -> Forecast:
    """Measure what is not finished, and project.

    Args:
        request: of the command.
        materials: images of its benchmark.
        todo: the cells, finished ones among them.

    Raises:
        ConfigError: a model, method or occlusion that cannot work on these images.
    """
    started = time.perf_counter()
    runs = request.runs
    left = {cell.fingerprint: left_of(cell, materials, runs) for cell in todo}
    waiting = [cell for cell in todo if left[cell.fingerprint]]
    starts = first_jobs([cell for cell in waiting if left[cell.fingerprint].epochs], runs)
    left |= {cell.fingerprint: left_of(cell, materials, runs, scored=False) for cell in starts}
    costs = _measured(request, materials, [*starts, *waiting])
    queue = _Queue(request, materials, costs, left)
    queue.play(starts)
    queue.wait()
    queue.play(waiting)
    return Forecast(
        cells=len(todo),
        finished=len(todo) - len(waiting),
        predictions=sum(left[cell.fingerprint].predictions for cell in waiting),
        train_s=queue.train_s,
        score_s=queue.score_s,
        wall_s=queue.wall_s if waiting else 0.0,
        kinds=tuple(queue.kinds([*starts, *waiting])),
        sampled_s=time.perf_counter() - started,
    )


def _measured(request: Request, materials: Materials, cells: Sequence[Cell]) -> dict[str, Costs]:
    """Measure one cell of each kind, with the CPU threads that a job will have."""
    first = {_kind(cell): cell for cell in reversed(cells)}
    source = request.benchmark.source_at(request.source)
    pace_s = min(1.0, _SAMPLE_S / (_STEPS_A_KIND * max(1, len(first))))
    threads = torch.get_num_threads()
    torch.set_num_threads(request.threads or threads)
    try:
        return {kind: measure(cell, materials, source, take_device(), pace_s) for kind, cell in first.items()}
    finally:
        torch.set_num_threads(threads)


def _kind(cell: Cell) -> str:
    """Return a name that cells share which take equally long."""
    arm = cell.arm.model_dump(mode="json", include={"method", "twins", "head"})
    return canonical_json([cell.backbone, str(cell.weights), arm, cell.benchmark.train.model_dump(mode="json")])


class _Queue:
    """The jobs of a run, handed out as the executor does: whoever is free takes the next."""

    def __init__(
        self, request: Request, materials: Materials, costs: Mapping[str, Costs], left: Mapping[str, Left]
    ) -> None:
        images = sum(map(len, (materials.train, materials.validation, materials.pairs, materials.test)))
        opened_s = images * max((cost.decode_s for cost in costs.values()), default=0.0)
        self._workers = [_Worker(opened_s, request.cache_bytes) for _ in range(_processes(request))]
        self._materials = materials
        self._costs = costs
        self._left = left
        self.train_s = 0.0
        self.score_s = 0.0

    @property
    def wall_s(self) -> float:
        """When the last worker is done."""
        return max(worker.time_s for worker in self._workers)

    def play(self, cells: Sequence[Cell]) -> None:
        """Hand out jobs."""
        for cell in cells:
            worker = min(self._workers, key=lambda one: one.time_s)
            train_s, score_s = self._train_s(cell, worker), self._score_s(cell, worker)
            worker.time_s += train_s + score_s
            self.train_s += train_s
            self.score_s += score_s

    def wait(self) -> None:
        """Let every worker wait for the last one."""
        end_s = self.wall_s
        for worker in self._workers:
            worker.time_s = end_s

    def kinds(self, cells: Sequence[Cell]) -> list[Kind]:
        """Return what cells cost, kind by kind."""
        found: dict[str, list[Cell]] = {}
        for cell in cells:
            found.setdefault(_kind(cell), []).append(cell)
        return [
            Kind(
                f"{members[0].backbone}, {members[0].arm.method.name}", len(members),
                max(self._epoch_s(cell) for cell in members), self._costs[kind].known_s,
            )
            for kind, members in found.items()
        ]  # fmt: skip

    def _epoch_s(self, cell: Cell) -> float:
        materials, cost = self._materials, self._costs[_kind(cell)]
        pairs = len(materials.pairs) * (1 + len(materials.pair_conditions(cell.arm)))
        return (
            self._shown(cell) * cost.step_s
            + pairs * cost.refresh_s
            + 2 * len(materials.validation) * cost.known_s
            + cost.save_s
        )

    def _shown(self, cell: Cell) -> float:
        """Return how many images an epoch trains on."""
        materials, rule = self._materials, cell.benchmark.train
        count = len(materials.train) * (1 + self._costs[_kind(cell)].twins)
        if cell.arm.add_occluded:
            count += len(materials.pairs) * len(materials.pair_conditions(cell.arm))
        return max(1.0, count // rule.batch_size) * min(rule.batch_size, count)

    def _train_s(self, cell: Cell, worker: _Worker) -> float:
        epochs, cost = self._left[cell.fingerprint].epochs, self._costs[_kind(cell)]
        if not epochs:
            return 0.0
        return epochs * self._epoch_s(cell) + self._views_s(cell, cost, worker)

    def _views_s(self, cell: Cell, cost: Costs, worker: _Worker) -> float:
        """Return seconds of computing the frozen stages' activations of what is trained and validated with."""
        materials, rule = self._materials, cell.benchmark.train
        if not cost.kept_bytes:
            return 0.0
        own = rule.cached_views * max(0.0, self._shown(cell) - len(materials.train))
        shared = rule.cached_views * len(materials.train) + 2 * len(materials.validation)
        shared += len(materials.pairs) * (1 + len(materials.pair_conditions(cell.arm)))
        known = _stages(cell) in worker.kept
        worker.budget_bytes -= 0 if known else shared * cost.kept_bytes
        return (own + (0 if known else shared)) * (cost.new_s - cost.known_s)

    def _score_s(self, cell: Cell, worker: _Worker) -> float:
        predictions, cost = self._left[cell.fingerprint].predictions, self._costs[_kind(cell)]
        if not predictions:
            return 0.0
        name, size_bytes = _stages(cell), predictions * max(1, cost.kept_bytes)
        kept = worker.kept.get(name, 0.0)
        if name not in worker.kept:
            worker.kept[name] = min(1.0, max(0.0, worker.budget_bytes / size_bytes)) if cost.kept_bytes else 0.0
            worker.budget_bytes -= worker.kept[name] * size_bytes
        blocks = predictions / max(1, len(self._materials.test))
        return predictions * (kept * cost.known_s + (1 - kept) * cost.new_s) + blocks * cost.block_s


def _processes(request: Request) -> int:
    """Return how many jobs really run side by side: two on one GPU share it."""
    if torch.cuda.is_available():
        return min(request.jobs, torch.cuda.device_count())
    return min(request.jobs, os.cpu_count() or 1)


def _stages(cell: Cell) -> str:
    """Return a name of a cell's frozen stages: cells that share it share activations."""
    benchmark = cell.benchmark
    own_start = benchmark.warm_up is not None or (cell.weights is None and not benchmark.pretrained)
    rule = benchmark.train
    return canonical_json(
        [cell.backbone, str(cell.weights), rule.trainable, rule.precision, cell.seed if own_start else 0]
    )
