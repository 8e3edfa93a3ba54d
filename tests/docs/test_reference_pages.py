"""Pages that are made: one for every plug-in, recipe and benchmark, with all that its code says."""

import dataclasses
import importlib
import inspect

import pytest

import occbench
from occbench.bench.protocol.benchmark import benchmark_names
from occbench.core import interfaces, training
from occbench.core.plugins import BUILT_IN
from occbench.data.recipe import load_recipe, recipe_names

ROLES = [
    f"core.{kind}.{name}"
    for kind, module in (("interfaces", interfaces), ("training", training))
    for name in module.__all__
]
PLUGINS = [(kind, name, target) for kind, names in BUILT_IN.items() for name, target in names.items()]


def player_at(target):
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


@pytest.fixture
def player_pages(hooks):
    return importlib.import_module("players").player_pages()


@pytest.mark.parametrize(("kind", "name", "target"), PLUGINS)
def test_every_plug_in_has_a_page_with_its_idea_options_and_source(player_pages, kind, name, target):
    player, page = player_at(target), player_pages[f"{kind}/{name}.md"]
    docstrings = importlib.import_module("docstrings")
    first = docstrings.body(inspect.getdoc(inspect.getmodule(player))).partition("\n")[0]
    assert docstrings.to_markdown(first) in page
    for field in dataclasses.fields(player):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{field.name}` |")]
        meaning = row.replace("\\|", "").rpartition(" | ")[2].removesuffix(" |")
        assert meaning.strip(), f"{target}: option {field.name} is not explained"
    assert f"[{name}]({name}.md)" in player_pages[f"{kind}/index.md"]


def test_there_is_no_page_without_a_plug_in(player_pages):
    indexes = {f"{kind}/index.md" for kind in BUILT_IN}
    assert set(player_pages) == indexes | {f"{kind}/{name}.md" for kind, name, _ in PLUGINS}


def test_what_was_inferred_is_seen(player_pages):
    assert "With one label an image (inferred)" in player_pages["methods/msl.md"].partition("does not say")[2]


def test_what_is_shared_is_shown(player_pages):
    page = player_pages["methods/part_blackout.md"]
    assert "- `alpha`: weight of the images and their twins, above 0. Inferred: 1." in page
    twins = importlib.import_module("occbench.methods.twin_training")
    assert importlib.import_module("docstrings").to_markdown(inspect.getdoc(twins)) in page


def test_a_method_stands_beside_its_papers_numbers_and_ours(player_pages):
    page = player_pages["methods/dfv.md"]
    says, measured = page.partition("## What the paper says")[2].split("## What we measured")
    assert "| [caltech101-exclusive](../benchmarks/caltech101-exclusive.md) | C-Full | ResNet18 | clean 92.75" in says
    assert "smallest average gain of a DFV arm | 16.78 points" in says
    assert "| C-Full - C | avg | +19.14 [17.14, 21.06] |" in measured
    assert "(../benchmarks/dfeat-patchdrop.md) | part_blackout | ConvNeXt" in player_pages["methods/part_blackout.md"]


def test_every_recipe_has_a_page(hooks):
    pages = importlib.import_module("recipe_pages").recipe_pages()
    assert set(pages) == {"recipes/index.md"} | {f"recipes/{name}.md" for name in recipe_names()}
    for name in recipe_names():
        page = pages[f"recipes/{name}.md"]
        assert f"{len(load_recipe(name).conditions())} conditions an image" in page
        assert f"name: {name}\n" in page


def test_every_benchmark_has_a_page(hooks):
    pages = importlib.import_module("benchmark_pages").benchmark_pages()
    assert set(pages) == {"benchmarks/index.md"} | {f"benchmarks/{name}.md" for name in benchmark_names()}
    page = pages["benchmarks/caltech101-exclusive.md"]
    assert "| C-Full | [dfv](../methods/dfv.md) | `alpha: 0.9` `beta: 1.0` | no |" in page
    assert "**reproduced** +17.43 [15.40, 19.45]" in page
    assert "65.63" in page, "the paper's number"
    assert "- `trainable: all # [inference] which layers are fine-tuned is not stated`" in page
    assert "benchmarks/results/caltech101-exclusive/README.md" in page


def test_every_public_name_and_every_role_is_on_a_page(hooks):
    pages = importlib.import_module("api_page").api_pages()
    for name in occbench.__all__:
        assert f"## {name}\n\n::: occbench." in pages["api.md"]
    for name in ROLES:
        assert f"::: occbench.{name}\n" in pages["roles.md"]


@pytest.mark.parametrize("name", [*occbench.__all__, *ROLES])
def test_every_public_member_is_documented(name):
    home, _, attribute = name.rpartition(".")
    item = getattr(importlib.import_module(f"occbench.{home}") if home else occbench, attribute)
    assert inspect.getdoc(item)
    if inspect.isclass(item):
        own = {key: value for key, value in vars(item).items() if not key.startswith("_")}
        functions = {
            key: value for key, value in own.items() if inspect.isfunction(value) or isinstance(value, property)
        }
        undocumented = [key for key, value in functions.items() if not inspect.getdoc(value)]
        assert undocumented == [], f"{name} has members without a docstring"
