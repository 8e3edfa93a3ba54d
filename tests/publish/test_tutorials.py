"""The how-tos on reading and publishing, block by block as a reader would run them."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"


def blocks(page):
    """Return (language, text) of every block of code, in order."""
    return re.findall(r"```(sh|python)\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a reader's program does not fail because a library warns
def test_reading(tmp_path, monkeypatch, occbench_cli, capsys):
    monkeypatch.chdir(tmp_path)
    names, printed = {}, ""
    for language, text in blocks("read-a-dataset.md"):
        if language == "sh":
            for command in text.strip().splitlines():
                code, _, err = occbench_cli(*shlex.split(command)[1:])
                assert code == 0, err
        elif "fiftyone" not in text or importlib.util.find_spec("fiftyone"):
            exec(compile(text, "read-a-dataset.md", "exec"), names)
            printed += capsys.readouterr().out
    for line in (
        r"torch.Size\(\[3, 96, 96\]\) torch.uint8 \w+ umbrella2_10_c 0\.10",
        r"torch.Size\(\[48, 3, 96, 96\]\) tensor\(\[.*\['umbrella2_10_c', 'umbrella2_10_r1'\]",
        r"torch.Size\(\[3, 64, 64\]\) torch.float32",
        r"10c: [\d.]+ % of 36\n10r: [\d.]+ % of 108\n20c: [\d.]+ % of 36\n20r: [\d.]+ % of 108",
        r"\w+ umbrella2_10_c \(96, 96\)\n36\n",
        r"\(96, 96\) \d+ umbrella2_10_c 0\.10",
        r"True True True",
    ):
        assert re.search(line, printed), printed


@pytest.mark.slow
def test_publishing(hub, as_user):
    said = ""
    for language, text in blocks("publish.md"):
        text = text.replace("my-lab", "lab")
        if language == "python":
            done = as_user(code=text)
            assert done.stdout == "576 torch.Size([3, 96, 96])\n", done.stderr
            continue
        for command in text.strip().splitlines():
            if "publish runs" not in command:  # tests/publish/test_runs.py runs a benchmark first
                done = as_user(*shlex.split(command)[1:])
                assert done.returncode == 0, done.stderr
                said += done.stdout
    assert "nothing was sent" in said
    assert "Every file has the published hash." in said
    assert {name for _, name in hub.store.repos} == {"lab/toys", "lab/toys-recipe"}
