"""Verdicts on claims, read from the reports of the runs that are in the repository: nothing is judged here."""

import re
from pathlib import Path
from typing import Final

from occbench.bench.reference import PublishedClaim, claims_for

__all__ = ["BENCHMARKS_OF", "claim_tables", "text_of_verdict", "verdicts_of"]

_RESULTS: Final = Path(__file__).parents[2] / "benchmarks" / "results"
_LINE: Final = re.compile(r"^- \*\*(?P<verdict>[\w ]+)\*\* (?:(?P<title>[^`]*): )?`(?P<text>[^`]+)`(?:; (?P<rest>.*))?$")
_WORDS: Final = {"holds": "reproduced", "fails": "not reproduced", "undecided": "undecided"}

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


def verdicts_of(benchmark: str) -> dict[str, tuple[str, str]]:
    """Return statement -> (verdict, margin with its interval) of a benchmark's report; empty where it was not run."""
    file = _RESULTS / benchmark / "report.md"
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if (match := _LINE.match(line)) and match["verdict"] in _WORDS:
            margin = re.search(r"margin ([^;]+)", match["rest"] or "")
            found[match["text"]] = (_WORDS[match["verdict"]], margin[1] if margin else "")
    return found


def text_of_verdict(item: PublishedClaim, judged: dict[str, tuple[str, str]]) -> str:
    """Return what became of a claim of a paper, in words."""
    if item.claim is None:
        return "not testable here: a number of the paper's own, not a comparison of arms"
    verdict, margin = judged.get(item.claim.text, ("not run at this scale", ""))
    return f"**{verdict}** {margin}".strip()


def claim_tables(paper: str) -> str:
    """Return two tables: the paper's own claims, and those of its smaller runs; no claim is without a verdict."""
    own, smaller = BENCHMARKS_OF[paper]
    rows = ["| benchmark | claim | the paper's number | verdict and margin, points |", "| --- | --- | --- | --- |"]
    for name in own:
        judged = verdicts_of(name)
        for item in claims_for(name):
            printed = "" if item.printed is None else f"{item.printed:g} {item.unit}"
            link = f"[{name}](reference/benchmarks/{name}.md)"
            rows.append(f"| {link} | {item.title} | {printed} | {text_of_verdict(item, judged)} |")
    rows += ["", "The same asked of smaller runs:", "", "| run | claim | verdict and margin, points |", "| --- | --- | --- |"]
    for name in smaller:
        judged = verdicts_of(name)
        for text, (verdict, margin) in judged.items():
            rows.append(f"| [{name}](../benchmarks/results/{name}/report.md) | `{text}` | **{verdict}** {margin} |")
        if not judged:
            rows.append(f"| {name} | | no record of a run is kept |")
    return "\n".join(rows)
