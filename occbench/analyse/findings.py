"""What an analysis found, beside what the paper says: claims with verdicts, and the page, numbers and picture of it.

A verdict is about an interval, never about a single number: a claim holds where the whole interval is on its side,
fails where the whole interval is on the other, and is undecided in between.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from occbench.analyse.intervals import Estimate
from occbench.core.files import whole_file, write_bytes, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Analysis", "Finding", "above", "save_picture", "within", "write_analysis"]

Verdict = Literal["holds", "fails", "undecided", "not judged"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim of a figure and what was measured about it.

    Attributes:
        claim: what the paper says, in one sentence.
        source: where it says so.
        verdict: how it came out here.
        evidence: the numbers that decided, in words.
    """

    claim: str
    source: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Analysis:
    """Everything that one analysis hands out.

    Attributes:
        name: of its files, e.g. ``tsne``.
        title: of its page.
        about: paragraphs of Markdown: what was computed, from what, and how every number is defined.
        columns: heads of the table.
        rows: its rows.
        findings: the claims judged.
        numbers: JSON values, the table's numbers unrounded among them.
        pictures: file name -> alternative text, in order.
    """

    name: str
    title: str
    about: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    findings: Sequence[Finding]
    numbers: Mapping[str, Any]
    pictures: Mapping[str, str]


def above(estimate: Estimate, threshold: float) -> Verdict:
    """Return whether an estimate lies above a threshold."""
    if estimate.low > threshold:
        return "holds"
    return "fails" if estimate.high < threshold else "undecided"


def within(estimates: Sequence[Estimate], bound: float) -> Verdict:
    """Return whether all estimates lie within -bound and +bound; one that is wholly outside makes the claim fail."""
    if any(item.low > bound or item.high < -bound for item in estimates):
        return "fails"
    return "holds" if all(-bound < item.low and item.high < bound for item in estimates) else "undecided"


def write_analysis(analysis: Analysis, folder: Path) -> Path:
    """Write NAME.json and NAME.md beside the pictures; return the page's path.

    Raises:
        StorageError: the folder cannot be written.
    """
    findings = [
        {"claim": item.claim, "source": item.source, "verdict": item.verdict, "evidence": item.evidence}
        for item in analysis.findings
    ]
    write_json(folder / f"{analysis.name}.json", {**analysis.numbers, "findings": findings})
    page = folder / f"{analysis.name}.md"
    write_bytes(page, _page(analysis).encode())
    return page


def save_picture(draw: Callable[[], "Figure"], path: Path, dots_per_inch: int = 100) -> None:
    """Draw a figure and write it as PNG, whole or not at all; class names are text, never formulas."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = draw()
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=dots_per_inch, metadata={"Software": None})


def _page(analysis: Analysis) -> str:
    parts = [f"# {analysis.title}", *analysis.about]
    parts += [f"![{alt}]({file})" for file, alt in analysis.pictures.items()]
    parts.append(_table(analysis.columns, analysis.rows))
    if analysis.findings:
        parts.append("## Claims")
        parts.append(
            "\n".join(
                f"- **{item.verdict}**: {item.claim} ({item.source}). Measured: {item.evidence}."
                for item in analysis.findings
            )
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    ruler = ["---", *("---:" for _ in columns[1:])]
    escaped = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(columns), ruler, *escaped])
