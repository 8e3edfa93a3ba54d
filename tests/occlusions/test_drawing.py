"""The embedded bank: complete, as listed, textured, soft-edged, placeable, and what the drawing code draws."""

import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import occbench.occlusions.banks
from occbench.core.errors import OcclusionError, StorageError
from occbench.occlusions.banks.drawing.bank import DRAWINGS, draw, draw_bank, names
from occbench.occlusions.banks.drawing.canvas import SIZE_PX, SUPERSAMPLING, Canvas
from occbench.occlusions.banks.drawing.sheet import contact_sheet

FOLDER = Path(occbench.occlusions.banks.__file__).parent / "occbench30"
CATEGORIES = ["ball", "box", "bottle", "leaf", "fence", "mug", "umbrella", "cone", "cloth", "log"]
NAMES = [f"{category}{look}" for category in CATEGORIES for look in (1, 2, 3)]
LISTING = json.loads((FOLDER / "bank.json").read_text())


def read(name: str) -> NDArray[np.uint8]:
    with Image.open(FOLDER / f"{name}.png") as file:
        assert file.mode == "RGBA"
        return np.asarray(file)


def assert_same_picture(drawn: NDArray[np.uint8], committed: NDArray[np.uint8]) -> None:
    # Sines, roots and blurs may differ in the last bit between builds of numpy and OpenCV, which can move a rounded
    # value by one grey level and, where a pattern has a hard threshold, a rare sample across it.
    assert drawn.shape == committed.shape
    difference = np.abs(drawn.astype(int) - committed.astype(int)).max(axis=2)
    assert (difference > 1).mean() < 1e-3


def test_the_grid_is_complete_and_in_order() -> None:
    assert names() == NAMES
    assert list(DRAWINGS) == CATEGORIES
    assert LISTING["name"] == "occbench-30"
    assert LISTING["licence"] == "Apache-2.0"
    assert [entry["name"] for entry in LISTING["occluders"]] == NAMES
    assert [(entry["category"], entry["look"]) for entry in LISTING["occluders"]] == [
        (category, look) for category in CATEGORIES for look in (1, 2, 3)
    ]
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(["bank.json", *(f"{name}.png" for name in NAMES)])
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 5_000_000


@pytest.mark.parametrize("entry", LISTING["occluders"], ids=NAMES)
def test_every_file_is_as_listed(entry: dict[str, Any]) -> None:
    data = (FOLDER / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    rgba = read(entry["name"])
    assert rgba.shape == (entry["height"], entry["width"], 4)
    assert max(rgba.shape) <= 384
    assert rgba[..., 3].mean() / 255 == pytest.approx(entry["alpha_share"], abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_cut_out_is_tight_soft_edged_and_textured(name: str) -> None:
    rgba = read(name)
    alpha = rgba[..., 3]
    visible = alpha > 0
    assert all(side.any() for side in (visible[0], visible[-1], visible[:, 0], visible[:, -1]))
    assert not rgba[~visible].any()
    assert 0.01 < (visible & (alpha < 255)).mean() < 0.6  # glass is translucent all over
    colours = rgba[alpha > 128][:, :3]
    assert len(np.unique(colours, axis=0)) > 3000
    assert colours.std(axis=0).max() > 20
    # a flat area between two outlines would leave whole blocks of one colour
    blocks = rgba[: rgba.shape[0] // 8 * 8, : rgba.shape[1] // 8 * 8].reshape(rgba.shape[0] // 8, 8, -1, 8, 4)
    inside = blocks[..., 3].min(axis=(1, 3)) > 128
    flat = np.ptp(blocks[..., :3].astype(int), axis=(1, 3)).max(axis=-1) == 0
    assert (flat & inside).sum() < 0.02 * inside.sum()


@pytest.mark.parametrize("name", NAMES)
def test_a_fifth_of_an_image_can_be_covered_with_slack(name: str) -> None:
    alpha = read(name)[..., 3]
    mass = alpha.sum(dtype=np.int64) / 255
    assert math.sqrt(0.2 * 224 * 224 / mass) * max(alpha.shape) <= 204


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_looks_of_a_category_differ(category: str) -> None:
    thumbnails = []
    for look in (1, 2, 3):
        picture = Image.new("RGBA", (384, 384), (128, 128, 128, 255))
        picture.alpha_composite(Image.fromarray(read(f"{category}{look}")))
        thumbnails.append(np.asarray(picture.convert("RGB").resize((32, 32)), dtype=float))
    for first, second in itertools.combinations(thumbnails, 2):
        assert np.abs(first - second).mean() > 12


@pytest.mark.parametrize("name", ["ball3", "bottle1", "log1", "umbrella3", "cloth2", "leaf1"])
def test_drawing_again_gives_the_committed_picture(name: str) -> None:
    assert_same_picture(draw(name), read(name))


@pytest.mark.slow
def test_drawing_the_whole_bank_gives_the_committed_one(tmp_path: Path) -> None:
    draw_bank(tmp_path)
    assert draw("leaf3").tobytes() == draw("leaf3").tobytes()
    for name in NAMES:
        with Image.open(tmp_path / f"{name}.png") as file:
            assert_same_picture(np.asarray(file), read(name))
    written = json.loads((tmp_path / "bank.json").read_text())
    assert [entry["name"] for entry in written["occluders"]] == NAMES


def test_the_canvas_premultiplies_and_refuses_what_it_would_cut_off() -> None:
    canvas = Canvas("probe")
    inside = (np.abs(canvas.x - 200) < 96) & (np.abs(canvas.y - 200) < 48)
    canvas.paint((1.0, 0.0, 0.0), inside.astype(np.float32))
    canvas.paint((0.0, 0.0, 1.0), 0.5 * inside.astype(np.float32))
    rgba = canvas.finish()
    assert rgba.shape == (192, 384, 4)
    assert np.unique(rgba.reshape(-1, 4), axis=0).tolist() == [[128, 0, 128, 255]]
    canvas.paint((1.0, 1.0, 1.0), np.ones((SIZE_PX * SUPERSAMPLING,) * 2, dtype=np.float32))
    with pytest.raises(OcclusionError, match="drawing probe reaches the border"):
        canvas.finish()


def test_the_contact_sheet_shows_every_occluder() -> None:
    sheet = np.asarray(contact_sheet(FOLDER)).astype(int)
    height, width = sheet.shape[0] // 3, sheet.shape[1] // 10
    for row, column in itertools.product(range(3), range(10)):
        cell = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        assert (np.abs(cell - 240).max(axis=2) > 60).mean() > 0.08


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        draw_bank(tmp_path / "file")
