"""Asks an installed occbench for all that it says it has: every help, every list, every name in the lists.

Run by ``.ci/release`` in the environment that has the wheel, away from the checkout: ``check_installed.py VERSION``.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

import occbench
from occbench.bench.protocol.benchmark import load_benchmark
from occbench.bench.protocol.reference import reference_names, reference_table
from occbench.cli import app
from occbench.core.plugins import BUILT_IN


def verbs(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the words of every verb and group of verbs, the program itself first."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


def ask(*words: str) -> str:
    """Return what ``occbench`` prints."""
    return subprocess.run(["occbench", *words], capture_output=True, text=True, check=True).stdout


def check_helps() -> str:
    """Ask every verb for its help."""
    asked = list(verbs(typer.main.get_command(app)))
    for words in asked:
        assert "Usage: occbench" in ask(*words, "--help"), words
    return f"{len(asked)} helps"


def check_lists(home: Path) -> str:
    """Compare every list with the files and plug-ins that there are."""
    expected = {kind: sorted(found) for kind, found in BUILT_IN.items()}
    for kind in ("recipes", "benchmarks"):
        expected[kind] = sorted(file.stem for file in (home / f"_{kind}").glob("*.yaml"))
    for kind, names in expected.items():
        assert [line.split()[0] for line in ask("list", kind).splitlines()] == names, kind
    for arm in (arm for name in expected["benchmarks"] for arm in load_benchmark(name).arms.values()):
        arm.build()
    for name in reference_names():
        assert reference_table(name), name
    counts = ", ".join(f"{len(names)} {kind}" for kind, names in expected.items())
    return f"{counts}, {len(reference_names())} reference tables"


def main(version: str) -> None:
    """Ask, and stop at the first thing that is not there."""
    home = Path(occbench.__file__).parent
    assert home.is_relative_to(sys.prefix), f"{home} is not in the environment {sys.prefix}"
    assert occbench.__version__ == version
    assert (home / "py.typed").is_file()
    assert (home / "data" / "FORMAT.md").is_file()
    assert all(getattr(occbench, name) for name in occbench.__all__)
    print(f"{home}: {check_helps()}, {check_lists(home)}")  # noqa: T201 - a script


main(sys.argv[1])
