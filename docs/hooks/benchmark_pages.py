"""One page for every benchmark: its YAML, arms, claims, the paper's numbers, inferred values, where it was measured."""

from functools import cache
from typing import Final

from claim_tables import NOT_RUN, differences_of, text_of_verdict, verdicts_of
from repository_pages import REPOSITORY

from occbench.bench.protocol.benchmark import Arm, Benchmark, benchmark_names, load_benchmark
from occbench.bench.protocol.reference import PublishedClaim, claims_for, reference_table

__all__ = ["benchmark_pages", "benchmarks_with", "measured_with", "published_with"]

_RESULTS: Final = REPOSITORY / "benchmarks" / "results"


@cache
def benchmark_pages() -> dict[str, str]:
    """Return path below ``reference/`` -> Markdown, of every packaged benchmark and their index."""
    pages = {f"benchmarks/{name}.md": _page(name) for name in benchmark_names()}
    rows = [
        f"| [{name}]({name}.md) | {_loaded(name).description} | {'yes' if (_RESULTS / name).is_dir() else ''} |"
        for name in benchmark_names()
    ]
    head = ["# Benchmarks", "", "| name | | results |", "| --- | --- | --- |"]
    return {**pages, "benchmarks/index.md": "\n".join([*head, *rows, ""])}


def benchmarks_with(method: str) -> str:
    """Return a list of links to the benchmarks that have a method in an arm, with its options there."""
    lines = []
    for name in benchmark_names():
        arms = [f"`{key}`{_options(arm)}" for key, arm in _loaded(name).arms.items() if arm.method.name == method]
        if arms:
            measured = f"; [measured]({_results_link(name)})" if (_RESULTS / name).is_dir() else ""
            lines.append(f"- [{name}](../benchmarks/{name}.md): {', '.join(arms)}{measured}")
    return "\n".join(lines) or "None of the packaged ones."


def published_with(method: str) -> str:
    """Return the papers' numbers of arms with a method, and their claims of them, as tables; empty where none are."""
    rows, claims = [], []
    for name in benchmark_names():
        arms, link = _arms_with(name, method), f"[{name}](../benchmarks/{name}.md)"
        for row in reference_table(_loaded(name).reference_table) if _loaded(name).reference_table else ():
            if row.arm in arms and not row.is_quoted:
                values = ", ".join(f"{column} {value:g}" for column, value in row.values.items())
                rows.append(f"| {link} | {row.arm} | {row.backbone} | {values} | {row.source} |")
        for item in claims_for(name):
            if item.claim and arms & {arm for arm, _ in item.claim.terms}:
                claims.append(f"| {link} | {item.title} | {_printed(item)} | {item.source} |")
    tables = (
        (("benchmark", "arm", "backbone", "numbers", "source"), rows),
        (("benchmark", "claim", "number", "source"), claims),
    )
    return "\n\n".join(
        "\n".join([f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |", *lines])
        for head, lines in tables
        if lines
    )


def measured_with(method: str) -> str:
    """Return the paired differences of arms with a method from the records of runs, as a table; empty without one."""
    rows = [
        f"| [{name}]({_results_link(name)}) | {arms} | {column} | {difference} |"
        for name in benchmark_names()
        for arms, column, difference in differences_of(name, _arms_with(name, method))
    ]
    return "\n".join(["| run | arms | column | points |", "| --- | --- | --- | --- |", *rows]) if rows else ""


def _printed(item: PublishedClaim) -> str:
    return "" if item.printed is None else f"{item.printed:g} {item.unit}"


def _arms_with(name: str, method: str) -> set[str]:
    return {key for key, arm in _loaded(name).arms.items() if arm.method.name == method}


@cache
def _loaded(name: str) -> Benchmark:
    return load_benchmark(name)


def _results_link(name: str) -> str:
    page = "README.md" if (_RESULTS / name / "README.md").is_file() else "report.md"
    return f"../../../benchmarks/results/{name}/{page}"


def _page(name: str) -> str:
    loaded = _loaded(name)
    text = (REPOSITORY / "benchmarks" / f"{name}.yaml").read_text(encoding="utf-8")
    parts = [f"# {name}", loaded.description]
    source = "" if loaded.source.name.startswith("toyparts") else " --source PATH"
    parts += [
        f"```\noccbench run-benchmark {name} --runs runs{source} --dry-run\noccbench report runs --out report\n```"
    ]
    if (_RESULTS / name).is_dir():
        parts += [f"Measured: [results]({_results_link(name)})."]
    parts += ["## Arms", _arms(loaded), "## Claims", _claims(loaded)]
    if loaded.reference_table:
        parts += ["## The paper's numbers", _numbers(loaded.reference_table)]
    parts += ["## What the paper does not say", _inferences(text), "## The file", f"```yaml\n{text.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _options(arm: Arm) -> str:
    return "".join(f" `{key}: {value}`" for key, value in arm.method.options.items())


def _arms(loaded: Benchmark) -> str:
    rows = ["| arm | method | options | trained on occluded images, too |", "| --- | --- | --- | --- |"]
    for key, arm in loaded.arms.items():
        link = f"[{arm.method.name}](../methods/{arm.method.name}.md)"
        rows.append(f"| {key} | {link} | {_options(arm).strip()} | {'yes' if arm.add_occluded else 'no'} |")
    return "\n".join(rows)


def _claims(loaded: Benchmark) -> str:
    judged = verdicts_of(loaded.name)
    rows = ["| claim | the paper's number | here | source |", "| --- | --- | --- | --- |"]
    for item in claims_for(loaded.name):
        statement = f"<br>`{item.claim.text}`" if item.claim else ""
        rows.append(f"| {item.title}{statement} | {_printed(item)} | {text_of_verdict(item, judged)} | {item.source} |")
    for text in loaded.claims:
        rows.append(f"| `{text}` | | {judged.get(text, NOT_RUN)} | this benchmark |")
    return "\n".join(rows) if len(rows) > 2 else "It makes no claim."


def _numbers(reference: str) -> str:
    table = reference_table(reference)
    columns = list(dict.fromkeys(column for row in table for column in row.values))
    rows = ["| " + " | ".join(["arm", "backbone", *columns, "source"]) + " |", "| " + " --- |" * (len(columns) + 3)]
    for row in table:
        values = [f"{row.values[column]:g}" if column in row.values else "" for column in columns]
        rows.append("| " + " | ".join([row.arm, row.backbone or "quoted there", *values, row.source]) + " |")
    return "\n".join(rows)


def _inferences(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "[inference]" in line]
    return "\n".join(f"- `{line}`" for line in lines) or "Nothing of this benchmark is marked as inferred."
