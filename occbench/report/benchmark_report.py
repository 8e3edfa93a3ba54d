"""All outputs of a benchmark report, written side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from occbench.core.files import write_bytes
from occbench.core.results import ExamplePrediction, ResultSet
from occbench.report.benchmark_page import write_benchmark_page
from occbench.report.csv_tables import write_csv
from occbench.report.latex import write_latex
from occbench.report.markdown import write_markdown

__all__ = ["write_report"]


def write_report(
    results: Sequence[ResultSet], out: str | Path, examples: Sequence[Iterable[ExamplePrediction]] = ()
) -> list[Path]:
    """Write ``report.html``, ``report.md``, ``table.tex`` and ``table.csv``; return their paths.

    Args:
        results: every table.
        out: folder; made where it is not there.
        examples: as ``benchmark_page.write_benchmark_page``.

    Raises:
        StorageError: ``out`` cannot be written.
    """
    contents = {
        "report.html": write_benchmark_page(results, examples),
        "report.md": write_markdown(results),
        "table.tex": write_latex(results),
        "table.csv": write_csv(results),
    }
    out = Path(out)
    for name, text in contents.items():
        write_bytes(out / name, text.encode())
    return [out / name for name in contents]
