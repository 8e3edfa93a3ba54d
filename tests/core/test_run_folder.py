"""How far a run has come is told by which files are there, and a damaged manifest is one clear line."""

import json

import pytest

from occbench.core.errors import DatasetError
from occbench.core.run_folder import RunFolder, run_folders


def made(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if "." in name else path.mkdir(exist_ok=True)
    return RunFolder(tmp_path)


@pytest.mark.parametrize(
    ("names", "begun"),
    [
        ((), False),
        (("train",), True),
        (("train", "checkpoint.safetensors"), False),  # a warm-up
        (("train", "checkpoint.safetensors", "scores"), True),
        (("train", "checkpoint.safetensors", "scores", "manifest.json"), False),
        (("scores",), False),
    ],
)
def test_a_run_is_begun_until_its_manifest_is_there_unless_it_is_a_warm_up(tmp_path, names, begun):
    home = made(tmp_path, *names)
    assert home.begun == begun
    assert home.finished == ("manifest.json" in names)


@pytest.mark.parametrize("content", ["", "[]", '"x"', '{"facts": ', '{"facts": []}'])
def test_a_damaged_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged .*delete that one file and run again"):
        RunFolder(tmp_path).read_manifest()


def test_a_manifest_has_what_is_needed_of_it(tmp_path):
    home = RunFolder(tmp_path)
    assert home.read_manifest(("facts",)) is None
    home.manifest.write_text(json.dumps({"facts": {"seed": 0}}))
    assert home.read_manifest(("facts",)) == {"facts": {"seed": 0}}
    with pytest.raises(DatasetError, match="lacks test_set"):
        home.read_manifest(("facts", "test_set"))


def test_run_folders_are_the_directories_by_name(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    assert [home.path.name for home in run_folders(tmp_path)] == ["a", "b"]
    assert run_folders(tmp_path / "none") == []
