"""The hook that mkdocs runs: adds the pages that are made from code, recipes, benchmarks and records of runs."""

import re
from pathlib import Path
from typing import Any

from api_page import api_pages
from benchmark_pages import benchmark_pages
from claim_tables import claim_tables
from links import relink
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from players import KINDS, player_pages
from recipe_pages import recipe_pages
from repository_pages import REPOSITORY, repository_pages, result_names

_TABLE = re.compile(r"<!-- claims: (\w+) -->")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that are made into the navigation."""
    groups = {title: _listed(kind, player_pages()) for kind, (title, _) in KINDS.items()}
    recipes, benchmarks = _listed("recipes", recipe_pages()), _listed("benchmarks", benchmark_pages())
    groups = {"Recipes": recipes, "Benchmarks": benchmarks, **groups}
    reference: list[Any] = [
        {"Data format": "reference/format.md"}, {"Python API": "reference/api.md"}, {"Roles": "reference/roles.md"},
        *({title: pages} for title, pages in groups.items()),
    ]  # fmt: skip
    made = set(repository_pages().values())
    runs: list[dict[str, Any]] = [
        {name: [place for file in ("index.md", "report.md") if (place := f"results/{name}/{file}") in made]}
        for name in result_names()
    ]
    runs += [{"Speed": "speed.md"}, {"Endurance": "endurance.md"}]
    config.nav = [*(config.nav or []), {"Runs": runs}, {"Reference": reference}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for path, text in {**player_pages(), **recipe_pages(), **benchmark_pages(), **api_pages()}.items():
        files.append(File.generated(config, f"reference/{path}", content=text))
    for path, place in repository_pages().items():
        files.append(File.generated(config, place, abs_src_path=str(REPOSITORY / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs'
    """Fill in tables of claims, and let links that leave the pages lead to where the site shows the file."""
    place = page.file.src_uri
    pages = repository_pages()
    home = {site: path for path, site in pages.items()}.get(place, f"docs/{place}")
    filled = _TABLE.sub(lambda mark: claim_tables(mark[1]), markdown)
    return relink(filled, page=place, home=home, pages=pages)


def _listed(kind: str, pages: dict[str, str]) -> list[str]:
    """Return the paths of one kind, its index first."""
    own = sorted(path for path in pages if Path(path).parts[0] == kind)
    return [f"reference/{path}" for path in sorted(own, key=lambda path: (Path(path).name != "index.md", path))]
