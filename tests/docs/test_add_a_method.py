"""The how-to's example is extracted, tried and run as a reader would."""

import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-method.md"


@pytest.fixture
def text():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture
def example(text, tmp_path, monkeypatch):
    """The example in a file of the name that the page gives it, in the present folder."""
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) < 40
    monkeypatch.chdir(tmp_path)
    name = re.search(r"Save this as `(\w+\.py)`", text)[1]
    Path(name).write_text(code, encoding="utf-8")
    return name


@pytest.fixture
def commands(text):
    """The two commands that the page tells a reader to give, as lists of words."""
    (block,) = re.findall(r"```\n(occbench .*?)```", text, re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_the_example_is_validated_by_the_pages_command(example, commands, occbench_cli):
    assert commands[0][:2] == ["validate", f"{example}:FeatureNoise"]
    code, out, err = occbench_cli(*commands[0])
    assert code == 0, err
    assert "FeatureNoise keeps the contract" in out
    assert "failed" not in out


def test_the_example_runs_as_an_arm_by_the_pages_command(example, commands, occbench_cli):
    verb, name, *options = commands[1]
    small = ["train.epochs=1", "warm_up=null", "source.images_per_class=8", "split.test_source.images_per_class=2"]
    changes = [word for change in small for word in ("--set", change)]
    code, out, err = occbench_cli(verb, name, *options, *changes, "--test-images", "12")
    assert code == 0, err
    assert re.search(r"^Noise +tiny seed 0: clean", out, re.MULTILINE)
    assert re.search(r"^C +tiny seed 0: clean", out, re.MULTILINE)


def test_its_option_is_checked(example, occbench_cli):
    change = f"arms.Noise.method={{name: '{example}:FeatureNoise', strength: many}}"
    code, _, err = occbench_cli("run-benchmark", "quickstart", "--set", change, "--arms", "Noise")
    assert code == 2
    assert "strength" in err
