"""What Pillow raises on files that are no images, or damaged ones."""

import struct
import zlib
from typing import Final

from PIL import Image

__all__ = ["UNREADABLE"]

#: Cut and bit-flipped files of every format gave the first three and the last; the others are those that Pillow's own
#: opening guards against.
UNREADABLE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
