"""Irregular holes: always inside their bin, different per image, from strokes or from a folder of masks."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from occbench.core.compose import composite
from occbench.core.errors import ConfigError, OcclusionError
from occbench.core.prepare import Prepare, read_prepared
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.occlusions.holes import hole_overlay
from occbench.occlusions.irregular import Irregular
from occbench.occlusions.mask_files import fit_mask, read_mask
from occbench.sources.coco import Coco


def example_of(key="photo", height=224, width=224):
    return Example(key=key, image=np.full((height, width, 3), 200, dtype=np.uint8), labels=(0,))


def hole_of(player, example, condition, seed=0):
    return (composite(example.image, player.overlay(example, condition, seed)) != 200).any(axis=2)


def save_mask(path, share, size=(64, 64), hole_value=255):
    """A mask whose first columns are the hole."""
    width = size[1]
    pixels = np.full(size, 255 - hole_value, dtype=np.uint8)
    pixels[:, : round(width * share)] = hole_value
    Image.fromarray(pixels).save(path)


@pytest.fixture
def masks(tmp_path):
    """Three low and two high masks, one of neither, and a file that is no mask."""
    for name, share in [("a", 0.05), ("b", 0.0625), ("c", 0.09375), ("d", 0.3), ("e", 0.53125), ("f", 0.578125)]:
        save_mask(tmp_path / f"{name}.png", share)
    (tmp_path / "LICENSE.md").write_text("terms")
    (tmp_path / "._a.png").write_bytes(b"left by a file manager")
    return tmp_path


@pytest.mark.parametrize("side", [64, 224, 448])
def test_strokes_stay_in_their_bin(side):
    player = Irregular()
    for condition in player.conditions:
        low, high = condition.parameters["low"], condition.parameters["high"]
        shares = []
        for index in range(200):
            overlay = player.overlay(example_of(f"image-{index}", side, side), condition, 0)
            assert low < overlay.achieved <= high
            shares.append(overlay.achieved)
        assert np.ptp(shares) > 0.6 * (high - low), "shares spread over the bin"


@pytest.mark.parametrize(("height", "width"), [(17, 23), (100, 300), (8, 8)])
def test_strokes_stay_in_their_bin_on_odd_sizes(height, width):
    player = Irregular()
    for condition in player.conditions:
        for index in range(20):
            overlay = player.overlay(example_of(f"image-{index}", height, width), condition, 0)
            assert condition.parameters["low"] < overlay.achieved <= condition.parameters["high"]


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3005), (0.0, 0.0001), (0.95, 0.96), (0.0, 0.99)])
def test_narrow_and_extreme_bins_are_met(low, high):
    player = Irregular(bins=(("x", low, high),))
    for index in range(10):
        assert low < player.overlay(example_of(f"image-{index}"), player.conditions[0], 0).achieved <= high


def test_the_hole_has_the_fill_and_the_rest_is_untouched():
    player = Irregular(fill=(127, 0, 3))
    for condition in player.conditions:
        example = example_of()
        overlay = player.overlay(example, condition, 0)
        got = composite(example.image, overlay)
        hole = (got != 200).any(axis=2)
        assert (got[hole] == (127, 0, 3)).all()
        assert overlay.achieved == hole.sum() / hole.size
        assert set(np.unique(overlay.alpha)) <= {0, 255}


def test_masks_differ_between_images_seeds_and_bins():
    player = Irregular(bins=(("one", 0.2, 0.3), ("other", 0.2, 0.3)))
    one, other = player.conditions
    holes = [
        *(hole_of(player, example_of(f"image-{index}"), one) for index in range(20)),
        hole_of(player, example_of("image-0"), other),
        hole_of(player, example_of("image-0"), one, seed=1),
    ]
    assert len({hole.tobytes() for hole in holes}) == len(holes)


def test_the_same_image_always_gets_the_same_mask():
    one, other = Irregular(), Irregular()
    low, high = one.conditions
    first = [hole_of(one, example_of("a"), condition) for condition in (low, high)]
    hole_of(other, example_of("b"), low)
    again = [hole_of(other, example_of("a"), condition) for condition in (high, low)]
    assert np.array_equal(first[0], again[1])
    assert np.array_equal(first[1], again[0])


def test_golden_pixels():
    """A changed hash means other datasets: raise ``Irregular.version``."""
    player = Irregular()
    pixels = b"".join(hole_of(player, example_of(), condition, 7).tobytes() for condition in player.conditions)
    assert Irregular.version == 1
    assert hashlib.sha256(pixels).hexdigest()[:16] == "afb1753701beb323"


def test_strokes_hide_every_region_now_and_then():
    player = Irregular()
    low = player.conditions[0]
    hidden = sum(hole_of(player, example_of(f"image-{index}", 64, 64), low).astype(int) for index in range(300))
    quarters = hidden.reshape(4, 16, 4, 16).sum(axis=(1, 3)) / hidden.sum()
    assert quarters.min() > 0.5 / 16


def test_names_groups_and_parameters():
    low, high = Irregular().conditions
    assert (low.name, low.group, low.family) == ("irregular-low", "irregular-low", "irregular")
    assert high.parameters == {"bin": "high", "low": 0.5, "high": 0.6, "masks": "strokes"}
    assert Irregular().summary() == {}


def test_yaml_lists_are_accepted():
    player = Irregular(bins=[["low", 0.01, 0.1], ["high", 0.5, 0.6]], fill=[0, 0, 0])
    assert player == Irregular()
    assert hash(player) == hash(Irregular())


def test_a_bin_without_a_whole_pixel_is_an_error_that_names_image_and_bin():
    player = Irregular(bins=(("thin", 0.5001, 0.5002),))
    with pytest.raises(OcclusionError, match=r"image tiny: no number of pixels of its 10 x 10 .*bin thin"):
        player.overlay(example_of("tiny", 10, 10), player.conditions[0], 0)


def test_a_folder_is_sorted_into_bins_by_hole_share(masks):
    player = Irregular(mask_folder=str(masks))
    assert player.summary()["masks"] == {"low": 3, "high": 2}
    for condition, shares in zip(player.conditions, [{0.046875, 0.0625, 0.09375}, {0.53125, 0.578125}], strict=True):
        assert condition.parameters["masks"] == "folder"
        drawn = [player.overlay(example_of(f"image-{i}", 64, 64), condition, 0).achieved for i in range(60)]
        assert set(drawn) == shares


def test_masks_of_a_folder_are_fitted_to_the_image(masks):
    player = Irregular(mask_folder=str(masks))
    for height, width in [(224, 224), (64, 128), (40, 48)]:
        for condition in player.conditions:
            for index in range(5):
                overlay = player.overlay(example_of(f"image-{index}", height, width), condition, 0)
                assert condition.parameters["low"] < overlay.achieved <= condition.parameters["high"]


def test_a_mask_that_leaves_its_bin_when_cropped_gives_way_to_another(tmp_path):
    """Of a mask twice as wide as the image only the middle is used: 25 % of one file's hole, none of the other's."""
    side_hole, middle_hole = np.zeros((64, 128), dtype=np.uint8), np.zeros((64, 128), dtype=np.uint8)
    side_hole[:, :16] = 255
    middle_hole[:, 60:70] = 255
    Image.fromarray(side_hole).save(tmp_path / "side.png")
    Image.fromarray(middle_hole).save(tmp_path / "middle.png")
    player = Irregular(bins=(("some", 0.05, 0.2),), mask_folder=str(tmp_path))
    for index in range(10):
        hole = hole_of(player, example_of(f"image-{index}", 64, 64), player.conditions[0])
        assert np.array_equal(hole, middle_hole[:, 32:96] > 0)
    (tmp_path / "middle.png").unlink()
    alone = Irregular(bins=(("some", 0.05, 0.2),), mask_folder=str(tmp_path))
    with pytest.raises(OcclusionError, match=r"image photo: none of the 1 masks of bin some"):
        alone.overlay(example_of(height=64, width=64), alone.conditions[0], 0)


def test_the_same_image_always_gets_the_same_file(masks):
    one, other = (Irregular(mask_folder=str(masks)) for _ in range(2))
    low, high = one.conditions
    keys = [f"image-{index}" for index in range(20)]
    first = [hole_of(one, example_of(key, 64, 64), condition) for condition in (low, high) for key in keys]
    for key in reversed(keys):
        hole_of(other, example_of(key, 64, 64), high)
    again = [hole_of(other, example_of(key, 64, 64), condition) for condition in (low, high) for key in keys]
    assert np.array_equal(first, again)
    assert len({hole.tobytes() for hole in first}) == 5, "all files are used"


@pytest.mark.parametrize(("hole", "value"), [("bright", 0), ("dark", 255)])
def test_an_empty_mask_leaves_the_image_as_it_is(tmp_path, hole, value):
    """Scaling a mask by its own greatest value turns an empty one into a black image."""
    Image.new("L", (50, 40), value).save(tmp_path / "empty.png")
    example = Example("photo", stream(0, "photo").integers(256, 64 * 80 * 3).reshape(64, 80, 3).astype(np.uint8), (0,))
    overlay = hole_overlay(fit_mask(read_mask(tmp_path / "empty.png", hole), 64, 80), (0, 0, 0))
    assert overlay.achieved == 0
    assert np.array_equal(composite(example.image, overlay), example.image)


def test_real_masks_on_real_photographs(real_data):
    source = Coco(str(real_data / "coco_sample"))
    bins = (("low", 0.1, 0.3), ("high", 0.45, 0.6))
    player = Irregular(bins=bins, mask_folder=str(real_data / "irregular_masks"))
    holes = []
    for index in range(12):
        example = read_prepared(source, index, Prepare(rule="direct", size_px=224))
        for condition, (_, low, high) in zip(player.conditions, bins, strict=True):
            overlay = player.overlay(example, condition, 0)
            occluded = composite(example.image, overlay)
            hidden = np.zeros((224, 224), dtype=np.bool_)
            height, width = overlay.alpha.shape
            hidden[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.alpha == 255
            assert low < hidden.mean() <= high
            assert (occluded[hidden] == 0).all()
            assert np.array_equal(occluded[~hidden], example.image[~hidden])
            holes.append(hidden.tobytes())
    assert len(set(holes)) >= 5, "masks are drawn for each image"


def test_a_hole_is_bright_or_dark(tmp_path):
    save_mask(tmp_path / "a.png", 0.0625, hole_value=0)
    dark = Irregular(bins=(("low", 0.01, 0.1),), mask_folder=str(tmp_path), hole="dark")
    hole = hole_of(dark, example_of(height=64, width=64), dark.conditions[0])
    assert hole[:, :4].all()
    assert not hole[:, 4:].any()
    bright = Irregular(bins=(("low", 0.01, 0.1),), mask_folder=str(tmp_path))
    with pytest.raises(ConfigError, match=r"bin low .*has no mask.*hole: dark"):
        _ = bright.conditions


def test_a_hole_of_grey_value_one_counts(tmp_path):
    Image.fromarray((np.arange(64) < 4).astype(np.uint8)[None].repeat(64, axis=0)).save(tmp_path / "a.png")
    player = Irregular(bins=(("low", 0.01, 0.1),), mask_folder=str(tmp_path))
    assert player.overlay(example_of(height=64, width=64), player.conditions[0], 0).achieved == 0.0625


def test_an_empty_bin_is_named(masks):
    with pytest.raises(ConfigError, match=r"bin full \(0.8, 0.9\] has no mask: the 6 masks of .* hide 4.7% to 57.8%"):
        _ = Irregular(bins=(("low", 0.01, 0.1), ("full", 0.8, 0.9)), mask_folder=str(masks)).conditions


def test_a_truncated_mask_is_named(masks):
    noise = stream(0, "noise").integers(256, 64 * 64).astype(np.uint8).reshape(64, 64)
    Image.fromarray(noise).save(masks / "cut.png")
    whole = (masks / "cut.png").read_bytes()
    (masks / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"cut\.png cannot be read"):
        _ = Irregular(mask_folder=str(masks)).conditions


def test_the_summary_changes_with_the_masks(masks):
    before = Irregular(mask_folder=str(masks)).summary()["masks_hash"]
    assert Irregular(mask_folder=str(masks)).summary()["masks_hash"] == before
    save_mask(masks / "e.png", 0.5625)
    assert Irregular(mask_folder=str(masks)).summary()["masks_hash"] != before


def test_real_masks_are_used_as_they_are(real_data):
    folder = real_data / "irregular_masks"
    player = Irregular(bins=(("low", 0.1, 0.3), ("high", 0.45, 0.6)), mask_folder=str(folder))
    assert player.summary()["masks"] == {"low": 3, "high": 4}
    with Image.open(folder / "psv_02.png") as picture:
        holes = [np.asarray(picture) > 0]
    shares = set()
    for condition in player.conditions:
        for index in range(30):
            overlay = player.overlay(example_of(f"image-{index}", 256, 256), condition, 0)
            assert condition.parameters["low"] < overlay.achieved <= condition.parameters["high"]
            shares.add(overlay.achieved)
    assert holes[0].mean() in shares, "at its own size a file's mask is used bit for bit"
    assert len(shares) == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bins": ()}, "bins"),
        ({"bins": (("low", 0.1),)}, "bins"),
        ({"bins": (("low", 1, 10),)}, "bin low"),
        ({"bins": (("low", 0.1, 0.1),)}, "bin low"),
        ({"bins": (("low", -0.1, 0.1),)}, "bin low"),
        ({"bins": (("low", 0.6, 0.5),)}, "bin low"),
        ({"bins": (("Low!", 0.1, 0.2),)}, "a bin's name"),
        ({"bins": (("a", 0.1, 0.2), ("a", 0.3, 0.4))}, "names of bins must differ"),
        ({"hole": "white"}, "hole"),
        ({"fill": (0, 0)}, "fill"),
        ({"fill": (0, 0, 256)}, "fill"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(options, message):
    with pytest.raises(ConfigError, match=f"irregular.* {message}") as caught:
        Irregular(**options)
    assert "\n" not in str(caught.value)
