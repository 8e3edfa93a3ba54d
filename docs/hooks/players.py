"""One page for every plug-in of ``core/plugins.py``: idea, equation, options, source, where it is used and measured."""

import importlib
import inspect
import re
from functools import cache
from typing import Final

from benchmark_pages import benchmarks_with, measured_with, published_with
from docstrings import body, option_table, section, to_markdown

from occbench.core.plugins import BUILT_IN

__all__ = ["KINDS", "player_pages"]

#: kind -> (title of its pages, how one of them is asked for)
KINDS: Final = {
    "sources": ("Sources", "occbench generate RECIPE --out DIR --source PATH --set 'source={{name: {name}}}'"),
    "occlusions": ("Occlusions", "occbench generate RECIPE --out DIR --set 'occlusions=[{{name: {name}}}]'"),
    "methods": ("Methods", "occbench run-benchmark BENCHMARK --set 'arms.MINE.method={{name: {name}}}' --arms MINE"),
    "models": ("Models", "occbench run-benchmark BENCHMARK --set 'backbones=[{name}]'"),
    "heads": ("Heads", "occbench run-benchmark BENCHMARK --set 'arms.MINE.head={{name: {name}}}'"),
    "extractors": ("Extractors", ""),
}
_INFERRED = re.compile(r"infer", re.IGNORECASE)


@cache
def player_pages() -> dict[str, str]:
    """Return path below ``reference/`` -> Markdown, of every built-in plug-in and an index for each kind."""
    pages = {}
    for kind, names in BUILT_IN.items():
        rows = []
        for name, target in names.items():
            module_name, _, attribute = target.partition(":")
            player = getattr(importlib.import_module(module_name), attribute)
            pages[f"{kind}/{name}.md"] = _page(kind, name, player)
            first = body(inspect.getdoc(player) or "").partition("\n")[0]
            rows.append(f"| [{name}]({name}.md) | {to_markdown(first)} |")
        pages[f"{kind}/index.md"] = "\n".join([f"# {KINDS[kind][0]}", "", "| name | |", "| --- | --- |", *rows, ""])
    return pages


def _page(kind: str, name: str, player: type) -> str:
    module = inspect.getmodule(player)
    about, origin = inspect.getdoc(player) or "", inspect.getdoc(module) or ""
    parts = [f"# {name}", to_markdown(body(about)), "## Options", option_table(player)]
    if raises := section(about, "Raises"):
        parts += ["Refused: " + "; ".join(f"`{error}`: {to_markdown(text)}" for error, text in raises.items())]
    parts += ["## Idea, source and choices", to_markdown(origin)]
    if command := KINDS[kind][1]:
        parts += ["## Use", f"```\n{command.format(name=name)}\n```"]
    if kind == "methods":
        parts += ["## What the paper says", published_with(name) or "No number of a paper is about arms with it."]
        parts += ["## What we measured", measured_with(name) or "No record of a run is kept."]
        parts += ["## Benchmarks that compare it", benchmarks_with(name)]
    if said := _inferred(about, origin):
        parts += ["## What the paper does not say", said]
    parts += [f"Code: `{player.__module__}.{player.__name__}`."]
    return "\n\n".join(parts) + "\n"


def _inferred(*texts: str) -> str:
    """Return the sentences that say what was inferred, as a list."""
    sentences = [
        sentence for text in texts for sentence in re.split(r"(?<=[.;:])\s+", " ".join(text.split()))
        if _INFERRED.search(sentence)
    ]  # fmt: skip
    return "\n".join(f"- {to_markdown(sentence)}" for sentence in sentences)
