"""`occbench report`: from finished runs to tables and a page."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verbs of this file to the command line."""
    app.command()(report)


def report(
    runs: Annotated[Path, typer.Argument(help="Folder of runs, as `occbench run-benchmark --runs` wrote it.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, report.md, table.tex and table.csv.")],
) -> None:
    """Make tables, claim verdicts and a page from finished runs; nothing is trained or scored."""
    from occbench.bench.table import build_results
    from occbench.report.benchmark_report import write_report
    from occbench.report.wording import count_verdicts, percent_points, title

    results = build_results(runs)
    write_report(results, out)
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
