"""The table of a record, as Markdown, and its place in README.md."""

from pathlib import Path
from typing import Any, Final

from .expected import EXPECTED, Expected

__all__ = ["markdown", "put_into"]

_BEGIN, _END = "<!-- table: written by benchmarks.speed.all -->", "<!-- end of the table -->"
_HEAD: Final = (
    "| | images/s, ours | beside | measured | target | predicted |",
    "|---|---|---|---|---|---|",
)


def markdown(record: dict[str, Any]) -> str:
    """Return the record as Markdown: what it was measured on, and one table for each measurement."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [f"{record['machine']}; {record['device']}; Python {record['python']}, {versions}; {record['encoder']}."]
    for name, group in record["groups"].items():
        load = f"load {group['load_at_start']} to {group['load_at_end']}"
        lines += ["", f"### {name.capitalize()}", "", f"{group['date'][:10]}, {group['seconds']:.0f} s, {load}.", ""]
        lines += [*_HEAD, *(_line(row, EXPECTED[name].get(row["what"], Expected())) for row in group["rows"])]
    return "\n".join(lines)


def put_into(page: Path, table: str) -> None:
    """Replace the table in a page.

    Raises:
        ValueError: the page has no place for it.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{page} has no lines {_BEGIN} and {_END}")
    page.write_text(f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}", encoding="utf-8")


def _line(row: dict[str, Any], expected: Expected) -> str:
    rates = [f"{value:,.4g}" if value < 1000 else f"{value:,.0f}" for value in row["per_s"].values()]
    ours, beside = rates or ["", ""]
    value, unit = row["value"], row["unit"]
    suffix = {"times as fast": " x", "times as long": " x the time"}.get(unit, f" {unit}")
    spread = f"{_number(value['least'])} to {_number(value['greatest'])}"
    measured = f"**{_number(value['median'])}{suffix}** ({spread})"
    what = row["what"].replace("|", "\\|")
    target = expected.judged(value["median"])
    return f"| {what} | {ours} | {beside} | {measured} | {target} | {expected.predicted or '-'} |"


def _number(value: float) -> str:
    return f"{value:#.3g}" if value < 100 else f"{value:,.0f}"
