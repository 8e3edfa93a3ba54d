"""Half of the parts, rounded up, of largest union: the same as brute force, whatever overlaps."""

from itertools import combinations
from math import ceil

import numpy as np
import pytest

from occbench.core.errors import BrokenImageError
from occbench.core.seeding import stream
from occbench.occlusions import part_selection
from occbench.occlusions.part_selection import part_region, select_parts

SIDE = 40


def exclusive(seed, count):
    """Parts as PartImageNet has them: every pixel belongs to one part at most; some parts are equally large."""
    draws = stream(seed, "exclusive", count)
    owner = np.repeat(np.arange(count + 1), 1 + draws.integers(6, count + 1))
    return {f"part {number}": (owner == number)[None] for number in draws.permutation(count).tolist()}


def overlapping(seed, count):
    """Rectangles that lie on each other."""
    draws = stream(seed, "overlapping", count)
    parts = {}
    for number in range(count):
        mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
        y, x, height, width = (int(value) for value in draws.integers(SIDE // 2, 4))
        mask[y : y + height + 1, x : x + width + 1] = True
        parts[f"part {number:02}"] = mask
    return parts


def union(parts, names):
    return int(np.count_nonzero(np.logical_or.reduce([parts[name] for name in names])))


def brute_force(parts, count):
    """The first of the largest unions, choices in lexicographic order of their sorted names."""
    return max(combinations(sorted(parts), count), key=lambda names: union(parts, names))


@pytest.mark.parametrize("count", range(1, 9))
def test_exclusive_parts_top_k_equals_brute_force(count):
    for seed in range(25):
        parts, half = exclusive(seed, count), ceil(count / 2)
        assert select_parts(parts, half) == brute_force(parts, half)


@pytest.mark.parametrize("count", range(1, 9))
def test_overlapping_parts_equal_brute_force(count):
    for seed in range(10):
        parts = overlapping(seed, count)
        for chosen in range(1, count + 1):
            assert select_parts(parts, chosen) == brute_force(parts, chosen)


def test_the_largest_parts_alone_are_not_the_largest_union():
    """Two large parts on each other cover less than one of them and a small one beside it."""
    hood, bonnet, wheel = (np.zeros((10, 10), dtype=np.bool_) for _ in range(3))
    hood[:6], bonnet[:5], wheel[8:, :3] = True, True, True
    assert select_parts({"bonnet": bonnet, "hood": hood, "wheel": wheel}, 2) == ("hood", "wheel")


def test_ties_go_to_the_first_names_whatever_the_order():
    masks = {name: np.eye(4, dtype=np.bool_)[place] for place, name in enumerate("dbca")}
    for order in ("abcd", "dcba", "bdac"):
        assert select_parts({name: masks[name] for name in order}, 2) == ("a", "b")


def test_many_parts_are_chosen_greedily_and_never_worse_than_the_bound(monkeypatch):
    monkeypatch.setattr(part_selection, "_MOST_CHOICES", 0)
    for seed in range(20):
        parts = overlapping(seed, 8)
        chosen = select_parts(parts, 4)
        assert len(set(chosen)) == 4
        assert union(parts, chosen) >= (1 - 1 / np.e) * union(parts, brute_force(parts, 4))
        largest = max(sorted(parts), key=lambda name: np.count_nonzero(parts[name]))
        assert largest in chosen, "the first taken is the one that covers most"


def test_seventy_parts_are_chosen_in_a_moment():
    parts = overlapping(0, 70)
    chosen = select_parts(parts, 35)
    assert len(set(chosen)) == 35
    assert union(parts, chosen) == union(parts, parts), "half of so many rectangles cover what all cover"


@pytest.mark.parametrize(
    ("count", "share", "hidden"),
    [
        (1, 0.5, 1),
        (2, 0.5, 1),
        (3, 0.5, 2),
        (4, 0.5, 2),
        (5, 0.5, 3),
        (5, 0.6, 3),
        (5, 0.61, 4),
        (3, 1, 3),
        (10, 0.3, 3),
    ],
)
def test_the_share_is_rounded_up_and_not_further(count, share, hidden):
    parts = {f"part {number}": np.eye(10, dtype=np.bool_)[number][None] for number in range(count)}
    assert np.count_nonzero(part_region(parts, share)) == hidden


def test_parts_without_a_pixel_do_not_count():
    parts = {name: np.zeros((4, 4), dtype=np.bool_) for name in "abcd"}
    parts["b"][0, 0] = parts["c"][1, 1:3] = True
    assert np.array_equal(part_region(parts, 0.5), parts["c"])


def test_an_image_without_parts_is_broken_and_says_which_kind():
    with pytest.raises(BrokenImageError, match="it has no part mask"):
        part_region({}, 0.5)
    with pytest.raises(BrokenImageError, match="the resize rule left nothing of its parts"):
        part_region({"a": np.zeros((4, 4), dtype=np.bool_)}, 0.5)


@pytest.mark.parametrize("radius_px", [0, 1, 2, 5, 8])
def test_dilation_hides_everything_within_the_radius_and_nothing_else(radius_px):
    mask = np.zeros((30, 34), dtype=np.bool_)
    mask[12, 15] = mask[3, 30] = True
    rows, columns = np.mgrid[:30, :34]
    expected = ((rows - 12) ** 2 + (columns - 15) ** 2 <= radius_px**2) | (
        (rows - 3) ** 2 + (columns - 30) ** 2 <= radius_px**2
    )
    assert np.array_equal(part_region({"a": mask}, 0.5, radius_px), expected)


def test_masks_are_left_as_they_are():
    parts = overlapping(1, 4)
    before = {name: mask.copy() for name, mask in parts.items()}
    for mask in parts.values():
        mask.setflags(write=False)
    part_region(parts, 0.5, 3)
    assert all(np.array_equal(parts[name], before[name]) for name in parts)
