"""Occlusion patterns: the same overlay for every image, of the asked ratio, at shared positions, wholly inside."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.seeding import stream
from occbench.core.types import KEY_PATTERN, Condition, Example
from occbench.occlusions.banks.bank import load_bank
from occbench.occlusions.patterns import Patterns

SIZES = [(64, 64), (224, 224), (448, 448), (260, 220)]
CATEGORIES = ("ring", "bar", "wedge", "star", "blob", "cross", "drop", "fan", "disc", "block")


def draw(category: int, look: int) -> np.ndarray:
    """Draw a soft-edged coloured shape: a flower of ``category`` petals, more oblong with each look."""
    height, width = 90 + 10 * look, 120 - 15 * look
    y, x = np.mgrid[:height, :width]
    across, down = (x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1
    edge = 0.75 + 0.2 * np.cos(category * np.arctan2(down, across))
    alpha = np.clip((edge - np.hypot(across, down)) * 20, 0, 1)
    colour = [x * 255 // width, y * 255 // height, np.full_like(x, 25 * category)]
    return np.dstack([*colour, np.rint(alpha * 255)]).astype(np.uint8)


@pytest.fixture(scope="session")
def bank(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("shapes")
    for number, category in enumerate(CATEGORIES):
        for look in (1, 2, 3):
            Image.fromarray(draw(number, look)).save(folder / f"{category}{look}.png")
    return str(folder)


def folder_of(tmp_path: Path, **pictures: np.ndarray) -> str:
    for name, rgba in pictures.items():
        Image.fromarray(rgba).save(tmp_path / f"{name}.png")
    return str(tmp_path)


def photograph(height: int = 224, width: int = 224, key: str = "a") -> Example:
    pixels = stream(1, key, "pixels").integers(256, height * width * 3)
    return Example(key=key, image=pixels.astype(np.uint8).reshape(height, width, 3), labels=(0,))


def overlays(patterns: Patterns, example: Example, seed: int = 7) -> list:
    return [patterns.overlay(example, condition, seed) for condition in patterns.conditions]


def centre_of(overlay) -> tuple[float, float]:
    """Return the centre (x, y) of an overlay's box, pixels."""
    rows, columns = overlay.rgba.shape[:2]
    return overlay.x0 + columns / 2, overlay.y0 + rows / 2


def digest(patterns: Patterns, size: tuple[int, int], seed: int = 7) -> str:
    found = hashlib.sha256()
    for overlay in overlays(patterns, photograph(*size), seed):
        found.update(repr((overlay.x0, overlay.y0, overlay.rgba.shape)).encode() + overlay.rgba.tobytes())
    return found.hexdigest()


@pytest.mark.parametrize(
    ("rows", "count"), [("", 240), ("/look1", 80), ("/look2+look3", 160)], ids=["all", "row 1", "rows 2 and 3"]
)
def test_counts_and_names_are_those_of_the_paper(bank, rows, count):
    for name in (bank + rows, "occbench-30" + rows):
        names = [condition.name for condition in Patterns(bank=name).conditions]
        assert len(names) == len(set(names)) == count
        assert all(KEY_PATTERN.fullmatch(found) for found in names)


def test_three_occluders_make_24_patterns_in_order():
    conditions = Patterns().conditions
    groups = [condition.group for condition in conditions]
    assert len(conditions) == 24
    assert groups == ["10c", "10r", "10r", "10r", "20c", "20r", "20r", "20r"] * 3
    first = load_bank("occbench-3").occluders[0]
    assert [condition.name for condition in conditions[:8]] == [
        f"{first.name}_{percent}_{position}" for percent in (10, 20) for position in ("c", "r1", "r2", "r3")
    ]
    assert dict(conditions[5].parameters) == {
        "occluder": first.name,
        "occluder_sha256": first.sha256,
        "ratio": 0.2,
        "position": "r1",
    }


def test_row_1_and_rows_2_and_3_share_no_occluder(bank):
    one, other = (
        {condition.parameters["occluder_sha256"] for condition in Patterns(bank=bank + rows).conditions}
        for rows in ("/look1", "/look2+look3")
    )
    assert (len(one), len(other), len(one & other)) == (10, 20, 0)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("source", ["shapes", "occbench-30"])
