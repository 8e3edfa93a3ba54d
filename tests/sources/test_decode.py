"""Every kind of image becomes RGB; every kind of damage becomes one plain line."""

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from occbench.core.errors import BrokenImageError
from occbench.sources.decode import MAX_PIXELS, decode_image

GRADIENT = np.stack(np.meshgrid(np.arange(40) * 6, np.arange(24) * 10), -1).astype(np.uint8)
RGB = np.concatenate([GRADIENT, GRADIENT[..., :1] // 2], -1)


def encoded(picture, file_format="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_of_size(width, height):
    """A PNG whose header claims a size that its data does not have."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_lossless_formats_give_the_pixels(file_format, options):
    image = decode_image(encoded(Image.fromarray(RGB), file_format, **options), "x")
    np.testing.assert_array_equal(image, RGB)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_close_to_the_pixels(options):
    image = decode_image(encoded(Image.fromarray(RGB), "JPEG", quality=95, **options), "x")
    assert np.abs(image.astype(int) - RGB).mean() < 3


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_image(data, "x") == [255, 0, 0]).all()


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_one_channel_modes_give_three_equal_channels(mode):
    image = decode_image(encoded(Image.fromarray(RGB).convert("L").convert(mode)), "x")
    assert image.shape == RGB.shape
    assert (image == image[..., :1]).all()
    assert len(np.unique(image)) > 1


def test_palette_gives_its_colours():
    picture = Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(decode_image(encoded(picture), "x"), np.asarray(picture.convert("RGB")))


def test_cmyk_jpeg_gives_its_colours():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(decode_image(encoded(red, "JPEG", quality=95), "x").astype(int) - [255, 0, 0]).max() <= 6


def transparent_pictures():
    colour = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    colour.putpixel((0, 0), (200, 0, 0, 255))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([200, 0, 0, 0, 0, 9])
    palette.putpixel((0, 0), 0)
    keyed = Image.new("RGB", (4, 4), (7, 7, 7))
    keyed.putpixel((0, 0), (200, 0, 0))
    yield pytest.param(encoded(colour), id="alpha channel")
    yield pytest.param(encoded(palette, transparency=1), id="transparent palette entry")
    yield pytest.param(encoded(palette, transparency=b"\xff\x00"), id="palette with alpha")
    yield pytest.param(encoded(palette, "GIF", transparency=1), id="GIF")
    yield pytest.param(encoded(keyed, transparency=(7, 7, 7)), id="transparent colour")


@pytest.mark.parametrize("data", [*transparent_pictures()])
def test_transparency_becomes_white(data):
    image = decode_image(data, "x")
    np.testing.assert_array_equal(image[0, 0], [200, 0, 0])
    np.testing.assert_array_equal(image[1:], 255)


def test_half_transparency_is_half_white():
    image = decode_image(encoded(Image.new("LA", (2, 2), (0, 128))), "x")
    assert np.abs(image.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_greyscale_keeps_its_scale(file_format):
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    image = decode_image(encoded(Image.fromarray(values), file_format), "x")
    np.testing.assert_array_equal(image[0, :, 0], [0, 1, 128, 255])
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize(
    "values", [np.array([[0, 65535]], dtype=np.int32), np.array([[0, 1]], dtype=np.float32)], ids=["integer", "float"]
)
def test_32_bit_greyscale_spans_black_to_white(values):
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(values), "TIFF"), "x")[0, :, 0], [0, 255])


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0, 70000]], dtype=np.int32),
        np.array([[-1, 5]], dtype=np.int32),
        np.array([[0, 200]], dtype=np.float32),
        np.array([[0, np.nan]], dtype=np.float32),
    ],
    ids=["integer too large", "integer below zero", "float too large", "not a number"],
)
def test_32_bit_greyscale_without_a_known_scale_is_refused(values):
    with pytest.raises(BrokenImageError, match=r"x: 32-bit greyscale from .* has a meaning"):
        decode_image(encoded(Image.fromarray(values), "TIFF"), "x")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, file_format):
    # how the upright picture was turned by the camera: the inverse of what a reader has to do
    stored = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, 1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(file_format, {})
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif, **options)
    image = decode_image(data, "x")
    assert image.shape == RGB.shape
    assert np.abs(image.astype(int) - RGB).max() <= (12 if file_format == "JPEG" else 0)


def test_unreadable_exif_counts_as_upright():
    data = encoded(Image.fromarray(RGB), "PNG", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01\x03")
    np.testing.assert_array_equal(decode_image(data, "x"), RGB)


def test_a_large_image_within_the_limit_is_decoded_without_a_warning(monkeypatch):
    data = encoded(Image.fromarray(RGB))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", RGB.shape[0] * RGB.shape[1] - 1)  # Pillow warns from here to twice
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(decode_image(data, "x"), RGB)


JPEG = encoded(Image.fromarray(np.tile(RGB, (8, 8, 1))), "JPEG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", r"cup/a\.jpg: zero bytes", id="zero bytes"),
        pytest.param(b"hello, world", r"cup/a\.jpg: not a PNG.* image \(starts with 'hello, world'\)", id="text"),
        pytest.param(b"<!DOCTYPE html><p>404", "starts with '<!DOCTYPE ht'", id="web page"),
        pytest.param(b"\x00\x00\x00\x1cftypheic", "not a PNG, JPEG, WebP, BMP, GIF or TIFF", id="other format"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0", "not a PNG, JPEG, WebP, BMP, GIF or TIFF", id="PostScript"),
        pytest.param(JPEG[:3], "damaged: the header cannot be read", id="only a signature"),
        pytest.param(JPEG[: len(JPEG) // 2], "truncated: ", id="half a JPEG"),
        pytest.param(encoded(Image.fromarray(RGB))[:70], "truncated: |damaged: ", id="half a PNG"),
        pytest.param(png_of_size(16, 16), "truncated: |damaged: ", id="PNG without pixels"),
        pytest.param(png_of_size(60000, 60000), "too large: ", id="decompression bomb"),
        pytest.param(png_of_size(0, 16), "damaged: |0 x 16 px", id="no pixels"),
        pytest.param(png_of_size(2**31 - 1, 2**31 - 1), "too large: ", id="absurd dimensions"),
    ],
)
def test_unusable_bytes_say_why(data, message):
    with pytest.raises(BrokenImageError, match=message) as caught:
        decode_image(data, "cup/a.jpg")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_limit_holds_when_pillow_has_none(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(BrokenImageError, match=f"60000 x 60000 px, allowed are 1 to {MAX_PIXELS:,} pixels"):
        decode_image(png_of_size(60000, 60000), "x")


def test_every_cut_of_a_file_is_an_image_or_a_plain_error():
    for file_format in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"):
        data = encoded(Image.fromarray(RGB), file_format)
        for length in range(0, len(data), 7):
            try:
                image = decode_image(data[:length], "x")
            except BrokenImageError:
                continue
            assert image.shape == RGB.shape


def make_folder(path: Path):
    path.mkdir()


def make_broken_link(path: Path):
    path.symlink_to("gone.jpg")


def make_circle(path: Path):
    path.symlink_to(path)


def make_pipe(path: Path):
    os.mkfifo(path)


def make_nothing(path: Path):
    pass


def make_empty(path: Path):
    path.touch()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_folder, "x: a folder, not a file"),
        (make_broken_link, r"x: a broken link to gone\.jpg"),
        (make_circle, "x: cannot be read"),
        (make_pipe, "x: a pipe or device, not a file"),
        (make_nothing, "x: no such file"),
        (make_empty, "x: zero bytes"),
    ],
)
def test_paths_without_an_image_say_why(tmp_path, make, message):
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(BrokenImageError, match=message):
        decode_image(path, "x")


def test_a_file_without_permission_says_so(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything, so the test steps down for a moment
    try:
        with pytest.raises(BrokenImageError, match="x: no permission to read it"):
            decode_image(path, "x")
    finally:
        os.seteuid(user)


def test_a_name_that_no_file_can_have_says_so(tmp_path):
    with pytest.raises(BrokenImageError, match=r"x: no file can have the name 'a\\x00b' \(embedded null byte\)"):
        decode_image(tmp_path / "a\0b", "x")


def test_a_name_is_no_format(tmp_path):
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    np.testing.assert_array_equal(decode_image(path, "x"), RGB)


def test_threads_agree_and_leave_the_warning_filters_as_they_were():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(Image.fromarray(np.ascontiguousarray(np.rot90(RGB))), "PNG", exif=exif)
    before, images = list(warnings.filters), []

    def work():
        images.extend(decode_image(data, "x") for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(images) == 200
    assert all(np.array_equal(image, RGB) for image in images)
    assert warnings.filters == before
