"""Verdicts on claims, read from the reports of the runs that are in the repository: nothing is judged here."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from occbench.bench.protocol.reference import PublishedClaim, claims_for

__all__ = ["BENCHMARKS_OF", "NOT_RUN", "claim_tables", "differences_of", "text_of_verdict", "verdicts_of"]

_RESULTS: Final = Path(__file__).parents[2] / "benchmarks" / "results"
_LINE: Final = re.compile(
    r"^- \*\*(?P<verdict>[\w ]+)\*\* (?:(?P<title>[^`]*): )?`(?P<text>[^`]+)`(?:; (?P<rest>.*))?$"
)
#: what a report says of a statement -> what that means for a claim of a paper
_WORDS: Final = {
    "**holds**": "**reproduced**",
    "**fails**": "**not reproduced**",
    "**not judged**": "**not run at this scale**",
}
NOT_RUN: Final = "**not run at this scale**"

#: paper -> (benchmarks of its own protocol, benchmarks that ask the same on less)
BENCHMARKS_OF: Final = {
    "dfv": (
        ("caltech101-exclusive", "caltech101-inclusive", "ilsvrc-exclusive", "ilsvrc-inclusive", "ilsvrc-crosspattern",
         "ilsvrc-vgg16", "oxford102", "cub200", "ar-faces"),
        ("quickstart",),
    ),
    "learn": (("pascal3d-levels", "coco-vehicles"), ("toyparts-levels", "caltech101-learn", "coco-sample-levels")),
    "msl": (
        ("voc07-msl", "voc07-msl-vit", "coco14-msl", "coco14-msl-vit", "wider-msl"),
        ("toyparts-multilabel", "coco-sample-multilabel"),
    ),
    "dfeat": (("dfeat-patchdrop", "dfeat-real"), ("dfeat-toy", "dfeat-holes")),
}  # fmt: skip


def verdicts_of(benchmark: str, results: Path = _RESULTS) -> dict[str, str]:
    """Return statement -> the report's verdict and margin with its interval; empty where there is no report.

    A report of several tables (other networks, other sizes) gives a statement several verdicts, in their order.
    """
    file = results / benchmark / "report.md"
    if not file.is_file():
        return {}
    tables = re.split(r"^# .*$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found: dict[str, list[str]] = {}
    for number, table in enumerate(tables, start=1):
        for match in filter(None, map(_LINE.match, table.splitlines())):
            margin = re.search(r"margin ([^;]+)", match["rest"] or "")
            said = f"**{match['verdict']}** {margin[1] if margin else ''}".strip()
            found.setdefault(match["text"], []).append(said if len(tables) == 1 else f"{said} (table {number})")
    return {text: ", ".join(said) for text, said in found.items()}


def differences_of(benchmark: str, arms: Collection[str]) -> list[tuple[str, str, str]]:
    """Return (row minus baseline, column, difference with its interval) of these arms, from a benchmark's report."""
    file = _RESULTS / benchmark / "report.md"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = []
    for section in re.findall(r"^## Differences$(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
        found += [
            (row[0], row[1], row[2])
            for row in rows
            if row[0].replace("\\", "").partition(" - ")[0].split(" (")[0] in arms
        ]
    return found


def text_of_verdict(item: PublishedClaim, judged: dict[str, str]) -> str:
    """Return what became of a claim of a paper, in words."""
    if item.claim is None:
        return "not testable here: a number of the paper's own, not a comparison of arms"
    said = judged.get(item.claim.text, NOT_RUN)
    for word, meaning in _WORDS.items():
        said = said.replace(word, meaning)
    return said


def _command(benchmark: str, item: PublishedClaim, judged: Collection[str]) -> str:
    """Return what judges a claim: the record of the run with its commands, or the command that would make one."""
    if item.claim is None:
        return ""
    if item.claim.text in judged:
        return f"[scale, command](../benchmarks/results/{benchmark}/README.md)"
    return f"`occbench run-benchmark {benchmark} --source PATH`"


def claim_tables(paper: str) -> str:
    """Return two tables: the paper's own claims, and those of its smaller runs; no claim is without a verdict."""
    own, smaller = BENCHMARKS_OF[paper]
    rows = [
        "| benchmark | claim | the paper's number | verdict, and margin in points | how |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in own:
        judged = verdicts_of(name)
        for item in claims_for(name):
            printed = "" if item.printed is None else f"{item.printed:g} {item.unit}"
            link = f"[{name}](reference/benchmarks/{name}.md)"
            said = text_of_verdict(item, judged)
            rows.append(f"| {link} | {item.title} | {printed} | {said} | {_command(name, item, judged)} |")
    rows += ["", "Smaller runs, with statements of their own (*holds*, *fails*: of that statement at that scale):", ""]
    rows += ["| run | statement | verdict, and margin in points |", "| --- | --- | --- |"]
    for name in smaller:
        judged = verdicts_of(name)
        rows += [
            f"| [{name}](../benchmarks/results/{name}/report.md) | `{text}` | {said} |" for text, said in judged.items()
        ]
        if not judged:
            rows.append(f"| {name} | | no record of a run is kept |")
    return "\n".join(rows)
