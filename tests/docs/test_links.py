"""No link of the README, the pages or the records is dead, wherever it is read."""

import importlib
import os
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted((REPOSITORY / "docs").rglob("*.md"))
RECORDS = sorted((REPOSITORY / "benchmarks").rglob("*.md"))
TOP = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "occbench" / "data" / "FORMAT.md"]


def links(text):
    """Return the targets of a page's links that are no addresses, without what stands in blocks of code."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", plain) if not re.match(r"[a-z]+:", target)]


def anchor_of(heading):
    """Return the anchor that a heading gets."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower())


@pytest.fixture
def made(hooks):
    """Paths below docs/ of the pages that are made."""
    kinds = (("players", "player_pages"), ("recipe_pages", "recipe_pages"), ("benchmark_pages", "benchmark_pages"),
             ("api_page", "api_pages"))  # fmt: skip
    pages = {}
    for module, function in kinds:
        pages |= getattr(importlib.import_module(module), function)()
    return {f"reference/{path}": text for path, text in pages.items()}


@pytest.mark.parametrize("file", [*TOP, *RECORDS], ids=lambda file: file.relative_to(REPOSITORY).as_posix())
def test_no_link_of_a_file_is_dead(file):
    for target in links(file.read_text(encoding="utf-8")):
        assert (file.parent / target.partition("#")[0]).exists(), f"{file.name} links to {target}"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(REPOSITORY).as_posix())
def test_no_link_of_a_page_is_dead(file, made):
    for target in links(file.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        place = Path(os.path.normpath(file.parent / path)) if path else file
        known = place.exists() or place.relative_to(REPOSITORY / "docs").as_posix() in made
        assert known, f"{file.name} links to {target}"
        if anchor and place.exists():
            headings = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(anchor_of, headings), f"{file.name} links to {target}"


def test_no_link_of_a_page_that_is_made_is_dead(made):
    for path, text in made.items():
        for target in links(text):
            place = os.path.normpath(Path("docs", path).parent / target.partition("#")[0])
            known = (REPOSITORY / place).exists() or place.removeprefix("docs/") in made
            assert known, f"{path} links to {target}"


def test_every_page_is_in_the_navigation():
    listed = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    for file in PAGES:
        assert f": {file.relative_to(REPOSITORY / 'docs').as_posix()}\n" in listed


def test_a_link_leads_to_the_page_that_shows_the_file(hooks):
    relink = importlib.import_module("links").relink
    pages = {
        "occbench/data/FORMAT.md": "reference/format.md",
        "benchmarks/results/toy/report.md": "results/toy/report.md",
    }
    text = "[format](../../occbench/data/FORMAT.md#words) ![here](../images/toyparts.png) [file](../../recipes/a.yaml)"
    assert relink(text, page="how-to/x.md", home="docs/how-to/x.md", pages=pages) == (
        "[format](../reference/format.md#words) ![here](../images/toyparts.png) `recipes/a.yaml`"
    )
    record = "[docs](../../../docs/index.md) [report](report.md) [web](https://arxiv.org/abs/1)\n```\n[a](b)\n```"
    assert relink(record, page="results/toy/index.md", home="benchmarks/results/toy/README.md", pages=pages) == (
        "[docs](../../index.md) [report](report.md) [web](https://arxiv.org/abs/1)\n```\n[a](b)\n```"
    )
