"""`occbench score` at the command line."""

import pytest
import torch
from safetensors.torch import save_file

from occbench.models.tiny import Tiny


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    save_file(Tiny().build(3).state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_a_model_is_scored_and_a_repeated_command_does_nothing(occbench_cli, finished, checkpoint, tmp_path):
    command = ("score", "--model", "tiny", "--weights", checkpoint, finished(), "--out", tmp_path / "run")
    code, out, _ = occbench_cli(*command)
    assert code == 0
    rows = [line.split()[0] for line in out.splitlines() if "[" in line]
    assert rows[0] == "clean"
    assert rows[-1] == "avg"
    assert "108 predictions made now" in out
    code, again, _ = occbench_cli(*command)
    assert code == 0
    assert "nothing was left to do" in again
    assert [line for line in again.splitlines() if "[" in line] == [line for line in out.splitlines() if "[" in line]


def test_the_default_run_directory_is_named_by_its_fingerprint(
    occbench_cli, finished, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    occbench_cli("score", "--model", "tiny", "--weights", checkpoint, finished())
    (home,) = (tmp_path / "runs").iterdir()
    assert f'"fingerprint": "{home.name}"' in (home / "manifest.json").read_text()


def test_precision_says_how_much_of_the_matrix_it_needed(occbench_cli, finished, checkpoint, tmp_path):
    command = ("score", "--model", "tiny", "--weights", checkpoint, finished(), "--out", tmp_path / "run")
    code, out, _ = occbench_cli(*command, "--half-width", "60")
    assert code == 0
    assert "avg of all 96 cells, from" in out
    assert "were skipped" in out
    code, out, _ = occbench_cli(*command)
    assert code == 0
    assert "skipped" not in out


def test_what_cannot_be_scored_is_one_line_and_code_2(occbench_cli, finished, checkpoint, tmp_path):
    data = (finished(), "--out", tmp_path / "run")
    for options, expected in (
        (("--model", "tiny"), "random"),
        (("--model", "torchvision/resnet18", "--weights", checkpoint), "does not fit"),
        (("--model", "nobody", "--weights", checkpoint), "no model is called"),
        (("--model", "tiny", "--weights", checkpoint, "--half-width", "250"), "half-width"),
        (("--model", "tiny", "--weights", checkpoint, "--batch-size", "0"), "batch"),
    ):
        code, _, err = occbench_cli("score", *options, *data)
        assert code == 2
        assert expected in err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
