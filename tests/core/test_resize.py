"""Resizing gives the same pixels whatever the release of Pillow is."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from occbench.core.resize import resize
from occbench.core.seeding import stream

FILTERS = [Image.Resampling.BILINEAR, Image.Resampling.HAMMING, Image.Resampling.BICUBIC]
#: (width, height, width and height of the result): both axes shrink, grow, one of each, or one keeps its length.
CASES = [
    (300, 200, 224, 224),
    (200, 300, 224, 224),
    (64, 100, 50, 20),
    (100, 64, 50, 20),
    (20, 300, 400, 50),
    (37, 41, 80, 90),
    (64, 64, 20, 64),
]


def pictures(width, height):
    """One of every mode, of values that have nothing to do with each other."""
    values = stream(0, "resize", width, height).integers(256, width * height * 4).astype(np.uint8)
    values = values.reshape(height, width, 4)
    return {
        "L": Image.fromarray(values[..., 0].copy()),
        "RGB": Image.fromarray(values[..., :3].copy()),
        "RGBa": Image.fromarray(values).convert("RGBa"),
        "F": Image.fromarray(values[..., 1].astype(np.float32)),
    }


def test_pixels_are_pinned():
    """Pillow 11 to 13 agree on these; a change here means raising the version of every family that resizes."""
    digest = hashlib.sha256()
    for width, height, columns, rows in CASES:
        made = pictures(width, height)
        floats = made.pop("F")
        for picture in made.values():
            for filter_ in FILTERS:
                digest.update(resize(picture, (columns, rows), filter_).tobytes())
        for region in (None, (2.5, 1.25, width - 3.5, height - 2)):
            digest.update(resize(floats, (columns, rows), Image.Resampling.HAMMING, region).tobytes())
    assert digest.hexdigest()[:16] == "d4b17cfefb97641a"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBa", "F"])
@pytest.mark.parametrize("region", [None, (1.5, 2.25, 17.5, 16.0)])
def test_it_is_what_pillow_does_but_for_rounding(case, mode, region):
    width, height, columns, rows = case
    picture = pictures(width, height)[mode]
    ours = resize(picture, (columns, rows), Image.Resampling.BILINEAR, region)
    pillows = picture.resize((columns, rows), Image.Resampling.BILINEAR, box=region)
    assert (ours.mode, ours.size) == (pillows.mode, pillows.size)
    difference = np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(pillows, dtype=np.float64))
    assert difference.max() <= (1e-3 if mode == "F" else 1)


def test_the_picture_is_left_alone():
    picture = pictures(30, 20)["RGB"]
    before = picture.tobytes()
    assert resize(picture, picture.size, Image.Resampling.BILINEAR) is not picture
    assert picture.tobytes() == before
