"""Writing a bank: what is written is what is loaded, and a bank is whole or absent."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import ConfigError, StorageError
from occbench.occlusions.banks.bank import load_bank
from occbench.occlusions.banks.writing import NewOccluder, write_bank


def cutout(value: int) -> np.ndarray:
    return np.full((6, 4, 4), (value, 2, 3, 255), dtype=np.uint8)


def test_a_written_bank_is_loaded_as_it_was(tmp_path):
    occluders = [NewOccluder("mug", 2, cutout(9), source="photo.jpg#7"), NewOccluder("cone", 1, cutout(8))]
    assert write_bank(tmp_path, "own", "CC0", iter(occluders)) == ("mug2", "cone1")
    bank = load_bank(tmp_path)
    assert bank.name == "own"
    assert [(found.name, found.category, found.look) for found in bank.occluders] == [
        ("mug2", "mug", 2),
        ("cone1", "cone", 1),
    ]
    assert all(np.array_equal(found.rgba, made.rgba) for found, made in zip(bank.occluders, occluders, strict=True))
    listed = json.loads((tmp_path / "bank.json").read_text())
    assert listed["licence"] == "CC0"
    assert [entry.get("source") for entry in listed["occluders"]] == ["photo.jpg#7", None]
    assert [entry["alpha_share"] for entry in listed["occluders"]] == [1.0, 1.0]


def test_a_bank_that_is_being_replaced_is_no_bank(tmp_path):
    write_bank(tmp_path, "own", "CC0", [NewOccluder("mug", 1, cutout(9))])

    def stopped():
        yield NewOccluder("mug", 1, cutout(7))
        raise ConfigError("stopped")

    with pytest.raises(ConfigError, match="stopped"):
        write_bank(tmp_path, "own", "CC0", stopped())
    assert [path.name for path in tmp_path.iterdir()] == ["mug1.png"]
    with Image.open(tmp_path / "mug1.png") as picture:
        assert picture.getpixel((0, 0)) == (7, 2, 3, 255)


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        write_bank(tmp_path / "file", "own", "CC0", [])
