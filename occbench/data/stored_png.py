"""PNG files whose pixels stand in them uncompressed, for shards that are compressed as a whole."""

import struct
import threading
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["STORED_VERSION", "check_image", "encode_png_stored"]

#: What the bytes depend on besides the pixels.
STORED_VERSION: Final = "occbench stored PNG 1"

_MAX_PNG_BYTES: Final = 2**31 - 1  # one chunk's length [PNG specification, section 5.3]
_MAX_STORED_BYTES: Final = 65_535  # one stored deflate block [RFC 1951, section 3.2.4]


class _Pages(threading.local):
    """One thread's page of the size that it met last."""

    last: "_StoredPage | None" = None


_pages = _Pages()


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
    check_image(image)
    height, width = image.shape[:2]
    page = _pages.last
    if page is None or page.shape != (height, width):
        page = _pages.last = _StoredPage(height, width)
    return page.fill(image)


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise ValueError for anything but uint8[H, W, 3] with pixels in it."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image to encode must be uint8[H, W, 3], found {image.dtype}{list(image.shape)}")


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
