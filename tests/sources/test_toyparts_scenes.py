"""Scenes of several drawn objects: what is claimed of them is what can be seen."""

import hashlib
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from occbench.core.errors import ConfigError
from occbench.sources import toyparts_scenes
from occbench.sources.toyparts_drawing.crowd import Crowd, place_crowd
from occbench.sources.toyparts_scenes import ToyPartsScenes


@pytest.fixture(scope="module")
def source():
    return ToyPartsScenes(images=120)


@pytest.fixture(scope="module")
def examples(source):
    return [source[index] for index in range(36)]


def drawn(layers, side):
    """bool[side, side] of an object by OpenCV alone, every outline filled by itself."""
    canvas = np.zeros((side, side), dtype=np.uint8)
    for layer in layers:
        for outline in layer.outlines:
            cv2.fillPoly(canvas, [np.rint(contour * side - 0.5).astype(np.int32) for contour in outline], 1)
    return canvas > 0


def test_labels_and_areas_are_what_a_drawing_of_the_objects_shows(source):
    side = 512
    for index in range(60):
        placed = place_crowd(Crowd(source.seed, source.split, index, source.objects, source.extents))
        masks = [drawn(item.layers, side) for item in placed]
        shown, areas = set(), Counter()
        for number, (item, mask) in enumerate(zip(placed, masks, strict=True)):
            covered = np.any([np.zeros_like(mask), *masks[number + 1 :]], axis=0)
            share = (mask & ~covered).sum() / mask.sum()
            if abs(share - 0.5) < 0.03:
                break  # too close to call with another drawing
            if share > 0.5:
                shown.add(item.label)
                areas[item.label] += (mask & ~covered).mean() * source.size_px**2
        else:
            assert set(source.labels_of(index)) == shown
            assert set(source.ignored_of(index)) == {item.label for item in placed} - shown
            found = {label: sum(own) for label, own in source.areas_of(index).items()}
            assert found == pytest.approx(dict(areas), rel=0.15, abs=12)


def test_the_object_mask_covers_every_object(source, examples):
    for index, example in enumerate(examples):
        crowd = Crowd(source.seed, source.split, index, source.objects, source.extents)
        union = np.any([drawn(item.layers, source.size_px) for item in place_crowd(crowd)], axis=0)
        assert np.mean(union != example.object_mask) < 0.02
        assert example.parts == {}


def test_scenes_hold_several_objects_of_all_sizes_some_hidden(source):
    indices = range(len(source))
    counts = [sum(map(len, source.areas_of(index).values())) for index in indices]
    assert {1, 2, 3, 4, 5} <= set(counts)
    assert max(counts) == 5
    areas = [area for index in indices for own in source.areas_of(index).values() for area in own]
    small = np.mean(np.array(areas) < 32**2)
    assert 0.5 < small < 0.9, "small and medium objects by COCO's ranges"
    assert 2 <= sum(bool(source.ignored_of(index)) for index in indices) <= 24
    assert any(len(own) > 1 for index in indices for own in source.areas_of(index).values()), "two of one class"
    assert all(source.labels_of(index) for index in indices), "the object in front can always be seen"


def test_every_class_comes_up_in_every_twelve_scenes(source):
    for start in range(0, 120, 12):
        present = {label for i in range(start, start + 12) for label in source.labels_of(i) + source.ignored_of(i)}
        assert present == set(range(12))


def test_labels_are_told_without_painting(source, monkeypatch):
    monkeypatch.setattr(toyparts_scenes, "draw_crowd", None)
    assert source.labels_of(3)
    assert set(source.areas_of(3)) == set(source.labels_of(3))
    assert not set(source.labels_of(3)) & set(source.ignored_of(3))


@pytest.mark.parametrize("size_px", [32, 96, 512])
def test_any_size_shows_the_same_scene(source, examples, size_px):
    other = replace(source, size_px=size_px, images=500)
    for index in range(6):
        example = other[index]
        assert (example.labels, example.ignored) == (examples[index].labels, examples[index].ignored)
        assert example.object_mask.mean() == pytest.approx(examples[index].object_mask.mean(), rel=0.2)
        for label, areas in source.areas_of(index).items():
            assert other.areas_of(index)[label] == pytest.approx(np.array(areas) * (size_px / 128) ** 2)


def test_options_say_what_is_in_a_scene():
    many = ToyPartsScenes(images=20, objects=[8, 8], extents=[0.1, 0.1])
    assert all(sum(map(len, many.areas_of(index).values())) <= 8 for index in range(20))
    assert np.mean([sum(map(len, many.areas_of(index).values())) for index in range(20)]) > 7
    one = ToyPartsScenes(images=24, objects=(1, 1), extents=(0.9, 0.9))
    assert [one.labels_of(index) for index in range(24)] == [(index % 12,) for index in range(24)]


def test_splits_and_seeds_share_no_scene(source):
    variants = [source, replace(source, split="train"), replace(source, split="validation"), replace(source, seed=1)]
    images = [variant[index].image.tobytes() for variant in variants for index in range(12)]
    assert len(set(images)) == len(images)


def test_the_fingerprint_follows_every_option_that_decides_pixels(source):
    changes = [{"images": 9}, {"size_px": 97}, {"seed": 1}, {"split": "train"}, {"objects": (1, 2)}]
    variants = [source, *(replace(source, **change) for change in changes), replace(source, extents=(0.3, 0.6))]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert replace(source, path="somewhere").fingerprint == source.fingerprint


def test_scenes_are_pinned(source, examples):
    """Golden: when these change, raise ``ToyPartsScenes.version``. Colours are pinned as closely as floats allow."""
    assert [source.labels_of(index) for index in range(6)] == [
        (0, 5, 9),
        (1, 6),
        (2, 5, 6, 9),
        (3, 11),
        (3, 4, 9),
        (1, 5, 11),
    ]
    masks = hashlib.sha256(b"".join(example.object_mask.tobytes() for example in examples)).hexdigest()
    assert masks[:16] == "11e9a2926be381d6"
    assert [example.image.mean() for example in examples[:3]] == pytest.approx([61.62, 90.82, 88.1], abs=0.1)
    assert ToyPartsScenes.version == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0}, "images of 1 or more, found 0"),
        ({"size_px": 16}, "32 to 512 px, found size_px 16"),
        ({"objects": (0, 3)}, r"objects are the least and the greatest, in 1 to 8, found \[0, 3\]"),
        ({"objects": (4, 2)}, r"found \[4, 2\]"),
        ({"objects": (3,)}, r"found \[3\]"),
        ({"extents": (0.2, 1.5)}, r"extents are .* 0.1 to 0.95, found \[0.2, 1.5\]"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ToyPartsScenes(**options)
