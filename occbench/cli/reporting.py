"""`occbench report`: from finished runs to tables and a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from occbench.cli.options import BenchmarkOption, BenchmarkSetOption, RunsArgument, SourceOption
from occbench.cli.verb import as_verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from occbench.core.results.examples import ExamplePrediction
    from occbench.core.results.result_set import ResultSet


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command()(as_verb(report))


def report(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.md, table.tex and table.csv.")],
    examples: Annotated[
        int,
        typer.Option(help="Test images to show with every row's answer; needs --source and --set where the run did."),
    ] = 0,
    benchmark: BenchmarkOption = "",
    source: SourceOption = "",
    set_: BenchmarkSetOption = None,
) -> None:
    """Make tables, claim verdicts and a page from finished runs; nothing is trained or scored."""
    from occbench.bench.tables.table import build_results
    from occbench.report.results_report import write_report
    from occbench.report.wording import count_verdicts, percent_points, title

    results = build_results(runs, benchmark)
    changes = tuple(set_ or [])
    shown = [_examples(item, runs, benchmark, source, changes, examples) for item in results] if examples > 0 else []
    write_report(results, out, shown)
    for item in results:
        typer.secho(f"{title(item)}: {len(item.runs)} runs, {item.images:,} test images", bold=True)
        for row in item.rows:
            cells = zip(item.columns, row.cells, strict=True)
            typer.echo(
                f"  {row.label:<12} " + "  ".join(f"{name} {percent_points(cell.number.value)}" for name, cell in cells)
            )
        if item.verdicts:
            typer.echo(f"  claims: {count_verdicts(item.verdicts)}")
        for warning in item.warnings:
            typer.secho(f"  {warning}", fg="yellow")
    typer.echo(f"{out / 'report.html'}: open it in a browser. Beside it: report.md, table.tex, table.csv.")


def _examples(
    results: "ResultSet", runs: Path, benchmark: str, source: str, changes: tuple[str, ...], count: int
) -> "Iterator[ExamplePrediction]":
    """Open the benchmark's images again and make examples of one table."""
    from occbench.bench.images.materials import load_materials
    from occbench.bench.protocol.benchmark import load_benchmark
    from occbench.bench.tables.examples import example_predictions

    loaded = load_benchmark(benchmark or results.benchmark, changes)
    # as many test images as were scored: all of them, or the same evenly spread part
    materials = load_materials(loaded, loaded.source_at(source), results.images)
    return example_predictions(results, runs, materials, count)
