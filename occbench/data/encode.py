"""Image encoders of materialised datasets: RGB pixels to the bytes of one PNG or JPEG file, and back.

Every encoder writes into scratch memory that is kept per thread, because fresh memory costs more than most of the work
(page faults: about 100 us for the 150 kB of a 224 px image).
"""

import io
import math
import struct
import threading
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import ConfigError, DatasetError

__all__ = [
    "Encoding",
    "decode",
    "encode_jpeg",
    "encode_jpeg_bgr",
    "encode_png",
    "encode_png_fast",
    "encode_png_stored",
    "encoder_version",
    "scratch",
]

#: libjpeg's limit on either side of an image, pixels.
MAX_JPEG_SIDE_PX: Final = 65_500

_MAX_PNG_BYTES: Final = 2**31 - 1  # one chunk's length [PNG specification, section 5.3]
_MAX_STORED_BYTES: Final = 65_535  # one stored deflate block [RFC 1951, section 3.2.4]
_STORED_VERSION: Final = "occbench stored PNG 1"

#: What Pillow raises on broken bytes, by format and place.
_UNREADABLE: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_RUN_LENGTHS: Final = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)
#: Releases of OpenCV without a choice of filter use Sub, which costs as much and makes photographs 14 % larger.
_PAETH: Final = (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH) if hasattr(cv2, "IMWRITE_PNG_FILTER") else ()


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a dataset's images are encoded.

    Attributes:
        name: ``png`` is lossless; ``jpeg`` is 4:4:4 with a restart marker after every MCU (see ``encode_jpeg``).
        quality: JPEG quality, 1..100; PNG does not look at it.
        level: PNG compression: ``stored`` (see ``encode_png_stored``) or zlib's level 1..9; JPEG does not look at it.

    Raises:
        ConfigError: another name, or a quality or level out of its range.
    """

    name: Literal["png", "jpeg"] = "png"
    quality: int = 95
    level: int | Literal["stored"] = "stored"

    def __post_init__(self) -> None:
        if self.name not in ("png", "jpeg"):
            raise ConfigError(f"encoding name is {self.name!r}; choose png or jpeg.")
        if type(self.quality) is not int or not 1 <= self.quality <= 100:
            raise ConfigError(f"JPEG quality is {self.quality!r}; give a whole number from 1 to 100.")
        if self.level != "stored" and (type(self.level) is not int or not 1 <= self.level <= 9):
            raise ConfigError(f"PNG level is {self.level!r}; give stored or a whole number from 1 to 9.")

    @property
    def suffix(self) -> str:
        """The file name's ending, with its dot."""
        return ".png" if self.name == "png" else ".jpg"

    @property
    def version(self) -> str:
        """What the bytes depend on besides the pixels and the fields above: the encoder and its version."""
        return _STORED_VERSION if self.name == "png" and self.level == "stored" else encoder_version()

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return the file of ``image``, uint8[H, W, 3] RGB."""
        if self.name == "jpeg":
            return encode_jpeg(image, self.quality)
        return encode_png_stored(image) if self.level == "stored" else encode_png(image, self.level)


class _Scratch(threading.local):
    """One thread's reusable memory."""

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[np.uint8]] = {}
        self.page: _StoredPage | None = None


_scratch = _Scratch()


def scratch(purpose: str, *shape: int) -> NDArray[np.uint8]:
    """Return this thread's uint8 array for ``purpose``, valid until the next call with the same purpose."""
    count = math.prod(shape)
    array = _scratch.arrays.get(purpose)
    if array is None or array.size < count:
        array = _scratch.arrays[purpose] = np.empty(count, dtype=np.uint8)
    return array[:count].reshape(shape)


class _StoredPage:
    """A PNG file of one size with everything in place but pixels and checksums."""

    def __init__(self, height: int, width: int) -> None:
        row = 1 + 3 * width  # the filter byte, then the pixels
        total = height * row
        starts = range(0, total, _MAX_STORED_BYTES)
        length = 2 + 5 * len(starts) + total + 4  # zlib header, block headers, data, Adler-32
        if length > _MAX_PNG_BYTES:
            raise ValueError(f"a {width} x {height} px image does not fit into one PNG chunk of 2 GiB")
        head = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        head += struct.pack(">I", length)
        self.shape = (height, width)
        self.raw = np.zeros(total, dtype=np.uint8)  # every row's filter byte stays 0: no filter
        self.pixels = self.raw.reshape(height, row)[:, 1:]
        self.file = np.zeros(len(head) + 4 + length + 4 + 12, dtype=np.uint8)
        at = len(head)
        self.file[:at] = np.frombuffer(head, np.uint8)
        self.file[-12:] = np.frombuffer(_chunk(b"IEND", b""), np.uint8)
        self.adler = self.file[-20:-16]
        self.checked, self.crc = self.file[at:-16], self.file[-16:-12]
        self.file[at : at + 6] = np.frombuffer(b"IDAT\x78\x01", np.uint8)
        at += 6
        self.blocks = []
        for start in starts:
            source = self.raw[start : start + _MAX_STORED_BYTES]
            final = start + source.size == total
            header = struct.pack("<BHH", final, source.size, source.size ^ 0xFFFF)
            self.file[at : at + 5] = np.frombuffer(header, np.uint8)
            self.blocks.append((self.file[at + 5 : at + 5 + source.size], source))
            at += 5 + source.size

    def fill(self, image: NDArray[np.uint8]) -> bytes:
        self.pixels[:] = image.reshape(self.pixels.shape)
        for target, source in self.blocks:
            target[:] = source
        self.adler[:] = np.frombuffer(struct.pack(">I", zlib.adler32(self.raw.data)), np.uint8)
        self.crc[:] = np.frombuffer(struct.pack(">I", zlib.crc32(self.checked.data)), np.uint8)
        return self.file.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_png_stored(image: NDArray[np.uint8]) -> bytes:
    """Return ``image`` as a PNG file whose pixels stand in it uncompressed: filter 0, stored deflate blocks.

    Compressing each file alone is the slow way to a small dataset: the variants of one clean image share most of their
    pixels, and a compressed stream hides that. Stored pixels keep it in sight: all variants of one image share nearly
    all bytes at the same places, so the zstd of a Parquet row group that holds them removes the repetition, and writing
    is more than ten times as fast as any deflate. A file alone is as large as its pixels (151 kB at 224 px), so this is
    for shards, not for single files.

    Args:
        image: uint8[H, W, 3], RGB.

    Raises:
        ValueError: another dtype or shape, or more than 2 GiB.
    """
    _check(image)
    height, width = image.shape[:2]
    page = _scratch.page
    if page is None or page.shape != (height, width):
        page = _scratch.page = _StoredPage(height, width)
    return page.fill(image)


