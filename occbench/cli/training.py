"""`occbench run-benchmark`: train and score every cell of a benchmark; `occbench validate`: try a method."""

import io
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from occbench.cli.datasets import SetOption, SourceOption
from occbench.cli.engine import AddressOption, Engine, EngineOption

if TYPE_CHECKING:
    from occbench.bench.images.materials import Materials
    from occbench.bench.protocol.benchmark import Benchmark
    from occbench.bench.protocol.cell import Cell
    from occbench.bench.running.jobs import Request
    from occbench.core.interfaces import Executor


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command(name="run-benchmark")(run_benchmark)
    app.command(name="validate")(validate)


def run_benchmark(
    benchmark: Annotated[str, typer.Argument(help="A packaged benchmark's name or a YAML file.")],
    runs: Annotated[
        Path, typer.Option("--runs", help="Folder of all runs; finished cells in it are not run again.")
    ] = Path("runs"),
    source: SourceOption = "",
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", help="NAME=FILE: start backbone NAME from a checkpoint (safetensors or .pth)."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Training seeds, e.g. 0,1; default as in the benchmark.")] = "",
    arms: Annotated[str, typer.Option(help="Only these arms, e.g. C,C-Full.")] = "",
    test_images: Annotated[int | None, typer.Option(help="At most so many test images, evenly spread.")] = None,
    set_: SetOption = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="Score only as many test cells as the occluded average needs for this half-width at 95 %, in "
            "percentage points, e.g. 0.25; a later run without this option scores the others."
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Cells that run at the same time, each on a GPU of its own or a share of the CPU. Default 1; on a "
            "cluster as many as fit."
        ),
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = "auto",
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads of each job; default an equal share. Predictions are bit-equal for any number of jobs "
            "with the same number of threads."
        ),
    ] = None,
    track: Annotated[
        str, typer.Option(help="Log every epoch and the results to this module: trackio, wandb or one like them.")
    ] = "",
    decoded: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder for decoded images that do not fit into memory; default RUNS/decoded."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure a few steps and say what would be run and how long it takes.")
    ] = False,
) -> None:
    """Train and score every arm, backbone and seed. A repeated command does only what is missing.

    Each cell lives in RUNS/<fingerprint>; a changed setting is a new cell, never an overwritten one.
    """
    from occbench.bench.batches.ranks import leave_ranks
    from occbench.bench.protocol.benchmark import load_benchmark
    from occbench.bench.running.forecast import forecast
    from occbench.bench.running.jobs import Request
    from occbench.cli.progress import decoding_lines
    from occbench.cli.terminal import show_forecast, show_plan

    where = Engine(engine, address)
    join_other_processes(jobs or 1, where)
    loaded = load_benchmark(benchmark, (*(set_ or []), *([f"seeds=[{seeds}]"] if seeds else [])))
    chosen = checkpoints(weights or [], loaded.backbones)
    wanted = wanted_arms(arms, loaded)
    here = 1 if jobs is None else jobs
    request = Request(
        loaded, source, test_images, runs, None if precision is None else precision / 100, here,
        threads_of(1 if where.is_cluster else here, threads), track, decoded or runs / "decoded",
    )  # fmt: skip
    executor = None
    if where.is_cluster and not dry_run:
        request, executor = on_cluster(request, where, jobs or 0)
    materials = request.open(decoding_lines())
    todo = wanted_cells(materials, chosen, wanted)
    show_plan(materials, todo, runs)
    if dry_run:
        show_forecast(forecast(request, materials, todo), request)
        return
    try:
        run_all(request, materials, todo, executor)
    except KeyboardInterrupt:
        typer.secho("Stopped. What is finished is kept: the same command goes on.", err=True, fg="yellow")
        raise typer.Exit(130) from None
    leave_ranks()
    typer.echo(f"Next: occbench report {runs} --out report")


def on_cluster(request: "Request", where: Engine, jobs: int) -> "tuple[Request, Executor]":
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


