"""The page on analyses: every command of it, on runs and decoders that are made small."""

import json
import re
import shlex
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "analyse.md"
#: What makes each command take seconds.
SMALL = {
    "run-benchmark": (
        "--set", "source.images_per_class=8", "--set", "split.test_source.images_per_class=10",
        "--set", "split.test_per_class=10", "--set", "split.pair_per_class=2", "--set", "train.epochs=1",
        "--set", "warm_up.epochs=1",
    ),
    "difficulty": (),
    "tsne": ("--all-classes-images", "2"),
    "decode": ("--size-px", "16", "--width", "16", "--epochs", "1", "--train-images", "6", "--test-images", "6"),
    "sweep": ("--dry-run",),
    "agreement": (),
}  # fmt: skip
#: A run is opened with the changes of its images, not of its training.
OF_IMAGES = SMALL["run-benchmark"][:8]


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_every_verb_has_its_command_on_the_page():
    verbs = [line[2] if line[1] == "analyse" else line[1] for line in commands()]
    assert set(verbs) == set(SMALL)


@pytest.mark.slow
def test_every_command_does_what_the_page_says(occbench_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"SYNTHETIC": "runs", "REAL": "runs"}
    for line in commands():
        verb = line[2] if line[1] == "analyse" else line[1]
        extra = SMALL[verb] + (OF_IMAGES if verb in ("tsne", "decode", "sweep") else ())
        code, _, err = occbench_cli(*(places.get(item, item) for item in line[1:]), *extra)
        assert code == 0, f"{' '.join(line)}: {err}"
        if verb == "run-benchmark":
            homes = {json.loads(path.read_text())["arm"]: path.parent for path in Path("runs").glob("*/manifest.json")}
            places["RUN"] = str(homes["C"])
    written = {path.parent.name for path in tmp_path.glob("*/*.md")}
    assert {"difficulty", "features", "decoded", "ranks"} <= written


def test_every_picture_of_the_page_is_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert pictures
    for picture in pictures:
        assert (PAGE.parent / picture).stat().st_size < 150_000, f"{picture} is larger than a page needs"


def test_the_verdicts_on_the_page_are_those_of_the_committed_numbers():
    text = PAGE.read_text(encoding="utf-8")
    files = sorted((PAGE.parent / "analysis").glob("*/*.json"))
    assert files
    for file in files:
        for finding in json.loads(file.read_text(encoding="utf-8"))["findings"]:
            evidence = finding["evidence"]
            assert f"{finding['verdict']}: {evidence}" in text, f"{file.parent.name}/{file.name}: {finding['claim']}"
