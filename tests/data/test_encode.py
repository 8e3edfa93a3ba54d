"""Encoders: PNG is exact, stored PNG is valid for every reader, JPEG has a marker per MCU, broken bytes are named."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream
from occbench.data.encode import Encoding, decode, encode_jpeg, encode_png, encode_png_fast, encoder_version
from occbench.data.stored_png import encode_png_stored

ALL_ENCODINGS = [Encoding("png"), Encoding("png", level=1), Encoding("png", level=9), Encoding("jpeg", quality=90)]


def noise(height, width, seed=0):
    return (
        stream(seed, height, width, "noise")
        .integers(256, height * width * 3)
        .astype(np.uint8)
        .reshape(height, width, 3)
    )


def read_by_cv2(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


# 65,535 bytes are one stored block: 21844 px is the last single row in one block, 5 x 4369 and 51 x 428 just fill one
@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (1, 2),
        (9, 17),
        (224, 224),
        (100, 75),
        (1, 21844),
        (1, 21845),
        (2, 21844),
        (5, 4369),
        (51, 428),
        (448, 448),
    ],
)
def test_stored_png_is_exact_for_every_reader(size):
    image = noise(*size)
    data = encode_png_stored(image)
    with Image.open(BytesIO(data)) as picture:
        assert picture.mode == "RGB"
        assert np.array_equal(np.asarray(picture), image)
    assert np.array_equal(read_by_cv2(data), image)
    assert np.array_equal(decode(data), image)


@given(height=st.integers(1, 90), width=st.integers(1, 900), seed=st.integers(0, 2**32))
def test_stored_png_is_exact_for_any_size(height, width, seed):
    image = noise(height, width, seed)
    data = encode_png_stored(image)
    assert np.array_equal(decode(data), image)
    assert np.array_equal(read_by_cv2(data), image)


def chunks_of(data):
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (crc,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert crc == zlib.crc32(kind + body)
        yield kind, body
        at += 12 + length


def test_stored_png_has_correct_checksums_and_plain_rows():
    image = noise(224, 224)
    chunks = dict(chunks_of(encode_png_stored(image)))
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(224, 1 + 3 * 224)  # checks the Adler-32
    assert not rows[:, 0].any()
    assert np.array_equal(rows[:, 1:].reshape(image.shape), image)


def test_stored_variants_differ_only_where_their_pixels_do_and_in_the_checksums():
    clean = noise(224, 224)
    variant = clean.copy()
    variant[100:110, 50:60] ^= 255
    one, other = (np.frombuffer(encode_png_stored(image), np.uint8) for image in (clean, variant))
    assert (one != other).sum() <= 10 * 10 * 3 + 8


@pytest.mark.parametrize("encoding", ALL_ENCODINGS, ids=str)
def test_encoders_take_views_and_leave_the_image_alone(encoding):
    image = noise(40, 60)
    image.flags.writeable = False
    views = [image[::-1], image[:, ::-1], image[5:30, 7:50], image.transpose(1, 0, 2)]
    before = image.copy()
    for view in views:
        assert encoding.encode(view) == encoding.encode(np.ascontiguousarray(view))
    assert np.array_equal(image, before)


@pytest.mark.parametrize("encoding", ALL_ENCODINGS, ids=str)
def test_threads_do_not_share_scratch_memory(encoding):
    images = [noise(64 + seed % 3, 64, seed) for seed in range(60)]
    expected = [encoding.encode(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(encoding.encode, images)) == expected


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 9), (64, 48)])
def test_fast_png_is_lossless(height, width):
    image = noise(height, width)
    assert np.array_equal(decode(encode_png_fast(image)), image)


@pytest.mark.parametrize("level", [1, 5, 9])
def test_deflated_png_is_exact(level):
    image = noise(100, 75)
    assert np.array_equal(decode(encode_png(image, level)), image)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (17, 9), (64, 64)])
def test_jpeg_has_full_chroma_and_a_marker_behind_every_mcu(height, width):
    data = encode_jpeg(noise(height, width), 95)
    with Image.open(BytesIO(data)) as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3
        assert "progressive" not in picture.info
    mcus = -(-height // 8) * -(-width // 8)
    scan = data[data.index(b"\xff\xda") :]
    found = [second for first, second in pairwise(scan[2:]) if first == 0xFF and second != 0]
    assert found == [0xD0 + mcu % 8 for mcu in range(mcus - 1)] + [0xD9]


def test_jpeg_is_close_to_the_image_in_the_right_channel_order():
    image = np.full((16, 16, 3), (200, 100, 30), dtype=np.uint8)
    assert np.abs(decode(encode_jpeg(image, 95)).astype(int) - image).max() <= 3


@pytest.mark.parametrize("make", [lambda image: image[..., 0], lambda image: image.astype(np.float32), lambda i: i[:0]])
@pytest.mark.parametrize("encoding", ALL_ENCODINGS, ids=str)
def test_another_shape_or_dtype_is_refused(encoding, make):
    with pytest.raises(ValueError, match=r"must be uint8\[H, W, 3\], found"):
        encoding.encode(make(noise(8, 8)))


def test_a_side_that_jpeg_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="65500 px a side"):
        encode_jpeg(np.zeros((1, 65_501, 3), np.uint8), 95)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not an image",
        lambda data: data[:20],
        lambda data: data[: len(data) // 2],
        lambda data: b"\x00" * 8 + data[8:],
    ],
)
@pytest.mark.parametrize("encoding", ALL_ENCODINGS, ids=str)
def test_broken_bytes_are_one_clear_line(encoding, damage):
    data = damage(encoding.encode(noise(64, 64)))
    with pytest.raises(DatasetError, match=rf"{len(data)} bytes cannot be read .* generate the shard again") as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def test_a_broken_png_header_is_one_clear_line():
    data = bytearray(encode_png_stored(noise(8, 8)))
    data[20] ^= 1  # the width, under IHDR's checksum
    with pytest.raises(DatasetError, match="cannot be read"):
        decode(bytes(data))


@pytest.mark.parametrize(
    "options",
    [
        {"name": "webp"},
        {"quality": 0},
        {"quality": 101},
        {"quality": 95.0},
        {"level": 0},
        {"level": 10},
        {"level": "best"},
    ],
)
def test_impossible_encodings_are_refused(options):
    with pytest.raises(ConfigError, match=r"(choose|give) "):
        Encoding(**options)


def test_versions_name_what_the_bytes_depend_on():
    assert cv2.__version__ in encoder_version()
    assert "libjpeg" in encoder_version()
    assert "/" not in encoder_version()
    assert Encoding("jpeg").version == Encoding("png", level=1).version == encoder_version()
    assert Encoding("png").version != encoder_version()