def encode_png(image: NDArray[np.uint8], level: int) -> bytes:
    """Return ``image``, uint8[H, W, 3] RGB, as a PNG file deflated at zlib's ``level`` 1..9.

    Raises:
        ValueError: another dtype or shape.
    """
    return cv2.imencode(".png", _bgr(image), [cv2.IMWRITE_PNG_COMPRESSION, level])[1].tobytes()


def encode_png_fast(image: NDArray[np.uint8]) -> bytes:
    """Return ``image``, uint8[H, W, 3] RGB, as a PNG file deflated without a search for repetitions.

    A filtered photograph hardly repeats, so looking for runs alone finds nearly as much: 1.7 ms and 69.6 kB at 224 px,
    where zlib's level 3 takes 3.8 ms for 67.0 kB and level 1 2.6 ms for 69.3 kB.

    Raises:
        ValueError: another dtype or shape.
    """
    return cv2.imencode(".png", _bgr(image), [*_RUN_LENGTHS, *_PAETH])[1].tobytes()


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """Return ``image`` as a baseline JPEG file: 4:4:4, standard Huffman tables, a restart marker after every MCU.

    With these flags the bytes of an MCU depend on its 8 x 8 pixels alone, which ``occbench.data.splice`` lives on: an
    occluded image shares every byte of the MCUs that the overlay leaves alone. The markers cost about 3 kB at 224 px.

    Args:
        image: uint8[H, W, 3], RGB.
        quality: 1..100.

    Raises:
        ValueError: another dtype or shape, or a side above 65,500 px.
    """
    return encode_jpeg_bgr(_bgr(image), quality).tobytes()


def encode_jpeg_bgr(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encode like ``encode_jpeg``, but take uint8[H, W, 3] in BGR and return a writable uint8[bytes]."""
    if max(image.shape) > MAX_JPEG_SIDE_PX:
        raise ValueError(f"JPEG holds {MAX_JPEG_SIDE_PX} px a side, found {image.shape[1]} x {image.shape[0]}")
    return np.asarray(cv2.imencode(".jpg", image, _jpeg_flags(quality))[1], dtype=np.uint8)


@cache
def _jpeg_flags(quality: int) -> tuple[int, ...]:
    return (
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, 0),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, 0),
    )


def decode(data: bytes, mode: Literal["RGB", "RGBA"] = "RGB") -> NDArray[np.uint8]:
    """Return the pixels of a PNG or JPEG file, uint8[H, W, 3] RGB or uint8[H, W, 4] RGBA.

    Raises:
        DatasetError: the bytes are not a whole image.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            return np.asarray(picture.convert(mode))
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        raise DatasetError(
            f"an encoded image of {len(data)} bytes cannot be read ({error}): the dataset is damaged; "
            "verify it and generate the shard again."
        ) from error


@cache
def encoder_version() -> str:
    """Return the versions that the bytes of ``encode_jpeg`` and ``encode_png`` depend on, in one line."""
    built_with = {"JPEG", "PNG", "ZLib"}
    found = [f"opencv {cv2.__version__}"]
    for line in cv2.getBuildInformation().splitlines():
        library, _, build = (part.strip() for part in line.partition(":"))
        if library in built_with:
            # without the path of the library on the machine that built it
            found.append(f"{library} {build.rsplit('/', 1)[-1]}")
    return ", ".join(found)


def _bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Swap the channels into scratch memory: 6 us at 224 px, where numpy needs 180."""
    _check(image)
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR, dst=scratch("bgr", *image.shape))
    return np.asarray(swapped, dtype=np.uint8)


def _check(image: NDArray[np.uint8]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image to encode must be uint8[H, W, 3], found {image.dtype}{list(image.shape)}")
