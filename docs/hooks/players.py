"""One page for every plug-in of ``core/plugins.py``: idea, equation, options, source, where it is used and measured."""

import importlib
import inspect
import re
from functools import cache
from typing import Final

from benchmark_pages import benchmarks_with, measured_with, published_with
from docstrings import body, meanings, option_table, section, to_markdown

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
    shared = _shared(player)
    parts += ["## Idea, source and choices", to_markdown(origin), *map(to_markdown, shared)]
    if command := KINDS[kind][1]:
        parts += ["## Use", f"```\n{command.format(name=name)}\n```"]
    if kind == "methods":
        parts += ["## What the paper says", published_with(name) or "No number of a paper is about arms with it."]
        parts += ["## What we measured", measured_with(name) or "No record of a run is kept."]
        parts += ["## Benchmarks that compare it", benchmarks_with(name)]
    if said := _inferred(player, origin, *shared):
        parts += ["## What the paper does not say", said]
    parts += [f"Code: `{player.__module__}.{player.__name__}`."]
    return "\n\n".join(parts) + "\n"


def _shared(player: type) -> list[str]:
    """Return the docstrings of the modules in the player's own room that it shares code with."""
    room = player.__module__.rpartition(".")[0]
    modules = dict.fromkeys(owner.__module__ for owner in player.__mro__[1:] if owner.__module__.startswith(room))
    return [inspect.getdoc(importlib.import_module(name)) or "" for name in modules if name != player.__module__]


def _inferred(player: type, *texts: str) -> str:
    """Return what was inferred, as a list: options whose meaning says so, and sentences."""
    options = [f"`{name}`: {text}" for name, text in meanings(player).items() if _INFERRED.search(text)]
    sentences = [
        sentence
        for text in (body(inspect.getdoc(player) or ""), *texts)
        for sentence in re.split(r"(?<=\.)\s+", " ".join(text.split()))
        if _INFERRED.search(sentence)
    ]
    return "\n".join(f"- {to_markdown(line)}" for line in [*options, *sentences])
