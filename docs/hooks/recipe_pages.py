"""One page for every packaged recipe: its YAML, how many conditions it makes, how to run it."""

from collections import Counter
from functools import cache
from pathlib import Path

from occbench.data.recipe import find_recipe, load_recipe, recipe_names

__all__ = ["recipe_pages"]

_SHOWN = 12


@cache
def recipe_pages() -> dict[str, str]:
    """Return path below ``reference/`` -> Markdown, of every recipe and their index."""
    pages, rows = {}, []
    for name in recipe_names():
        recipe = load_recipe(name)
        conditions = recipe.conditions()
        pages[f"recipes/{name}.md"] = _page(name)
        rows.append(f"| [{name}]({name}.md) | {len(conditions)} | {recipe.description} |")
    head = ["# Recipes", "", "| name | conditions | |", "| --- | --: | --- |"]
    return {**pages, "recipes/index.md": "\n".join([*head, *rows, ""])}


def _page(name: str) -> str:
    recipe = load_recipe(name)
    conditions = recipe.conditions()
    groups = Counter(condition.group for condition in conditions)
    source = recipe.source.name
    where = "" if source.startswith("toyparts") else " --source PATH"
    families = ", ".join(f"[{spec.name}](../occlusions/{spec.name}.md)" for spec in recipe.occlusions)
    shown = ", ".join(f"`{condition.name}`" for condition in conditions[:_SHOWN])
    more = f" and {len(conditions) - _SHOWN} more" if len(conditions) > _SHOWN else ""
    counted = ", ".join(f"`{group}` ({count})" for group, count in groups.items())
    generate = f"occbench generate {name} --out {name}{where}"
    parts = [
        f"# {name}", recipe.description, recipe.reference,
        f"```\n{generate} --dry-run\n{generate}\n```",
        f"Source [{source}](../sources/{source}.md), occlusions {families}. {len(conditions)} conditions an image, "
        f"in the groups {counted}: {shown}{more}.",
        f"```yaml\n{Path(find_recipe(name)).read_text(encoding='utf-8').strip()}\n```",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"
