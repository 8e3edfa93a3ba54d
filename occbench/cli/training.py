"""`occbench run-benchmark`: train and score every cell of a benchmark; `occbench validate`: try a method."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from occbench.cli.datasets import SetOption, SourceOption

if TYPE_CHECKING:
    from occbench.bench.cell import Cell
    from occbench.bench.materials import Materials
    from occbench.bench.run import Listener
    from occbench.bench.train import Epoch


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run, and how long a step takes.")
    ] = False,
) -> None:
    """Train and score every arm, backbone and seed. A repeated command does only what is missing.

    Each cell lives in RUNS/<fingerprint>; a changed setting is a new cell, never an overwritten one.
    """
    from occbench.bench.cell import cells
    from occbench.bench.materials import load_materials
    from occbench.bench.pipeline import ActivationCache
    from occbench.bench.protocol import load_benchmark
    from occbench.bench.run import run_cell

    changes = list(set_ or []) + ([f"seeds=[{seeds}]"] if seeds else [])
    loaded = load_benchmark(benchmark, tuple(changes))
    chosen = checkpoints(weights or [])
    wanted = wanted_arms(arms, list(loaded.arms))
    for name in wanted:  # a wrong option is found now, not after hours of training other arms
        loaded.arms[name].build()
    materials = load_materials(loaded, loaded.source_at(source), test_images)
    for name in wanted:
        materials.pair_conditions(loaded.arms[name])
    todo = [cell for cell in cells(loaded, chosen, materials.fingerprint) if cell.arm_name in wanted]
    show_plan(materials, todo, runs)
    if dry_run:
        return
    cache = ActivationCache()
    for number, cell in enumerate(todo):
        records = run_cell(cell, materials, runs, cache, _listener(number, len(todo)))
        row = {record.group: record for record in records if record.metric == "top1"}
        clean, average = row["clean"], row["avg"]
        typer.secho(
            f"{cell.arm_name:<10} {cell.backbone} seed {cell.seed}: clean {clean.value:.2f}, under occlusion "
            f"{average.value:.2f} [{average.low:.2f}, {average.high:.2f}]  ({runs / cell.fingerprint})",
            fg="green",
        )
    typer.echo(f"Next: occbench report {runs} --out report")


def validate(
    method: Annotated[str, typer.Argument(help="FILE.py:Name of your method, or the name of an installed one.")],
) -> None:
    """Try a method on drawn images with a tiny network, in seconds: does it do what the trainer expects?

    Exit code 1 where a check failed.
    """
    from occbench.bench.validate import validate_method

    checks = []
    for check in validate_method(method):
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


def checkpoints(options: list[str]) -> dict[str, Path]:
    """Read ``NAME=FILE`` options.

    Raises:
        ConfigError: not of that form, or no such file.
    """
    from occbench.core.errors import ConfigError

    chosen = {}
    for option in options:
        name, equals, file = option.partition("=")
        if not equals or not Path(file).is_file():
            raise ConfigError(f"--weights needs NAME=FILE with a file that exists, found {option!r}")
        chosen[name] = Path(file)
    return chosen


def wanted_arms(option: str, known: list[str]) -> list[str]:
    """Read a comma-separated list of arms; empty takes all.

    Raises:
        ConfigError: an arm that the benchmark does not have.
    """
    from occbench.core.errors import ConfigError

    wanted = [name.strip() for name in option.split(",") if name.strip()] or known
    if unknown := sorted(set(wanted) - set(known)):
        raise ConfigError(f"the benchmark has no arm {unknown[0]}; its arms: {', '.join(known)}.")
    return wanted


def show_plan(materials: "Materials", todo: "list[Cell]", runs: Path) -> None:
    """Print what will be trained and scored."""
    done = sum((runs / cell.fingerprint / "manifest.json").is_file() for cell in todo)
    images = len(materials.test) * len(materials.test_conditions)
    typer.echo(
        f"{materials.benchmark.name}: {len(todo)} cells ({done} finished), {len(materials.train)} training, "
        f"{len(materials.validation)} validation, {len(materials.pairs)} paired and {len(materials.test)} test images "
        f"x {len(materials.test_conditions)} conditions = {images:,} classifications a cell"
    )


def _listener(number: int, total: int) -> "Listener":
    from occbench.bench.run import Listener

    def on_epoch(cell: "Cell", epoch: "Epoch") -> None:
        typer.echo(
            f"  [{number + 1}/{total}] {cell.arm_name} seed {cell.seed}: epoch {epoch.epoch + 1}/{epoch.epochs}, loss "
            f"{epoch.loss:.4f}, validation {100 * epoch.clean:.1f} clean, {100 * epoch.occluded:.1f} occluded",
            err=True,
        )

    return Listener(on_epoch=on_epoch)