def test_every_pattern_has_its_ratio_and_lies_inside(bank, source, size):
    patterns = Patterns(bank=bank if source == "shapes" else source)
    height, width = size
    example = photograph(*size)
    for condition in patterns.conditions:
        overlay = patterns.overlay(example, condition, 7)
        rows, columns = overlay.rgba.shape[:2]
        assert 0 <= overlay.x0 <= width - columns, condition.name
        assert 0 <= overlay.y0 <= height - rows, condition.name
        assert overlay.achieved == int(overlay.alpha.sum(dtype=np.int64)) / 255 / (height * width)
        assert abs(overlay.achieved - condition.parameters["ratio"]) <= 0.005, condition.name


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ratios_share_their_centres_within_rounding(bank, size):
    patterns = Patterns(bank=bank, ratios=(0.2, 0.05, 0.1))
    centres: dict[tuple, list] = {}
    for condition, overlay in zip(patterns.conditions, overlays(patterns, photograph(*size)), strict=True):
        asked = condition.parameters
        centres.setdefault((asked["occluder"], asked["position"]), []).append(centre_of(overlay))
    for (_, position), found in centres.items():
        assert np.ptp(found, axis=0).max() <= 1, "each is rounded by half a pixel at most"
        if position == "c":
            assert np.abs(np.array(found) - np.array(size[::-1]) / 2).max() <= 0.5


def test_random_centres_fill_the_room_that_the_largest_box_leaves(bank):
    patterns = Patterns(bank=bank, occluders=("ring1",), ratios=(0.05, 0.2), random_positions=200, centre=False)
    made = overlays(patterns, photograph())
    rows, columns = made[-1].rgba.shape[:2]
    half, room = np.array([columns, rows]) / 2, np.array([224 - columns, 224 - rows])
    shares = (np.array([centre_of(overlay) for overlay in made]) - half) / room
    assert (shares >= -0.5 / room).all(), "of the smaller ratio, too, to half a pixel"
    assert (shares <= 1 + 0.5 / room).all()
    assert np.allclose(shares.mean(axis=0), 0.5, atol=0.08)
    assert (shares.min(axis=0) < 0.05).all()
    assert (shares.max(axis=0) > 0.95).all()


def test_positions_per_ratio_draws_each_ratio_anew(bank):
    patterns = Patterns(bank=bank, occluders=("bar2",), positions_per_ratio=True)
    centres = np.array([centre_of(overlay) for overlay in overlays(patterns, photograph())])
    assert np.abs(centres[[0, 4]] - 112).max() <= 0.5
    others = centres[[1, 2, 3, 5, 6, 7]]
    apart = np.abs(others[:, None] - others[None]).max(axis=2)
    assert (apart + 9 * np.eye(6) > 1).all(), "more than rounding moves them"


def test_a_centroid_anchor_centres_the_mass(tmp_path):
    y, x = np.mgrid[:60, :60]
    wedge = np.dstack([x * 0 + 90, x, y, np.where(x > y, 255, 0)]).astype(np.uint8)
    name = folder_of(tmp_path, wedge=wedge)
    for anchor, expected in (("box", 0.5 + 1 / 6), ("centroid", 0.5)):
        patterns = Patterns(bank=name, anchor=anchor, ratios=(0.2,), random_positions=0)
        overlay = patterns.overlay(photograph(300, 300), patterns.conditions[0], 7)
        columns = overlay.x0 + 0.5 + np.arange(overlay.rgba.shape[1])
        centroid = (columns * overlay.alpha.sum(axis=0)).sum() / overlay.alpha.sum()
        span = overlay.rgba.shape[1] / 300
        assert centroid / 300 == pytest.approx(0.5 + (expected - 0.5) * span, abs=2.5 / 300)


def test_an_overlay_belongs_to_no_image(bank):
    patterns = Patterns(bank=bank)
    assert not patterns.per_image
    for condition in patterns.conditions[::17]:
        one, other = (patterns.overlay(photograph(key=key), condition, 7) for key in ("a", "b"))
        assert one is other


def test_a_fresh_process_makes_the_same_overlays(bank):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_patterns import Patterns, digest\n"
        f"print(digest(Patterns(bank={bank!r}, occluders=('ring1', 'star2')), (224, 224)))"
    )
    fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == digest(Patterns(bank=bank, occluders=("ring1", "star2")), (224, 224))


def test_a_player_travels_to_workers_without_its_pixels(bank):
    patterns = Patterns(bank=bank)
    overlays(patterns, photograph())
    packed = pickle.dumps(patterns)
    assert len(packed) < 100_000
    assert pickle.loads(packed) == patterns


def test_another_seed_moves_random_patterns_only(bank):
    patterns = Patterns(bank=bank)
    example = photograph()
    for condition, one, other in zip(
        patterns.conditions, overlays(patterns, example, 7), overlays(patterns, example, 8), strict=True
    ):
        same_place = (one.x0, one.y0) == (other.x0, other.y0)
        assert same_place == (condition.parameters["position"] == "c"), condition.name
        assert np.array_equal(one.rgba, other.rgba)