def join_other_processes(jobs: int, where: Engine) -> None:
    """Join the processes that `accelerate launch` started, if it did; only the first of them prints.

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
            f"--engine {where.name} gives each cell a machine's GPU, `accelerate launch` one cell {size} processes: "
            "use one of them."
        )
    if rank:
        sys.stdout = io.StringIO()


def run_all(request: "Request", materials: "Materials", todo: "list[Cell]", executor: "Executor | None" = None) -> None:
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
        run_missing(replace(request, runs=runs, track="" if rank else request.track), materials, todo, executor)


def run_missing(request: "Request", materials: "Materials", todo: "list[Cell]", executor: "Executor | None") -> None:
    """Run what is missing in a folder of runs that is this process's own; see ``run_all``."""
    from rich.console import Console

    from occbench.bench.batches.pipeline import ActivationCache
    from occbench.bench.batches.ranks import rank_and_size
    from occbench.bench.running.jobs import Workplace, first_jobs, run_cells
    from occbench.bench.running.left import left_of, sum_of
    from occbench.bench.running.tracking import find_tracker
    from occbench.cli.progress import run_progress
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


def validate(
    method: Annotated[str, typer.Argument(help="FILE.py:Name of your method, or the name of an installed one.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the method, e.g. --set strength=1.0. Repeatable.")
    ] = None,
) -> None:
    """Try a method on drawn images with a tiny network, in seconds: does it do what the trainer expects?

    Exit code 1 where a check failed.
    """
    from occbench.bench.training.validate import validate_method
    from occbench.data.config import apply_overrides

    options: dict[str, Any] = {}
    apply_overrides(options, set_ or [])
    checks = []
    for check in validate_method(method, options):
        checks.append(check)
        if check.problem:
            typer.secho(f"failed  {check.promise}: {check.problem}", fg="red")
        else:
            typer.echo(f"ok      {check.promise}")
    failed = sum(bool(check.problem) for check in checks)
    if failed:
        typer.secho(f"{method}: {failed} of {len(checks)} checks failed.", err=True, fg="red")
        raise typer.Exit(1)
    typer.secho(f"{method} keeps the contract. Next: name it in a benchmark's arms.", fg="green")


def checkpoints(options: list[str], backbones: tuple[str, ...]) -> dict[str, Path]:
    """Read ``NAME=FILE`` options.

    Raises:
        ConfigError: not of that form, no such file, or a backbone that the benchmark does not have.
    """
    from occbench.core.errors import ConfigError

    chosen = {}
    for option in options:
        name, equals, file = option.partition("=")
        if not equals or not Path(file).is_file():
            raise ConfigError(f"--weights needs NAME=FILE with a file that exists, found {option!r}")
        if name not in backbones:
            raise ConfigError(f"--weights {option}: the benchmark's backbones are {', '.join(backbones)}.")
        chosen[name] = Path(file)
    return chosen


def wanted_arms(option: str, benchmark: "Benchmark") -> list[str]:
    """Read a comma-separated list of arms, and build their methods once; empty takes all.

    Raises:
        ConfigError: an arm that the benchmark does not have, or a method's option that makes no sense.
        PluginError: a method that there is not.
    """
    from occbench.core.errors import ConfigError

    known = list(benchmark.arms)
    wanted = [name.strip() for name in option.split(",") if name.strip()] or known
    if unknown := sorted(set(wanted) - set(known)):
        raise ConfigError(f"the benchmark has no arm {unknown[0]}; its arms: {', '.join(known)}.")
    for name in wanted:  # a wrong option is found now, not after hours of training other arms
        benchmark.arms[name].build()
        benchmark.arms[name].build_head()
    return wanted


def wanted_cells(materials: "Materials", weights: dict[str, Path], arms: list[str]) -> "list[Cell]":
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


def threads_of(jobs: int, asked: int | None) -> int:
    """Return the CPU threads of each job: what is asked, or an equal share; 0 leaves a single one as it is.

    Raises:
        ConfigError: less than one thread is asked for.
    """
    import torch

    from occbench.core.errors import ConfigError

    if asked is not None and asked < 1:
        raise ConfigError(f"--threads needs 1 thread or more, found {asked}.")
    return asked or (max(1, torch.get_num_threads() // jobs) if jobs > 1 else 0)
