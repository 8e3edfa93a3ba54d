"""Banks: what a folder holds is what is loaded, and every file that cannot be an occluder is named."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.files import hash_file
from occbench.occlusions.banks.bank import load_bank


def save(path: Path, rgba: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(path, **options)
    return path


def disc(side: int = 40, colour: tuple[int, int, int] = (200, 30, 90)) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    rgba = np.empty((side, side, 4), dtype=np.uint8)
    rgba[..., :3] = colour
    rgba[..., 3] = np.where(np.hypot(x, y) < side / 2 - 2, 255, 0)
    return rgba


def listed(folder: Path, names: list[str]) -> dict:
    entries = []
    for name in names:
        path = save(folder / f"{name}.png", disc())
        entries.append(
            {"name": name, "category": name[:-1], "look": int(name[-1]), "file": path.name, "sha256": hash_file(path)}
        )
    return {"name": "mine", "licence": "CC0", "occluders": entries}


def test_names_come_from_stems_and_looks_from_their_numbers(tmp_path):
    for stem in ("Red Disc", "leaf2", "leaf1"):
        save(tmp_path / f"{stem}.png", disc())
    save(tmp_path / "plain.WEBP", disc(), lossless=True)
    (tmp_path / "notes.txt").write_text("not an occluder")
    bank = load_bank(tmp_path)
    found = [(occluder.name, occluder.category, occluder.look) for occluder in bank.occluders]
    assert found == [
        ("leaf1", "leaf", 1),
        ("leaf2", "leaf", 2),
        ("plain", "plain", 1),
        ("red-disc", "red-disc", 1),
    ]


def test_pixels_are_trimmed_clean_and_hashed(tmp_path):
    rgba = disc()
    path = save(tmp_path / "disc.png", rgba)
    (occluder,) = load_bank(tmp_path).occluders
    visible = rgba[..., 3] > 0
    assert occluder.rgba.shape == (36, 36, 4)
    assert occluder.rgba[..., 3].any(axis=0).all()
    assert occluder.rgba[..., 3].any(axis=1).all()
    assert not occluder.rgba[occluder.rgba[..., 3] == 0].any()
    assert occluder.alpha_mass == visible.sum()
    assert occluder.centroid == pytest.approx((0.5, 0.5))
    assert occluder.sha256 == hash_file(path)
    with pytest.raises(ValueError, match="read-only"):
        occluder.rgba[0, 0] = 0


def test_a_bank_is_read_once(tmp_path):
    save(tmp_path / "disc.png", disc())
    assert load_bank(tmp_path) is load_bank(str(tmp_path))


def test_the_fingerprint_follows_names_and_bytes(tmp_path):
    save(tmp_path / "a" / "disc.png", disc())
    save(tmp_path / "b" / "disc.png", disc())
    save(tmp_path / "c" / "other.png", disc())
    save(tmp_path / "d" / "disc.png", disc(colour=(200, 30, 91)))
    prints = [load_bank(tmp_path / folder).fingerprint for folder in "abcd"]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_rows_and_names_select(tmp_path):
    (tmp_path / "bank.json").write_text(json.dumps(listed(tmp_path, ["a1", "b1", "a2", "b2", "a3"])))
    save(tmp_path / "stray.png", disc())
    bank = load_bank(tmp_path)
    assert [occluder.name for occluder in bank.occluders] == ["a1", "b1", "a2", "b2", "a3"]
    chosen = load_bank(f"{tmp_path}/look2+look3")
    assert chosen.name == "mine/look2+look3"
    assert [occluder.name for occluder in chosen.occluders] == ["a2", "b2", "a3"]
    assert bank.by_name("b2") is bank.occluders[3]
    with pytest.raises(ConfigError, match="no occluder 'b3'"):
        bank.by_name("b3")
    with pytest.raises(ConfigError, match="no look 4: it has 1, 2, 3"):
        load_bank(f"{tmp_path}/look4")


def opaque_without_alpha(folder: Path) -> None:
    save(folder / "bad.png", disc()[..., :3])


def fully_transparent(folder: Path) -> None:
    save(folder / "bad.png", np.zeros((8, 8, 4), dtype=np.uint8))


def not_an_image(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")


def cut_short(folder: Path) -> None:
    noise = np.random.Philox(1).random_raw(4096).astype("<u8").view(np.uint8)[:16384].reshape(64, 64, 4)
    path = save(folder / "bad.png", noise)
    path.write_bytes(path.read_bytes()[:6000])


def same_name_twice(folder: Path) -> None:
    save(folder / "bad.png", disc())
    save(folder / "bad.webp", disc(), lossless=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (opaque_without_alpha, "no alpha channel"),
        (fully_transparent, "fully transparent"),
        (not_an_image, "cannot be read"),
        (cut_short, "cannot be read"),
        (same_name_twice, "both get the name bad"),
    ],
)
def test_a_file_that_is_no_occluder_is_named(tmp_path, spoil, message):
    save(tmp_path / "good.png", disc())
    spoil(tmp_path)
    with pytest.raises(OcclusionError, match=message) as error:
        load_bank(tmp_path)
    assert "bad.png" in str(error.value)


def test_an_opaque_rectangle_with_an_alpha_channel_is_an_occluder(tmp_path):
    save(tmp_path / "square.png", np.full((8, 6, 4), 255, dtype=np.uint8))
    assert load_bank(tmp_path).by_name("square").alpha_mass == 48


def test_a_folder_or_name_that_is_no_bank_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no PNG or WebP"):
        load_bank(tmp_path)
    with pytest.raises(ConfigError, match="occbench-3, occbench-30"):
        load_bank("occbench-31")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda listing: listing["occluders"][0].update(sha256="0" * 64), "has changed"),
        (lambda listing: listing["occluders"][0].update(file="gone.png"), "gone.png, which is not there"),
        (lambda listing: listing["occluders"][0].update(file="../a1.png"), "file: .*pattern"),
        (lambda listing: listing["occluders"][0].pop("look"), r"occluders\.0\.look: .*required"),
        (lambda listing: listing["occluders"].append(listing["occluders"][0]), "more than once"),
        (lambda listing: listing["occluders"].clear(), "at least 1"),
    ],
)
def test_a_listing_that_does_not_fit_its_folder_is_refused(tmp_path, change, message):
    listing = listed(tmp_path, ["a1", "b1"])
    change(listing)
    (tmp_path / "bank.json").write_text(json.dumps(listing))
    with pytest.raises(OcclusionError, match=message):
        load_bank(tmp_path)


def test_the_embedded_bank_is_a_full_grid():
    bank = load_bank("occbench-30")
    assert len(bank.occluders) == 30
    assert set(Counter(occluder.category for occluder in bank.occluders).values()) == {3}
    assert [len(load_bank(f"occbench-30/{rows}").occluders) for rows in ("look1", "look2+look3")] == [10, 20]
    assert not {o.name for o in bank.row(1).occluders} & {o.name for o in bank.row(2, 3).occluders}


def test_the_small_embedded_bank_is_three_categories_of_the_large_one():
    small, large = load_bank("occbench-3"), load_bank("occbench-30")
    assert len({occluder.category for occluder in small.occluders}) == 3
    assert all(occluder is large.by_name(occluder.name) for occluder in small.occluders)
