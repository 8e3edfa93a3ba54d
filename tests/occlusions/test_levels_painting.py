"""Painting: occluders are cut at the border, laid over each other, or filled, in exact integers."""

import numpy as np
import pytest

from occbench.core.seeding import stream
from occbench.occlusions.levels_occluders import Cutout
from occbench.occlusions.levels_painting import _over, fill_outlines, paste_objects
from occbench.occlusions.levels_placing import Placed

HEIGHT, WIDTH = 50, 60
PLACEMENT = (Placed(0, -7, 20, 30, 40), Placed(1, 15, -5, 50, 30), Placed(0, 20, 10, 8, 12))


@pytest.fixture(scope="module")
def pictures():
    """Two RGBA pictures with hard and soft alpha."""
    made = []
    for number, (height, width) in enumerate([(70, 50), (40, 66)]):
        rgba = stream(number, "picture").integers(256, height * width * 4).astype(np.uint8).reshape(height, width, 4)
        rgba[5:-5, 5:-5, 3] = 255
        rgba[:3, :, 3] = 0
        made.append(rgba)
    return made


def full(picture):
    rgba, x0, y0 = picture
    canvas = np.zeros((HEIGHT, WIDTH, rgba.shape[2]), dtype=np.uint8)
    canvas[y0 : y0 + rgba.shape[0], x0 : x0 + rgba.shape[1]] = rgba
    return canvas


def test_objects_lie_over_each_other_cut_at_the_border(pictures):
    cutouts = [Cutout(rgba, None) for rgba in pictures]
    pasted = full(paste_objects(PLACEMENT, cutouts, HEIGHT, WIDTH))
    wide = np.zeros((HEIGHT + 200, WIDTH + 200, 4), dtype=np.uint8)
    for placed in PLACEMENT:
        box = np.s_[placed.y0 + 100 : placed.y0 + 100 + placed.height, placed.x0 + 100 : placed.x0 + 100 + placed.width]
        wide[box] = _over(cutouts[placed.number].scaled(placed.width, placed.height), wide[box])
    assert np.array_equal(pasted, wide[100:-100, 100:-100])
    assert not pasted[pasted[..., 3] == 0].any()


@pytest.mark.parametrize("outline", ["silhouette", "box"])
def test_outlines_are_filled_hard_edged(pictures, outline):
    cutouts = [Cutout(rgba, outline) for rgba in pictures]
    asked = []

    def fill(height, width):
        asked.append((height, width))
        return np.full((height, width, 3), 7, dtype=np.uint8)

    picture = fill_outlines(PLACEMENT, cutouts, HEIGHT, WIDTH, fill)
    filled = full(picture)
    assert asked == [picture[0].shape[:2]]
    expected = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for placed in PLACEMENT:
        scaled = cutouts[placed.number].scaled(placed.width, placed.height) >= 128
        for y, x in np.argwhere(scaled) + np.array([placed.y0, placed.x0]):
            if 0 <= y < HEIGHT and 0 <= x < WIDTH:
                expected[y, x] = True
    assert np.array_equal(filled[..., 3], expected * np.uint8(255))
    assert np.array_equal(filled[..., :3], np.repeat(expected[..., None] * np.uint8(7), 3, axis=2))
    if outline == "box":
        assert expected[20:50, 0:23].all()


def test_over_is_the_exact_formula_rounded():
    draws = stream(4, "over")
    top, bottom = (draws.integers(256, 4000 * 4).astype(np.uint8).reshape(4000, 1, 4) for _ in range(2))
    top[:50, :, 3], top[50:100, :, 3], bottom[100:150, :, 3], bottom[:20, :, 3] = 0, 255, 0, 0
    found = _over(top, bottom)
    upper, lower = top[..., 3:] / 255, bottom[..., 3:] / 255
    alpha = upper + lower * (1 - upper)
    colour = (top[..., :3] * upper + bottom[..., :3] * lower * (1 - upper)) / np.where(alpha == 0, 1, alpha)
    assert np.abs(found[..., 3:] - 255 * alpha).max() <= 0.5
    assert np.abs(found[..., :3] - colour).max() <= 0.5 + 1e-9
    assert np.array_equal(found[50:100], top[50:100]), "opaque hides what is below"
    assert np.array_equal(found[20:50], bottom[20:50]), "transparent leaves it"
