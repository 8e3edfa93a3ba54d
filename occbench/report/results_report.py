"""All outputs of a benchmark report, written side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from occbench.core.files import write_bytes
from occbench.core.results.examples import ExamplePrediction
from occbench.core.results.result_set import ResultSet
from occbench.report.csv_tables import csv_of
from occbench.report.latex import latex_of
from occbench.report.markdown import markdown_of
from occbench.report.results_page import results_page

__all__ = ["write_report"]


def write_report(
    results: Sequence[ResultSet], out: str | Path, examples: Sequence[Iterable[ExamplePrediction]] = ()
) -> list[Path]:
    """Write ``report.html``, ``report.md``, ``table.tex`` and ``table.csv``; return their paths.

    Args:
        results: every table.
        out: folder; made where it is not there.
        examples: as ``results_page.results_page``.

    Raises:
        StorageError: ``out`` cannot be written.
    """
    contents = {
        "report.html": results_page(results, examples),
        "report.md": markdown_of(results),
        "table.tex": latex_of(results),
        "table.csv": csv_of(results),
    }
    out = Path(out)
    for name, text in contents.items():
        write_bytes(out / name, text.encode())
    return [out / name for name in contents]
