"""File bytes to RGB pixels, the same for every source: one function, one error for whatever a download left behind.

How each kind of image becomes uint8 RGB:

- EXIF orientation is applied; an EXIF block that cannot be read counts as upright.
- Transparency (an alpha channel, a transparent palette entry or colour) is composited on white.
- 16-bit greyscale v becomes round(v / 257), so 65535 is white. 32-bit integer greyscale is read on the same scale.
- Floating-point greyscale is read as intensities in [0, 1].
- Palette, two-colour, CMYK, YCbCr and HSV images are converted by Pillow; of an animation, the first frame is taken.
- Colour profiles are ignored, as the loaders behind published accuracies do.
"""

import io
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from occbench.core.errors import BrokenImageError
from occbench.core.pictures import UNREADABLE

__all__ = ["MAX_PIXELS", "decode_image"]

#: The largest image that is decoded, in pixels (512 MiB of RGB): Pillow's own limit for an error.
MAX_PIXELS: Final = 178_956_970

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_SIGNATURES: Final = (b"\x89PNG", b"\xff\xd8", b"RIFF", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")
_UPRIGHT: Final = 1
_ROTATIONS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_quiet_lock = threading.Lock()


def decode_image(data_or_path: bytes | Path, what: str) -> NDArray[np.uint8]:
    """Decode one PNG, JPEG, WebP, BMP, GIF or TIFF image; the format is read from the bytes, never from the name.

    Args:
        data_or_path: the encoded bytes, or the file that holds them.
        what: what to call the image in an error, e.g. its path inside the source.

    Returns:
        uint8[H, W, 3], RGB, C-contiguous, writable, owned by the caller.

    Raises:
        BrokenImageError: the file cannot be read or is no usable image; the message is ``what`` and a few words.
    """
    data = _read(data_or_path, what) if isinstance(data_or_path, Path) else data_or_path
    if not data:
        raise BrokenImageError(f"{what}: zero bytes")
    try:
        picture = _load(data)
        rotation = _ROTATIONS.get(_orientation(picture))
        return np.array(_rgb(picture if rotation is None else picture.transpose(rotation)))
    except UnidentifiedImageError as error:
        raise BrokenImageError(f"{what}: {_unidentified(data)}") from error
    except BrokenImageError as error:
        raise BrokenImageError(f"{what}: {error}") from error
    except UNREADABLE as error:
        raise BrokenImageError(f"{what}: {_damage(error)}") from error


def _read(path: Path, what: str) -> bytes:
    try:
        if stat.S_ISREG(mode := path.stat().st_mode):
            return path.read_bytes()
    except FileNotFoundError as error:
        found = f"a broken link to {path.readlink()}" if path.is_symlink() else "no such file"
        raise BrokenImageError(f"{what}: {found}") from error
    except PermissionError as error:
        raise BrokenImageError(f"{what}: no permission to read it") from error
    except OSError as error:
        raise BrokenImageError(f"{what}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise BrokenImageError(f"{what}: no file can have the name {path.name[:60]!r} ({error})") from error
    # reading a pipe or a device would wait for ever
    raise BrokenImageError(f"{what}: {'a folder' if stat.S_ISDIR(mode) else 'a pipe or device'}, not a file")


def _load(data: bytes) -> Image.Image:
    with _pillow_quiet():
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        if not 0 < picture.width * picture.height <= MAX_PIXELS:
            raise BrokenImageError(f"{picture.width} x {picture.height} px, allowed are 1 to {MAX_PIXELS:,} pixels")
        if picture.format == "TIFF":
            picture.load()  # warns while loading; the other formats only while opening
    picture.load()  # outside the lock, so threads decode side by side
    return picture


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; of a TIFF always upright, because Pillow has turned it while loading."""
    try:
        with _pillow_quiet():
            value = picture.getexif().get(ExifTags.Base.Orientation)
    except UNREADABLE:
        return _UPRIGHT
    return value if isinstance(value, int) else _UPRIGHT


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.float64) / 257)
    if picture.mode in ("I", "F"):
        return _grey(_wide_grey(np.asarray(picture, dtype=np.float64), is_integer=picture.mode == "I"))
    if picture.has_transparency_data:
        solid = Image.new("RGBA", picture.size, "white")
        solid.alpha_composite(picture.convert("RGBA"))
        picture = solid
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _wide_grey(values: NDArray[np.float64], *, is_integer: bool) -> NDArray[np.float64]:
    """Return 32-bit greyscale on the scale 0 to 255, refusing values whose scale would have to be guessed."""
    top = 65535 if is_integer else 1
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= top):  # written so that NaN is refused
        raise BrokenImageError(f"32-bit greyscale from {low:g} to {high:g}, only 0 to {top} has a meaning")
    return values * (255 / top)


def _grey(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.rint(values).astype(np.uint8)).convert("RGB")


def _unidentified(data: bytes) -> str:
    if data.startswith(_SIGNATURES):
        return "damaged: the header cannot be read"
    start = str(data[:12])[1:]  # without the b, so that it reads as text where it is text
    return f"not a PNG, JPEG, WebP, BMP, GIF or TIFF image (starts with {start})"


def _damage(error: BaseException) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: {error}"
    detail = str(error) or type(error).__name__
    return f"truncated: {detail}" if "truncated" in detail.lower() else f"damaged: {detail}"


@contextmanager
def _pillow_quiet() -> Iterator[None]:
    """Silence Pillow's own warnings (large image, odd EXIF), and nobody else's.

    The warning filters belong to the process, so two threads must not swap them at the same time.
    """
    with _quiet_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
