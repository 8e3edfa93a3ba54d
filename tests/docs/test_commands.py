"""Every command on every page exists: verb, options, names of recipes and benchmarks, keys of their settings."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from occbench.bench.protocol.benchmark import benchmark_names, load_benchmark
from occbench.cli import app
from occbench.core.plugins import BUILT_IN
from occbench.data.recipe import load_recipe, recipe_names

REPOSITORY = Path(__file__).parents[2]
FILES = sorted(
    [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "benchmarks").rglob("*.md")]
)
#: what stands for something of the reader's
PLACEHOLDER = re.compile(r"^[A-Z][A-Z_]+$")


def commands(text):
    """Return every `occbench` command in the blocks of code, as words after `occbench`; continued lines joined."""
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").replace("$SLURM_CPUS_PER_TASK", "8").splitlines()
    found = []
    for line in lines:
        for part in line.split(" && "):
            match = re.match(
                r"(?:\$ |timeout [^&]*? |accelerate launch .* -m )?(occbench .*?)(?:\|\|.*)?$", part.strip()
            )
            if match:
                found.append(shlex.split(match[1], comments=True)[1:])
    return found


CASES = [(file, words) for file in FILES for words in commands(file.read_text(encoding="utf-8"))]


def test_there_are_commands_on_many_pages():
    assert len(CASES) > 60
    assert len({file for file, _ in CASES}) > 12


def check(words):
    """Parse a command; raises where it has a verb, an option, a name or a key of a setting that there is not."""
    command, words = typer.main.get_command(app), list(words)
    while isinstance(command, TyperGroup):
        assert words[0] in command.commands, f"there is no verb {words[0]}"
        command = command.commands[words.pop(0)]
    with command.make_context(command.name, list(words)):
        pass
    names, load = {
        "generate": (recipe_names, load_recipe),
        "run-benchmark": (benchmark_names, load_benchmark),
    }.get(command.name, (None, None))
    if names is None or words[0] == "--from" or PLACEHOLDER.match(words[0]) or words[0].endswith(".yaml"):
        return
    assert words[0] in names(), f"there is no {words[0]}"
    settings = [new for word, new in pairwise(words) if word == "--set" and new != "CHANGE"]
    # values that stand for something of the reader's are left out
    plain = [item for item in settings if not PLACEHOLDER.match(item.rpartition("=")[2]) and ".py:" not in item]
    load(words[0], tuple(plain))


@pytest.mark.parametrize(
    ("file", "words"), CASES, ids=[f"{file.relative_to(REPOSITORY)}:{number}" for number, (file, _) in enumerate(CASES)]
)
def test_every_command_of_a_page_can_be_parsed(file, words):
    check(words)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("make quickstart", "no verb make"),
        ("occluders from-voc a b", "no verb from-voc"),
        ("generate quickstart --out toys --worker 2", "--worker"),
        ("generate quikstart --out toys", "no quikstart"),
        ("generate quickstart --out toys --set prepare.size=3", "size"),
        ("run-benchmark quickstart --set train.epoch=3", "epoch"),
        ("verify", "directory"),
    ],
)
def test_a_command_that_there_is_not_is_found(line, message):
    with pytest.raises(Exception, match=message):  # of the test, the configuration or the parser
        check(line.split())


def test_every_plug_ins_page_shows_a_command_that_can_be_parsed(hooks):
    from players import player_pages

    pages = player_pages()
    shown = [words for page in pages.values() for words in commands(page)]
    assert len(shown) == sum(len(names) for kind, names in BUILT_IN.items() if kind != "extractors")
    for words in shown:
        check(words)
