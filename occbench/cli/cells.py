"""Training and scoring the cells of a benchmark: what is missing of them, on this machine or on others."""

import io
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from occbench.cli.engine import Engine
from occbench.cli.run_options import RunOptions

if TYPE_CHECKING:
    from occbench.bench.images.materials import Materials
    from occbench.bench.protocol.benchmark import Benchmark
    from occbench.bench.protocol.cell import Cell
    from occbench.bench.running.jobs import Request
    from occbench.core.interfaces import Executor

__all__ = ["FinishedCells", "run_arms"]


@dataclass(frozen=True)
class FinishedCells:
    """What was trained and scored.

    Attributes:
        materials: images of the benchmark.
        cells: of the arms.
        weights: backbone -> the checkpoint that it started from.
    """

    materials: "Materials"
    cells: "list[Cell]"
    weights: dict[str, Path]


def run_arms(
    benchmark: "Benchmark", arms: Sequence[str], options: RunOptions, where: Engine, half_width: float | None = None
) -> FinishedCells | None:
    """Run what is missing of some arms; with ``--dry-run`` only say what that is.

    Args:
        benchmark: that the arms are of.
        arms: their names.
        options: of the command.
        where: it runs.
        half_width: of the occluded average at 95 %, in percentage points, that scoring stops at; None scores all.

    Returns:
        The finished cells; None after a dry run, and in every process of ``accelerate launch`` but the first.

    Raises:
        ConfigError: an option that makes no sense here.
        OccbenchError: as ``running.run.run_cell``; what is finished is kept.
    """
    from occbench.bench.batches.ranks import leave_ranks
    from occbench.bench.running.forecast import forecast
    from occbench.bench.running.jobs import Request
    from occbench.cli.progress import decoding_lines
    from occbench.cli.terminal import show_forecast, show_plan

    here = 1 if options.jobs is None else options.jobs
    rank = _join_other_processes(options.jobs or 1, where)
    weights = options.checkpoints(benchmark)
    request = Request(
        benchmark,
        options.source,
        options.test_images,
        options.runs,
        None if half_width is None else half_width / 100,
        here,
        options.threads_beside(1 if where.is_cluster else here),
        options.track,
        options.cache or options.runs / "decoded",
    )
    executor = None
    if where.is_cluster and not options.dry_run:
        request, executor = _on_cluster(request, where, options.jobs or 0)
    materials = request.open(decoding_lines())
    todo = _cells_of(arms, materials, weights)
    show_plan(materials, todo, options.runs)
    if options.dry_run:
        show_forecast(forecast(request, materials, todo), request)
        return None
    _run(request, materials, todo, executor)
    leave_ranks()
    return None if rank else FinishedCells(materials, todo, weights)


def _join_other_processes(jobs: int, where: Engine) -> int:
    """Join the processes that `accelerate launch` started, if it did, and return which one this is; the first prints.

    Raises:
        ConfigError: several jobs, or a cluster, are asked for, too.
    """
    from occbench.bench.batches.ranks import join_ranks
    from occbench.core.errors import ConfigError

    rank, size = join_ranks()
    if size > 1 and jobs > 1:
        raise ConfigError(
            f"--jobs {jobs} runs cells side by side, `accelerate launch` one cell on {size} processes: use one of them."
        )
    if size > 1 and where.is_cluster:
        raise ConfigError(
            f"--engine {where.engine} gives each cell a machine's GPU, `accelerate launch` one cell {size} processes: "
            "use one of them."
        )
    if rank:
        sys.stdout = io.StringIO()
    return rank


def _on_cluster(request: "Request", where: Engine, jobs: int) -> "tuple[Request, Executor]":
    """Return a request whose cells run on the machines of a cluster, and where they do.

    Without ``--threads`` a cell has as many as it would have here, so that it ends in the same bytes; with a GPU, the
    share of its machine's processors that goes with it.

    Args:
        request: of the command.
        where: the cluster.
        jobs: at most so many cells at the same time; 0 as many as fit.

    Raises:
        ConfigError: there is no cluster.
    """
    import torch

    threads = request.threads or where.for_cells(jobs, 1).cpus_per_gpu() or torch.get_num_threads()
    executor = where.for_cells(jobs, threads)
    beside = max(executor.places(), default=1)  # cells that share one machine's memory
    beside = min(beside, jobs or beside)
    return replace(request, jobs=beside, threads=threads, elsewhere=True), executor


def _cells_of(arms: Sequence[str], materials: "Materials", weights: dict[str, Path]) -> "list[Cell]":
    """Return the cells of some arms.

    Raises:
        ConfigError: an arm's pairs are of a condition group that there is not, or its method is for other labels.
    """
    from occbench.bench.protocol.cell import cells
    from occbench.bench.training.untrained import check_task

    benchmark = materials.benchmark
    for name in arms:
        arm = benchmark.arms[name]
        check_task(arm.build(), arm.method.name, materials.task)
        materials.pair_conditions(benchmark.arms[name])
    return [cell for cell in cells(benchmark, weights, materials.fingerprint) if cell.arm_name in arms]


def _run(request: "Request", materials: "Materials", todo: "list[Cell]", executor: "Executor | None") -> None:
    """Run what is missing, with progress, and print the result of every cell.

    Args:
        request: of the command.
        materials: images of its benchmark.
        todo: its cells.
        executor: a cluster's; None runs here.
    """
    from occbench.bench.batches.ranks import own_runs, rank_and_size

    starts = [cell.warm_up for cell in todo if cell.warm_up is not None]
    rank, _ = rank_and_size()
    with own_runs(request.runs, {cell.fingerprint for cell in (*todo, *starts)}) as runs:
        _run_missing(replace(request, runs=runs, track="" if rank else request.track), materials, todo, executor)


def _run_missing(request: "Request", materials: "Materials", todo: "list[Cell]", executor: "Executor | None") -> None:
    """Run what is missing in a folder of runs that is this process's own; see ``_run``."""
    from rich.console import Console

    from occbench.bench.batches.pipeline import ActivationCache
    from occbench.bench.batches.ranks import rank_and_size
    from occbench.bench.running.jobs import Workplace, first_jobs, run_cells
    from occbench.bench.running.left import left_of, sum_of
    from occbench.bench.running.tracking import find_tracker
    from occbench.cli.run_progress import run_progress
    from occbench.cli.terminal import show_cell
    from occbench.engine.local import LocalExecutor

    if request.track:  # a module that is not there is found now, not when the first cell starts
        find_tracker(request.track)
    left = [left_of(cell, materials, request.runs) for cell in todo]
    unfinished = [cell for cell, part in zip(todo, left, strict=True) if part]
    left += [left_of(cell, materials, request.runs, scored=False) for cell in first_jobs(unfinished, request.runs)]
    if unfinished and not request.apart:
        materials.decode()
    here = Workplace(materials, ActivationCache(request.cache_bytes))
    executor = executor or LocalExecutor(request.jobs if request.jobs > 1 else 0)
    total = sum_of(left)
    with (
        run_progress(total.epochs, total.predictions, Console(stderr=True, quiet=rank_and_size()[0] > 0)) as listener,
        closing(run_cells(request, todo, executor, listener, here)) as results,
    ):
        for cell, records in results:
            show_cell(cell, records, request.runs)
