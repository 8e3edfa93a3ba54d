"""Patch drop: exact counts, nested levels, one set per image, black and nothing else."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from occbench.core.compose import composite
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.seeding import stream
from occbench.core.types import Example
from occbench.occlusions.patch_drop import PatchDrop, patch_order

VARIANTS = ["grid", "free", "native"]


def example_of(key="photo", height=224, width=224):
    pixels = stream(0, key, height, width).integers(255, height * width * 3) + 1  # no black, so a hole shows
    return Example(key=key, image=pixels.astype(np.uint8).reshape(height, width, 3), labels=(0,))


def hole_of(player, example, condition, seed=0):
    """The dropped pixels, bool[H, W], as the compositor shows them."""
    return (composite(example.image, player.overlay(example, condition, seed)) == 0).all(axis=2)


def cells_of(hole, side=16):
    rows, columns = hole.shape[0] // side, hole.shape[1] // side
    blocks = hole.reshape(rows, side, columns, side)
    assert np.array_equal(blocks.all(axis=(1, 3)), blocks.any(axis=(1, 3))), "a cell is partly dropped"
    return blocks.all(axis=(1, 3))


@pytest.mark.parametrize(("count", "expected"), [("round", [39, 78, 118, 157]), ("floor", [39, 78, 117, 156])])
def test_the_grid_drops_exactly_the_papers_counts(count, expected):
    player = PatchDrop(count=count)
    for condition, cells in zip(player.conditions, expected, strict=True):
        for key in ("one", "other", "third"):
            example = example_of(key)
            assert cells_of(hole_of(player, example, condition)).sum() == cells
            assert player.overlay(example, condition, 0).achieved == cells / 196


def test_floor_counts_in_decimals_not_in_binary():
    """0.29 * 100 is 28.999999999999996 in binary floating point."""
    player = PatchDrop(losses=(0.29,), patch_px=10, count="floor")
    assert cells_of(hole_of(player, example_of(height=100, width=100), player.conditions[0]), side=10).sum() == 29


@pytest.mark.parametrize("variant", VARIANTS)
def test_levels_are_nested(variant):
    player = PatchDrop(variant=variant, losses=(0.05, 0.2, 0.4, 0.6, 0.8, 0.95))
    for key in ("one", "other"):
        holes = [hole_of(player, example_of(key), condition) for condition in player.conditions]
        for smaller, larger in pairwise(holes):
            assert not (smaller & ~larger).any()
            assert smaller.sum() < larger.sum()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("height", "width"), [(224, 224), (160, 250), (64, 64)])
def test_dropped_is_black_and_the_rest_is_untouched(variant, height, width):
    player = PatchDrop(variant=variant)
    example = example_of(height=height, width=width)
    for condition in player.conditions:
        overlay = player.overlay(example, condition, 0)
        got = composite(example.image, overlay)
        hole = (got == 0).all(axis=2)
        assert np.array_equal(got[~hole], example.image[~hole])
        assert overlay.achieved == hole.sum() / hole.size
        assert set(np.unique(overlay.alpha)) <= {0, 255}


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_seeds_and_draws_differ(variant):
    player = PatchDrop(variant=variant, losses=(0.4,), repeat=2)
    first, second = player.conditions
    base = hole_of(player, example_of("a"), first)
    others = [
        hole_of(player, example_of("b"), first),
        hole_of(player, example_of("a"), second),
        hole_of(player, example_of("a"), first, seed=1),
    ]
    for other in others:
        assert not np.array_equal(base, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_first_draw_does_not_depend_on_how_many_there_are(variant):
    single, triple = PatchDrop(variant=variant), PatchDrop(variant=variant, repeat=3)
    first_draws = [condition for condition in triple.conditions if condition.parameters["draw"] == 1]
    for alone, first in zip(single.conditions, first_draws, strict=True):
        assert alone.group == first.group
        assert np.array_equal(hole_of(single, example_of(), alone), hole_of(triple, example_of(), first))


def test_a_fresh_process_drops_the_same():
    code = (
        "import hashlib, numpy as np\n"
        "from occbench.core.types import Example\n"
        "from occbench.occlusions.patch_drop import PatchDrop\n"
        "example = Example('photo', np.zeros((224, 224, 3), np.uint8), (0,))\n"
        "for variant in ('native', 'free', 'grid'):\n"
        "    player = PatchDrop(variant=variant)\n"
        "    for condition in reversed(player.conditions):\n"
        "        print(hashlib.sha256(player.overlay(example, condition, 3).alpha.tobytes()).hexdigest())\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    here = [
        hashlib.sha256(player.overlay(example_of(), condition, 3).alpha.tobytes()).hexdigest()
        for player in (PatchDrop(variant=variant) for variant in VARIANTS)
        for condition in player.conditions
    ]
    assert sorted(printed) == sorted(here)


@pytest.mark.parametrize(
    ("variant", "digest"), [("grid", "a8328cd8ba110a7a"), ("free", "637723bc39f1851c"), ("native", "aff2e01808913b9c")]
)
def test_golden_pixels(variant, digest):
    """A changed hash means other datasets: raise ``PatchDrop.version``."""
    player = PatchDrop(variant=variant)
    pixels = b"".join(hole_of(player, example_of(), condition, 7).tobytes() for condition in player.conditions)
    assert PatchDrop.version == 1
    assert hashlib.sha256(pixels).hexdigest()[:16] == digest


def test_patch_order_is_the_grids_masks_at_every_level():
    ranks = patch_order(5, "photo", 196, 1)
    assert ranks.dtype == np.uint32
    assert sorted(ranks.tolist()) == list(range(196))
    player = PatchDrop()
    for condition, cells in zip(player.conditions, [39, 78, 118, 157], strict=True):
        expected = (ranks.astype(np.uint16) < cells).reshape(14, 14)
        assert np.array_equal(cells_of(hole_of(player, example_of(), condition, seed=5)), expected)


def test_every_cell_is_as_likely_as_any_other():
    dropped = sum((patch_order(0, f"image-{index}", 196, 1) < 78).astype(int) for index in range(2000))
    assert abs(dropped / 2000 - 78 / 196).max() < 5 * np.sqrt(0.4 * 0.6 / 2000)


def test_cells_at_the_border_of_a_small_image_are_cut():
    """17 x 23 px: four cells, 16 x 16, 16 x 7, 1 x 16 and 1 x 7; each counts as one."""
    player = PatchDrop(losses=(0.25, 0.5, 0.75))
    sizes = {256, 112, 16, 7}
    seen = set()
    for index in range(40):
        example = example_of(f"small-{index}", 17, 23)
        areas = [int(hole_of(player, example, condition).sum()) for condition in player.conditions]
        dropped = {areas[0], areas[1] - areas[0], areas[2] - areas[1]}
        assert dropped < sizes
        seen |= dropped
    assert seen == sizes


def test_native_cuts_cells_at_the_borders_and_only_there():
    player = PatchDrop(losses=(0.5,), variant="native")
    shapes = set()
    for index in range(30):
        hole = hole_of(player, example_of(f"image-{index}"), player.conditions[0])
        for axis in (0, 1):
            changes = np.flatnonzero((np.diff(hole.astype(int), axis=axis) != 0).any(axis=1 - axis)) + 1
            assert len(set(changes % 16)) == 1, "inner edges lie 16 px apart"
            shapes.add(int(changes[0] % 16))
    assert len(shapes) > 8, "the grid is shifted differently from image to image"


@pytest.mark.parametrize("side", [1, 5, 16, 300])
def test_free_covers_the_share_and_overshoots_by_less_than_a_patch(side):
    player = PatchDrop(losses=(0.01, 0.3, 0.9), patch_px=side, variant="free")
    for index in range(10):
        example = example_of(f"image-{index}", 40, 56)
        for condition in player.conditions:
            achieved, loss = player.overlay(example, condition, 0).achieved, condition.parameters["loss"]
            assert loss <= achieved < loss + side**2 / (40 * 56)


def test_free_reaches_every_pixel_alike():
    """Squares may lie over the border, else corners would hardly ever be hidden."""
    player = PatchDrop(losses=(0.4,), variant="free", patch_px=8)
    hidden = sum(
        hole_of(player, example_of(f"image-{index}", 32, 32), player.conditions[0]).astype(int) for index in range(1000)
    )
    assert abs(hidden / 1000 - hidden.mean() / 1000).max() < 5 * np.sqrt(0.25 / 1000)


def test_names_groups_and_parameters():
    names = [condition.name for condition in PatchDrop().conditions]
    assert names == ["patchdrop-20", "patchdrop-40", "patchdrop-60", "patchdrop-80"]
    assert [condition.name for condition in PatchDrop(losses=(0.125, 0.001, 0.6)).conditions] == [
        "patchdrop-12p5",
        "patchdrop-0p1",
        "patchdrop-60",
    ]
    repeated = PatchDrop(losses=(0.6,), variant="free", repeat=3).conditions
    assert [condition.name for condition in repeated] == [f"patchdrop-free-60-{draw}" for draw in (1, 2, 3)]
    assert {condition.group for condition in repeated} == {"patchdrop-free-60"}
    assert repeated[1].parameters == {"loss": 0.6, "patch_px": 16, "variant": "free", "count": "round", "draw": 2}


def test_a_share_of_less_than_one_patch_breaks_the_image_instead_of_hiding_nothing():
    player = PatchDrop(count="floor")
    with pytest.raises(BrokenImageError, match=r"0\.2 of its 4 patches of 16 px is no patch at all"):
        player.overlay(example_of(height=17, width=23), player.conditions[0], 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"losses": ()}, "losses"),
        ({"losses": (20,)}, "losses"),
        ({"losses": (0.0, 0.2)}, "losses"),
        ({"losses": (1.0,)}, "losses"),
        ({"losses": (-0.1,)}, "losses"),
        ({"losses": (float("nan"),)}, "losses"),
        ({"losses": (0.2, 0.2)}, "losses must differ"),
        ({"patch_px": 0}, "patch_px"),
        ({"repeat": 0}, "repeat"),
        ({"count": "ceil"}, "count"),
        ({"variant": "Grid"}, "variant"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(options, message):
    with pytest.raises(ConfigError, match=f"patch_drop.* {message}") as caught:
        PatchDrop(**options)
    assert "\n" not in str(caught.value)
