"""Splicing: the same bytes as encoding the composite, for every image, overlay, size and quality."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from occbench.core.compose import composite
from occbench.core.seeding import stream
from occbench.core.types import Overlay, empty_overlay
from occbench.data.encode import decode, encode_jpeg
from occbench.data.splice import SplicedEncoder, prepare_splice

SIZES = [(224, 224), (64, 64), (8, 8), (100, 75), (17, 9), (1, 1)]
QUALITIES = [1, 50, 95, 100]


def noise(height, width, channels, seed):
    values = stream(seed, height, width, channels, "noise").integers(256, height * width * channels)
    return values.astype(np.uint8).reshape(height, width, channels)


def photograph_like(height, width, seed):
    """Smooth ground with noise on one half, so that MCUs of few and of many bytes stand side by side."""
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] * np.array([1, 2, 3]) + seed
    image = (ramp // 2 % 256).astype(np.uint8)
    image[:, width // 2 :] ^= noise(height, width - width // 2, 3, seed)
    return image


def patch(height, width, alpha, y0=0, x0=0, seed=0):
    """An overlay of noise whose alpha is ``alpha``, one number or uint8[height, width]."""
    rgba = noise(height, width, 4, seed)
    rgba[..., 3] = alpha
    return Overlay(rgba, x0, y0, 0.0)


def disc(side, softness, y0, x0, seed=0):
    distance = np.hypot(*np.mgrid[: 2 * side : 2, : 2 * side : 2] - side + 1) / 2
    alpha = np.clip((0.45 * side - distance) / softness * 255 + 127, 0, 255).astype(np.uint8)
    return patch(side, side, alpha, y0, x0, seed)


def overlays(height, width):
    """Named overlays for one size: nothing, everything, single pixels at every corner, bands, squares, discs."""
    yield "empty", empty_overlay()
    for name, alpha in (("opaque", 255), ("half", 128), ("almost", 254), ("hardly", 1)):
        yield f"whole image, {name}", patch(height, width, alpha)
    for y0 in {0, height // 2, height - 1}:
        for x0 in {0, width // 2, width - 1}:
            yield f"one pixel at {y0}, {x0}", patch(1, 1, 255, y0, x0)
    yield "alpha noise", Overlay(noise(height, width, 4, 3), 0, 0, 0.0)
    yield "last row and column", patch(1, width, 200, height - 1, 0)
    squares = np.kron(noise(14, 14, 1, 5)[..., 0] < 128, np.ones((16, 16), bool))[:height, :width]
    for name, alpha in (("hard", 255), ("soft", 90)):
        squares_of_noise = patch(*squares.shape, squares * np.uint8(alpha))
        yield f"{name} 16 px squares of noise", squares_of_noise
        black = squares_of_noise.rgba * np.array([0, 0, 0, 1], np.uint8)
        yield f"{name} 16 px black squares", Overlay(black, 0, 0, 0.0)
    if min(height, width) >= 16:
        side = min(height, width)
        yield "opaque, on the grid", patch(8, 8, 255, height // 16 * 8, width // 16 * 8)
        yield "opaque, off the grid", patch(side // 2, side // 2, 255, 3, 5)
        yield "opaque, last corner", patch(side // 2, side // 2, 255, height - side // 2, width - side // 2)
        yield "hard disc", disc(side * 2 // 3, 0.01, 1, 2)
        yield "soft disc at the corner", disc(side // 2, 6, height - side // 2, width - side // 2)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_splicing_is_byte_identical_to_encoding_the_composite(size, quality):
    image = photograph_like(*size, seed=1)
    encoder = SplicedEncoder(image, quality)
    assert encoder.clean == encode_jpeg(image, quality)
    for name, overlay in overlays(*size):
        expected = encode_jpeg(composite(image, overlay), quality)
        assert encoder.encode(prepare_splice(overlay, *size, quality)) == expected, name


@st.composite
def cases(draw):
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    box_height, box_width = draw(st.integers(1, height)), draw(st.integers(1, width))
    seed = draw(st.integers(0, 2**32))
    alpha = noise(box_height, box_width, 1, seed)[..., 0]
    low, high = sorted((draw(st.integers(0, 255)), draw(st.integers(1, 256))))
    alpha = np.where(alpha < low, 0, np.where(alpha >= high, 255, alpha)).astype(np.uint8)
    place = draw(st.integers(0, height - box_height)), draw(st.integers(0, width - box_width))
    return photograph_like(height, width, seed % 999), patch(box_height, box_width, alpha, *place, seed)


@given(case=cases(), quality=st.integers(1, 100))
def test_splicing_is_byte_identical_for_any_image_and_overlay(case, quality):
    image, overlay = case
    splice = prepare_splice(overlay, *image.shape[:2], quality)
    assert SplicedEncoder(image, quality).encode(splice) == encode_jpeg(composite(image, overlay), quality)


def test_one_splice_serves_every_photograph(real_data):
    files = sorted((real_data / "caltech101").rglob("*.jpg"))[::150][:20]
    splices = [
        (overlay, prepare_splice(overlay, 224, 224, 95))
        for overlay in (disc(110, 4, 20, 90), disc(150, 12, 74, 74, seed=9), patch(70, 90, 255, 33, 21))
    ]
    assert files
    for file in files:
        with Image.open(file) as picture:
            image = np.asarray(picture.convert("RGB").resize((224, 224)))
        encoder = SplicedEncoder(image, 95)
        for overlay, splice in splices:
            assert encoder.encode(splice) == encode_jpeg(composite(image, overlay), 95)


@pytest.mark.parametrize("quality", [50, 95])
@pytest.mark.parametrize("size", [(224, 224), (100, 75)], ids=str)
def test_mcus_the_overlay_leaves_alone_decode_as_in_the_clean_file(size, quality):
    image = photograph_like(*size, seed=2)
    overlay = disc(60, 5, 13, 10)
    encoder = SplicedEncoder(image, quality)
    differs = (decode(encoder.encode(prepare_splice(overlay, *size, quality))) != decode(encoder.clean)).any(axis=2)
    reach = np.zeros(size, bool)
    rows, columns = np.nonzero(overlay.alpha)
    for row, column in set(zip((rows + 13) // 8 * 8, (columns + 10) // 8 * 8, strict=True)):
        reach[row : row + 8, column : column + 8] = True
    assert differs.any()
    assert not (differs & ~reach).any()


def test_more_mcus_than_one_strip_holds():
    image = photograph_like(800, 1000, seed=4)
    for alpha in (255, 77):
        overlay = patch(700, 800, alpha, 3, 5)
        splice = prepare_splice(overlay, 800, 1000, 90)
        assert SplicedEncoder(image, 90).encode(splice) == encode_jpeg(composite(image, overlay), 90)


def test_threads_may_share_a_splice():
    overlay = disc(50, 5, 7, 9)
    splice = prepare_splice(overlay, 64, 64, 95)
    images = [photograph_like(64, 64, seed) for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda image: SplicedEncoder(image, 95).encode(splice), images))
    assert results == [encode_jpeg(composite(image, overlay), 95) for image in images]


@pytest.mark.parametrize("other", [(32, 40, 90), (40, 32, 90), (32, 32, 91)])
def test_a_splice_for_another_size_or_quality_is_refused(other):
    encoder = SplicedEncoder(photograph_like(32, 32, 0), 90)
    with pytest.raises(ValueError, match="splice for"):
        encoder.encode(prepare_splice(empty_overlay(), *other))


@pytest.mark.parametrize(("y0", "x0"), [(25, 0), (0, 25)])
def test_an_overlay_that_reaches_out_is_refused(y0, x0):
    with pytest.raises(ValueError, match="reaches out of the 32 x 32 px image"):
        prepare_splice(patch(8, 8, 255, y0, x0), 32, 32, 90)
