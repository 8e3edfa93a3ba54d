"""Image encoders of materialised datasets: RGB pixels to the bytes of one PNG or JPEG file, and back."""

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import ConfigError, DatasetError
from occbench.data.scratch import scratch
from occbench.data.stored_png import STORED_VERSION, check_image, encode_png_stored

__all__ = [
    "Encoding",
    "decode",
    "encode_jpeg",
    "encode_jpeg_bgr",
    "encode_png",
    "encode_png_fast",
    "encoder_version",
]

#: libjpeg's limit on either side of an image, pixels.
MAX_JPEG_SIDE_PX: Final = 65_500


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
        return STORED_VERSION if self.name == "png" and self.level == "stored" else encoder_version()

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Return the file of ``image``, uint8[H, W, 3] RGB."""
        if self.name == "jpeg":
            return encode_jpeg(image, self.quality)
        return encode_png_stored(image) if self.level == "stored" else encode_png(image, self.level)


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
    check_image(image)
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR, dst=scratch("bgr", *image.shape))
    return np.asarray(swapped, dtype=np.uint8)
