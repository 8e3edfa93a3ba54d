"""`occbench run-benchmark`: train and score every cell of a benchmark; `occbench validate`: try a method."""

from typing import Annotated, Any

import typer

from occbench.cli.cells import run_arms
from occbench.cli.engine import Engine
from occbench.cli.options import BenchmarkArgument, HalfWidthOption
from occbench.cli.run_options import RunOptions, wanted_arms
from occbench.cli.verb import as_verb


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command(name="run-benchmark")(as_verb(run_benchmark, goes_on=True))
    app.command()(as_verb(validate))


def run_benchmark(
    benchmark: BenchmarkArgument,
    options: RunOptions,
    where: Engine,
    arms: Annotated[str, typer.Option(help="Only these arms, e.g. C,C-Full.", show_default="all")] = "",
    half_width: HalfWidthOption = None,
) -> None:
    """Train and score every arm, backbone and seed. A repeated command does only what is missing.

    Each cell lives in RUNS/<fingerprint>; a changed setting is a new cell, never an overwritten one.
    """
    loaded = options.load(benchmark)
    if run_arms(loaded, wanted_arms(arms, loaded), options, where, half_width) is not None:
        typer.echo(f"Next: occbench report {options.runs} --out report")


def validate(
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="FILE.py:Name of your method, or the name of an installed one.")
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set an option of the method, e.g. strength=1.0. Repeatable."),
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
        typer.secho(f"{method}: {failed} of {len(checks)} checks failed.", fg="red")
        raise typer.Exit(1)
    typer.secho(f"{method} keeps the contract. Next: name it in a benchmark's arms.", fg="green")
