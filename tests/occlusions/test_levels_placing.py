"""Placements: exact bands, a lattice that measures what pixels would, boxes inside where that is asked."""

from fractions import Fraction

import numpy as np
import pytest

from occbench.core.seeding import stream
from occbench.occlusions.levels_placing import Band, Goal, Placed, Placer, Scene, Shape


def band(low, high, name="l"):
    return Band(name, Fraction(low), Fraction(high))


def disc(side):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return Shape(((x**2 + y**2 <= side**2 / 4) * 255).astype(np.uint8))


def rectangle(height, width, top, left, bottom, right):
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_a_band_is_half_open_and_exact():
    third = band("0.3", "0.6")
    assert [third.holds(hidden, 10) for hidden in range(10)] == [3 <= hidden < 6 for hidden in range(10)]
    assert band("0.6", "0.7").holds(3, 5), "0.6 * 5 is 3, which binary floats miss"
    assert third.at(0) == 0.3
    assert 0.59 < third.at(0.99) < 0.6


def test_a_goal_may_leave_the_background_to_chance():
    assert Goal(band("0.2", "0.4"), None).holds((3, 99), (10, 100))
    assert not Goal(band("0.2", "0.4"), band("0", "0.5")).holds((3, 99), (10, 100))
    assert str(Goal(band("0.2", "0.4", "a"), band("0", "0.5", "b"))) == "a [0.2, 0.4) x b [0, 0.5)"


def test_hidden_points_of_a_small_scene_are_its_pixels():
    mask = rectangle(30, 40, 5, 8, 25, 30)
    scene, shape = Scene(mask), disc(9)
    assert scene.points == (mask.sum(), (~mask).sum())
    for placed in (Placed(0, 10, 10, 9, 9), Placed(0, -4, 20, 9, 18), Placed(0, 35, -3, 27, 12)):
        hidden = np.zeros(mask.shape, dtype=np.bool_)
        for y, x in np.ndindex(*mask.shape):
            row, column = (y - placed.y0) * 9 // placed.height, (x - placed.x0) * 9 // placed.width
            inside = 0 <= y - placed.y0 < placed.height and 0 <= x - placed.x0 < placed.width
            # the shape's cell under the pixel's centre
            row, column = (
                ((2 * (y - placed.y0) + 1) * 9) // (2 * placed.height),
                ((2 * (x - placed.x0) + 1) * 9) // (2 * placed.width),
            )
            hidden[y, x] = inside and shape.solid[row, column]
        assert scene.hidden_points([placed], [shape]) == ((hidden & mask).sum(), (hidden & ~mask).sum())


def test_overlapping_occluders_count_once():
    scene, shape = Scene(rectangle(30, 40, 5, 8, 25, 30)), disc(9)
    one = Placed(0, 10, 10, 9, 9)
    assert scene.hidden_points([one, one], [shape]) == scene.hidden_points([one], [shape])


def test_a_large_scene_is_measured_on_a_lattice_that_is_near():
    mask = rectangle(448, 600, 60, 70, 360, 420)
    scene, shape = Scene(mask), disc(64)
    assert sum(scene.points) < mask.size / 30
    hidden, points = scene.hidden_points([Placed(0, 0, 100, 300, 300)], [shape])[0], scene.points[0]
    exact = Scene.__new__(Scene)
    exact._ys, exact._xs, exact._object = np.arange(448), np.arange(600), mask
    truth = exact.hidden_points([Placed(0, 0, 100, 300, 300)], [shape])[0] / mask.sum()
    assert abs(hidden / points - truth) < 0.01


def test_a_small_object_in_a_large_image_is_measured_on_every_pixel():
    scene = Scene(rectangle(448, 600, 100, 100, 110, 112))
    assert scene.points == (120, 448 * 600 - 120)


def test_an_objects_pixels_are_numbered_row_by_row():
    scene = Scene(rectangle(30, 40, 5, 8, 25, 30))
    assert scene.pixel(0) == (8.5, 5.5)
    assert scene.pixel(0.999999) == (29.5, 24.5)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("background", [None, band("0.2", "0.4", "b")])
def test_placements_keep_to_the_rules(clip, background):
    height, width = 120, 150
    scene, shapes = Scene(rectangle(height, width, 30, 20, 100, 90)), [disc(20), disc(31)]
    goal = Goal(band("0.4", "0.6"), background)
    found = list(Placer(most=3, clip=clip, tries=600).placements(stream(1, "places"), scene, shapes, goal))
    assert len(found) > 20
    numbers = set()
    for placement in found:
        assert goal.holds(scene.hidden_points(placement, shapes), scene.points)
        assert 1 <= len(placement) <= (3 if background is None else 6)
        for placed in placement:
            numbers.add(placed.number)
            assert abs(placed.width - placed.height) <= 1, "never stretched"
            assert 0 <= placed.x0 + placed.width / 2 <= width + 1
            assert 0 <= placed.y0 + placed.height / 2 <= height + 1
            if not clip:
                assert 0 <= placed.x0 <= placed.x0 + placed.width <= width
                assert 0 <= placed.y0 <= placed.y0 + placed.height <= height
    assert numbers == {0, 1}
    reaches_out = [placed.x0 < 0 or placed.y0 < 0 for placement in found for placed in placement]
    assert any(reaches_out) == clip


def test_the_tries_are_counted_and_repeatable():
    scene, shapes = Scene(rectangle(50, 50, 10, 10, 40, 40)), [disc(20)]
    goal = Goal(band("0.4", "0.6"), None)
    many, few = (list(Placer(2, True, tries).placements(stream(3, "x"), scene, shapes, goal)) for tries in (300, 100))
    assert 0 < len(few) < len(many)
    assert many[: len(few)] == few
    assert not list(
        Placer(2, True, 300).placements(stream(3, "x"), scene, shapes, Goal(band("0.4", "0.4000001"), None))
    )
