"""The resize rule: what torchvision does on a Pillow image, pixel for pixel; masks and boxes along with it."""

import numpy as np
import PIL
import pytest
from PIL import Image
from pydantic import ValidationError
from torchvision import transforms

from occbench.core.errors import BrokenImageError
from occbench.core.prepare import Prepare, prepare
from occbench.core.seeding import stream
from occbench.core.types import Example

PILLOW_MAJOR = int(PIL.__version__.partition(".")[0])
#: Older releases round after the rows where ``core.resize`` does after the columns.
OUR_ORDER_SINCE = 13
SIZES = [(300, 400), (400, 300), (256, 256), (224, 224), (97, 131), (500, 375), (333, 257), (30, 31), (225, 449)]


def example_of(height, width, **fields):
    image = stream(0, "photo", height, width).integers(256, height * width * 3).astype(np.uint8)
    return Example(key="photo", image=image.reshape(height, width, 3), labels=(3,), **fields)


def assert_as_torchvision(got, image, *steps):
    expected = np.asarray(transforms.Compose(steps)(Image.fromarray(image)))
    if PILLOW_MAJOR >= OUR_ORDER_SINCE:
        assert np.array_equal(got, expected)
    else:
        assert np.abs(got.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_direct_equals_torchvision(height, width):
    example = example_of(height, width)
    got = prepare(example, Prepare(rule="direct"))
    assert_as_torchvision(got.image, example.image, transforms.Resize((224, 224), antialias=True))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("side", "shorter"), [(224, 256), (224, 232), (64, 73), (224, 224)])
def test_shorter_side_equals_torchvision(height, width, side, shorter):
    example = example_of(height, width)
    steps = transforms.Resize(shorter, antialias=True), transforms.CenterCrop(side)
    got = prepare(example, Prepare(rule="shorter_side", size_px=side, shorter_side_px=shorter))
    assert_as_torchvision(got.image, example.image, *steps)


@pytest.mark.parametrize(("side", "shorter"), [(224, 256), (448, 512), (64, 73)])
def test_shorter_side_defaults_to_256_of_224(side, shorter):
    example = example_of(300, 401)
    default = prepare(example, Prepare(rule="shorter_side", size_px=side))
    explicit = prepare(example, Prepare(rule="shorter_side", size_px=side, shorter_side_px=shorter))
    assert np.array_equal(default.image, explicit.image)


def test_bbox_is_the_resized_crop():
    box = (40, 30, 151, 190)
    example = example_of(200, 260, box=box)
    crop = np.ascontiguousarray(example.image[30:190, 40:151])
    got = prepare(example, Prepare(rule="bbox"))
    assert_as_torchvision(got.image, crop, transforms.Resize((224, 224), antialias=True))
    assert got.box is None


def test_bbox_is_cut_at_the_border():
    reaching = prepare(example_of(200, 260, box=(-20, -5, 100, 500)), Prepare(rule="bbox"))
    inside = prepare(example_of(200, 260, box=(0, 0, 100, 200)), Prepare(rule="bbox"))
    assert np.array_equal(reaching.image, inside.image)


@pytest.mark.parametrize("box", [None, (10, 10, 10, 50), (300, 10, 400, 50), (50, 50, 20, 80)])
def test_bbox_without_a_usable_box_breaks_this_image_only(box):
    with pytest.raises(BrokenImageError, match="box"):
        prepare(example_of(200, 260, box=box), Prepare(rule="bbox"))


def test_none_keeps_the_example():
    example = example_of(33, 57, box=(1, 2, 3, 4))
    assert prepare(example, Prepare(rule="none")) is example


def test_an_image_of_the_size_asked_for_is_kept_bit_for_bit():
    example = example_of(224, 224)
    assert np.array_equal(prepare(example, Prepare(rule="direct")).image, example.image)


@pytest.mark.parametrize("rule", ["direct", "shorter_side", "bbox"])
def test_masks_stay_on_their_pixels(rule):
    """A mask follows the same geometry: a white rectangle's mask stays on white, its complement on black."""
    image, mask = np.zeros((300, 420, 3), dtype=np.uint8), np.zeros((300, 420), dtype=np.bool_)
    image[90:210, 150:270] = 255
    mask[90:210, 150:270] = True
    example = Example("a", image, (0,), object_mask=mask, parts={"p": mask, "q": ~mask}, box=(100, 60, 330, 250))
    got = prepare(example, Prepare(rule=rule))
    assert got.object_mask.dtype == np.bool_
    assert got.object_mask.shape == got.image.shape[:2] == (224, 224)
    assert got.object_mask.any()
    # on the edge the two filters differ, by less than half a pixel; one pixel off would be black on white
    assert (got.image[got.object_mask] >= 64).all()
    assert (got.image[~got.object_mask] <= 191).all()
    assert np.array_equal(got.parts["p"], got.object_mask)
    assert np.array_equal(got.parts["q"], ~got.object_mask)


def test_masks_are_resized_with_nearest_neighbour():
    mask = (stream(1, "mask").integers(2, 300 * 400) == 1).reshape(300, 400)
    got = prepare(example_of(300, 400, object_mask=mask), Prepare(rule="direct", size_px=64))
    assert np.array_equal(got.object_mask, np.asarray(Image.fromarray(mask).resize((64, 64), Image.Resampling.NEAREST)))


def test_the_rest_is_kept_and_the_input_is_not_modified():
    example = example_of(300, 400)
    before = example.image.copy()
    got = prepare(example, Prepare())
    assert (got.key, got.labels, got.image.dtype) == ("photo", (3,), np.uint8)
    assert np.array_equal(example.image, before)


def test_real_photographs_equal_torchvision(real_data):
    photographs = sorted((real_data / "coco_sample").rglob("*.jpg"))[:6]
    assert photographs
    for path in photographs:
        with Image.open(path) as picture:
            image = np.asarray(picture.convert("RGB"))
        got = prepare(Example("a", image, (0,)), Prepare(rule="shorter_side"))
        assert_as_torchvision(got.image, image, transforms.Resize(256), transforms.CenterCrop(224))


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "stretch"},
        {"size_px": 4},
        {"size_px": 10_000},
        {"rule": "direct", "shorter_side_px": 256},
        {"rule": "shorter_side", "shorter_side_px": 200},
        {"resize": 224},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError):
        Prepare(**options)
