"""COCO run lengths: the one place that talks to pycocotools about encoded masks."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_runs", "encode_runs", "rasterise"]


def encode_runs(mask: NDArray[np.bool_]) -> str:
    """Return COCO's compressed run-length text of a bool[H, W] mask, without its size."""
    from pycocotools import mask as codec  # here, because little else needs its compiled module

    counts: bytes = codec.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def decode_runs(runs: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return uint8[H, W], 1 inside, of compressed run lengths: ``size`` [H, W] and ``counts``, bytes or text."""
    from pycocotools import mask as codec

    with warnings.catch_warnings():
        # pycocotools 2.0.11 still offers numpy the __array__ of numpy 1; the pixels are right
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        return np.asarray(codec.decode(runs), dtype=np.uint8)


def rasterise(segmentations: Sequence[Any], height: int, width: int) -> NDArray[np.bool_]:
    """Return bool[height, width], True inside the union of COCO segmentations.

    Args:
        segmentations: each a list of polygons (x0, y0, x1, y1, ... in pixels, three points or more) or a mapping of run
            lengths with ``size`` [height, width] and ``counts``, compressed (text) or not (a list of integers).
        height: of the image, pixels.
        width: of the image, pixels.

    Raises:
        ValueError: run lengths do not fill an image of this size, or are not run lengths.
    """
    from pycocotools import mask as codec

    parts: list[Any] = []
    for segmentation in segmentations:
        if not isinstance(segmentation, Mapping):
            parts += codec.frPyObjects(list(segmentation), height, width)
            continue
        counts = segmentation["counts"]
        counts = list(counts) if isinstance(counts, list) else _read_runs(counts)
        # pycocotools does not look: lengths that end early leave the rest of the mask to chance
        if min(counts, default=-1) < 0 or sum(counts) != height * width:
            raise ValueError(f"run lengths do not fill {width} x {height} px")
        parts.append(codec.frPyObjects({"size": [height, width], "counts": counts}, height, width))
    if not parts:
        return np.zeros((height, width), dtype=np.bool_)
    return np.ascontiguousarray(decode_runs(codec.merge(parts)), dtype=np.bool_)


def _read_runs(text: str | bytes) -> list[int]:
    """Return the run lengths of COCO's compressed text.

    Each number is a string of characters, code 48 and up, five bits each, lowest first; a sixth bit says that more
    follow, the highest of the last five is the sign. From the fourth on, a number is the difference from the one two
    before.
    """
    codes = text.encode("ascii", "replace") if isinstance(text, str) else text
    lengths: list[int] = []
    value = shift = 0
    for code in codes:
        bits = code - 48
        if not 0 <= bits < 64:
            raise ValueError(f"run lengths have the character {chr(code)!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (bits & 16) << (shift - 4)  # the sign bit counts for minus 2**shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths end in the middle of a number")
    return lengths
