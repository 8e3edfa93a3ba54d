import hashlib
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.types import Example
from occbench.sources.toyparts import ToyParts
from occbench.sources.toyparts_drawing.classes import CLASSES


@pytest.fixture(scope="module")
def source() -> ToyParts:
    return ToyParts(images_per_class=20)


@pytest.fixture(scope="module")
def examples(source) -> list[Example]:
    return [source[index] for index in range(len(source))]


def content(example: Example) -> str:
    """A hash of everything in an example."""
    arrays = {"image": example.image, "object": example.object_mask, **example.parts}
    return fingerprint({"key": example.key, **{name: array.tobytes().hex() for name, array in arrays.items()}})


def test_another_process_draws_the_same_pixels():
    program = (
        "import hashlib; from occbench.sources.toyparts import ToyParts; e = ToyParts(size_px=48)[17]; "
        "print(hashlib.sha256(e.image.tobytes() + e.object_mask.tobytes()).hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    example = ToyParts(size_px=48)[17]
    assert printed == hashlib.sha256(example.image.tobytes() + example.object_mask.tobytes()).hexdigest()


def test_order_of_access_and_number_of_images_change_nothing(source, examples):
    larger = replace(source, images_per_class=1000)
    for index in (100, 3, 50, 3):
        assert content(source[index]) == content(larger[index]) == content(examples[index])


def test_any_beginning_of_the_source_is_balanced(source, examples):
    count = len(source.classes)
    for turn in range(5):
        assert sorted(e.labels[0] for e in examples[turn * count : (turn + 1) * count]) == list(range(count))


def test_part_masks_are_exclusive_and_their_union_is_the_object(examples):
    for example in examples:
        stacked = np.stack(list(example.parts.values()))
        assert stacked.dtype == bool
        assert stacked.sum(axis=0).max() == 1
        assert np.array_equal(stacked.any(axis=0), example.object_mask)


def test_the_box_is_the_tight_box_of_the_object(examples):
    for example in examples:
        x0, y0, x1, y1 = example.box
        assert example.object_mask[y0:y1, x0:x1].sum() == example.object_mask.sum()
        edges = (
            example.object_mask[y0],
            example.object_mask[y1 - 1],
            example.object_mask[:, x0],
            example.object_mask[:, x1 - 1],
        )
        assert all(edge.any() for edge in edges)


def test_a_class_always_has_the_same_three_to_six_parts(source, examples):
    names: dict[int, set[tuple[str, ...]]] = {}
    for example in examples:
        names.setdefault(example.labels[0], set()).add(tuple(example.parts))
    assert all(len(found) == 1 for found in names.values())
    assert all(3 <= len(next(iter(found))) <= 6 for found in names.values())


def test_every_part_is_visible(examples):
    seen = [mask.sum() >= 4 for example in examples for mask in example.parts.values()]
    assert np.mean(seen) >= 0.95
    discriminative = [e.parts[CLASSES[ToyParts().classes[e.labels[0]]].discriminative].sum() for e in examples]
    assert np.mean(np.array(discriminative) >= 20) >= 0.95


def test_twins_are_mutual_and_have_their_discriminative_part(source, examples):
    for label, name in enumerate(source.classes):
        assert CLASSES[CLASSES[name].twin].twin == name
        assert CLASSES[name].discriminative in examples[label].parts


@pytest.mark.parametrize("size_px", [32, 64, 96, 224, 512])
def test_any_size_shows_the_same_object(source, examples, size_px):
    for index in range(12):
        example = replace(source, size_px=size_px)[index]
        assert example.image.shape == (size_px, size_px, 3)
        small = min(size_px, 96)
        here, there = (
            cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
            for image in (example.image, examples[index].image)
        )
        assert np.corrcoef(here.ravel(), there.ravel())[0, 1] > 0.95
        shares = [mask.mean() for mask in (example.object_mask, examples[index].object_mask)]
        assert shares[0] == pytest.approx(shares[1], rel=0.12)


def test_outlines_are_pinned(examples):
    """Golden: when these change, raise ``ToyParts.version``. Colours are pinned as closely as floats allow."""
    masks = hashlib.sha256(b"".join(mask.tobytes() for e in examples[:24] for mask in e.parts.values())).hexdigest()
    assert masks[:16] == "a56d534efa247009"
    colours = np.array([e.image.mean(axis=(0, 1)) for e in examples[:3]])
    assert colours == pytest.approx(
        np.array([[35.12, 122.95, 96.48], [77.97, 88.35, 128.99], [95.87, 59.63, 75.49]]), abs=0.1
    )
    assert ToyParts.version == 1


def test_splits_and_seeds_share_no_image(source):
    variants = [source, replace(source, split="train"), replace(source, split="validation"), replace(source, seed=1)]
    images = [variant[index].image.tobytes() for variant in variants for index in range(24)]
    assert len(set(images)) == len(images)


def test_images_vary(examples):
    backgrounds = np.array([e.image[~e.object_mask].mean(axis=0) for e in examples])
    objects = np.array([e.image[e.object_mask].mean(axis=0) for e in examples])
    shares = np.array([e.object_mask.mean() for e in examples])
    assert (backgrounds.std(axis=0) > 10).all()
    assert (objects.std(axis=0) > 10).all()
    assert shares.max() > 2 * shares.min()
    assert all(e.image.std() > 8 for e in examples)


def test_colour_does_not_tell_the_class(source):
    """The nearest class mean in colour, background and object, is right about as often as chance (1 in 12)."""
    train, test = (
        [replace(source, split=split, images_per_class=30, size_px=32)[index] for index in range(360)]
        for split in ("train", "test")
    )
    colours, other = (np.array([e.image[e.object_mask].mean(axis=0) for e in group]) for group in (train, test))
    labels = np.array([e.labels[0] for e in train])
    means = np.array([colours[labels == label].mean(axis=0) for label in range(12)])
    guesses = ((other[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert np.mean(guesses == np.array([e.labels[0] for e in test])) < 0.16


def test_the_fingerprint_follows_every_option_that_decides_pixels(source):
    variants = [
        source,
        replace(source, images_per_class=21),
        replace(source, size_px=97),
        replace(source, seed=1),
        replace(source, split="train"),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert replace(source, path="somewhere").fingerprint == source.fingerprint


@pytest.mark.parametrize("options", [{"split": "all"}, {"images_per_class": 0}, {"size_px": 31}, {"size_px": 513}])
def test_options_that_make_no_sense_are_refused(options):
    (value,) = options.values()
    with pytest.raises(ConfigError, match=str(value)):
        ToyParts(**options)
