"""Boxes of whole pixels, (x0, y0, x1, y1), half-open: around a mask, around a box of real numbers."""

from math import ceil, floor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "box_of_mask", "cropped", "whole_box"]

Value = TypeVar("Value", bound=np.generic)

#: (x0, y0, x1, y1) in pixels, half-open.
Box = tuple[int, int, int, int]


def box_of_mask(mask: NDArray[np.bool_]) -> Box:
    """Return the smallest box that holds every True pixel.

    Args:
        mask: bool[H, W]; at least one pixel is True.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cropped(pixels: NDArray[Value], mask: NDArray[np.bool_]) -> NDArray[Value]:
    """Return the part of an image [H, W, ...] in the box of a mask bool[H, W], C-contiguous."""
    x0, y0, x1, y1 = box_of_mask(mask)
    return np.ascontiguousarray(pixels[y0:y1, x0:x1])


def whole_box(box: tuple[float, float, float, float], height: int, width: int) -> Box:
    """Return the smallest box of whole pixels that holds a box, cut at the border of a ``height`` x ``width`` px image.

    It is empty (``x0 >= x1`` or ``y0 >= y1``) where the box lies beside the image.
    """
    x0, y0, x1, y1 = box
    return max(floor(x0), 0), max(floor(y0), 0), min(ceil(x1), width), min(ceil(y1), height)
