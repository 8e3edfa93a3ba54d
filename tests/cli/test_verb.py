"""A verb sees its groups of options as values, Typer sees every option; Ctrl-C ends any verb with code 130."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from occbench.cli.verb import as_verb


@dataclass(frozen=True)
class Where:
    """Shared options with an argument among them."""

    place: Annotated[str, typer.Argument(metavar="PLACE", help="Where.")]
    depth_m: Annotated[int, typer.Option("--depth-m", help="How deep.")] = 3


def command(function, **options):
    app = typer.Typer()
    app.command()(as_verb(function, **options))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_group_is_spread_out_on_the_command_line_and_one_value_in_the_verb():
    seen = []

    def dig(name: Annotated[str, typer.Option("--name")], where: Where, deep: bool = False) -> None:
        """Dig.

        In one
        paragraph.
        """
        seen.append((name, where, deep))

    run = command(dig)
    assert run("garden", "--name", "Ann").exit_code == 0
    assert run("--depth-m", 5, "--deep", "garden", "--name", "Ann").exit_code == 0
    assert seen == [("Ann", Where("garden"), False), ("Ann", Where("garden", 5), True)]
    shown = run("--help").output
    assert all(text in shown for text in ("PLACE", "Where.", "--depth-m", "default: 3", "In one paragraph."))
    assert run("--name", "Ann").exit_code == 2, "the group's argument is needed"


@pytest.mark.parametrize(("goes_on", "said"), [(True, "the same command goes on"), (False, "Stopped.")])
def test_control_c_is_one_line_and_code_130(goes_on, said):
    def work() -> None:
        raise KeyboardInterrupt

    found = command(work, goes_on=goes_on)()
    assert found.exit_code == 130
    assert len(found.stderr.splitlines()) == 1
    assert said in found.stderr
    assert ("goes on" in found.stderr) == goes_on