def test_an_occluder_keeps_its_positions_in_another_bank(bank):
    alone, whole, example = Patterns(bank=bank, occluders=("fan3",)), Patterns(bank=bank), photograph()
    for condition in alone.conditions:
        one, other = (family.overlay(example, condition, 7) for family in (alone, whole))
        assert (one.x0, one.y0, one.rgba.tobytes()) == (other.x0, other.y0, other.rgba.tobytes())


def test_golden_pixels(tmp_path):
    # A change here changes published pixels: raise Patterns.version and say so in the change log.
    y, x = np.mgrid[:100, :80]
    soft = 255 - ((x - 45) ** 2 * 9 + (y - 50) ** 2 * 5 - 6000) // 25  # whole numbers: the same on every machine
    shape = np.dstack([3 * x, 2 * y, (x * y) % 256, soft.clip(0, 255)]).astype(np.uint8)
    patterns = Patterns(bank=folder_of(tmp_path, shape=shape))
    assert {size: digest(patterns, size)[:16] for size in ((224, 224), (200, 260))} == {
        (224, 224): "44353347323b3c81",
        (200, 260): "6d6c595167ad350b",
    }


def test_a_misfit_is_refused_by_name(tmp_path):
    bar = np.full((10, 100, 4), 255, dtype=np.uint8)
    patterns = Patterns(bank=folder_of(tmp_path, bar=bar, disc=draw(0, 1)))
    example = photograph()
    misfits = [condition for condition in patterns.conditions if condition.parameters["occluder"] == "bar"]
    for condition in misfits:  # those of 10 %, which would fit, share the positions of the largest ratio
        with pytest.raises(OcclusionError, match=r"bar at ratio 0.2 takes 319 x 32 px .* 224 x 224 px"):
            patterns.overlay(example, condition, 7)
    for condition in patterns.conditions[len(misfits) :]:
        patterns.overlay(example, condition, 7)
    wide = photograph(100, 448)
    assert all(patterns.overlay(wide, condition, 7).rgba.shape[1] <= 448 for condition in misfits)


def test_a_centroid_that_pushes_the_box_out_is_refused(tmp_path):
    y, x = np.mgrid[:100, :100]
    lopsided = np.dstack([x, y, x, np.where((x < 60) | (y == 50), 255, 0)]).astype(np.uint8)
    patterns = Patterns(bank=folder_of(tmp_path, lopsided=lopsided), anchor="centroid", ratios=(0.45,))
    with pytest.raises(OcclusionError, match=r"lopsided at ratio 0\.45 .* centroid at the centre"):
        patterns.overlay(photograph(), patterns.conditions[0], 7)


def test_a_condition_of_another_player_is_refused(bank):
    with pytest.raises(OcclusionError, match="no condition umbrella9_10_c"):
        Patterns(bank=bank).overlay(photograph(), Condition("umbrella9_10_c", "patterns", "10c"), 7)


def test_fractions_of_a_percent_have_names(bank):
    patterns = Patterns(bank=bank, ratios=(0.125,), occluders=("ring1",), random_positions=1)
    assert [(c.name, c.group) for c in patterns.conditions] == [("ring1_12p5_c", "12p5c"), ("ring1_12p5_r1", "12p5r")]


def test_the_summary_names_bank_and_files(bank):
    summary = Patterns(bank=bank, occluders=("ring2", "disc1")).summary()
    loaded = load_bank(bank)
    assert summary["bank"] == loaded.name
    assert summary["bank_fingerprint"] != loaded.fingerprint  # of the occluders in use
    assert summary["occluders"] == {name: loaded.by_name(name).sha256 for name in ("ring2", "disc1")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratios": ()}, "at least one ratio"),
        ({"ratios": (20,)}, r"shares of the image in \(0, 0.5\], found 20"),
        ({"ratios": (0.0,)}, "found 0.0"),
        ({"ratios": (0.1, 0.1)}, "must differ"),
        ({"random_positions": -1}, "cannot be negative"),
        ({"random_positions": 0, "centre": False}, "no position left"),
        ({"anchor": "middle"}, "found 'middle'"),
        ({"occluders": ("a", "a")}, "must differ"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Patterns(**options)


def test_an_unknown_occluder_is_refused(bank):
    with pytest.raises(ConfigError, match=r"no occluder 'ring9'\. Did you mean ring"):
        _ = Patterns(bank=bank, occluders=("ring9",)).conditions
