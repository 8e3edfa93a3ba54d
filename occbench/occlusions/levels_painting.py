"""What occluders show once they lie: their own pixels, or one filling within their outlines; integers throughout."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from occbench.occlusions.levels_occluders import Cutout
from occbench.occlusions.levels_placing import Placed

__all__ = ["Fill", "Picture", "fill_outlines", "paste_objects"]

#: (height, width) -> uint8[height, width, 3]
Fill = Callable[[int, int], NDArray[np.uint8]]
#: An RGBA picture, uint8[h, w, 4], and the left and top edge of its box in the image, pixels.
Picture = tuple[NDArray[np.uint8], int, int]


def paste_objects(placement: Sequence[Placed], occluders: Sequence[Cutout], height: int, width: int) -> Picture:
    """Scale occluders to their boxes and lay them over each other, the last on top, cut at the image border.

    Args:
        placement: which occluder lies where.
        occluders: with their pictures.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        The picture, colour 0 where alpha is 0.
    """
    left, top, right, bottom = _bounds(placement, height, width)
    canvas = np.zeros((bottom - top, right - left, 4), dtype=np.uint8)
    for placed in placement:
        scaled = occluders[placed.number].scaled(placed.width, placed.height)
        box, cut = _overlap(placed, left, top, canvas.shape)
        canvas[box] = _over(scaled[cut], canvas[box])
    return canvas, left, top


def fill_outlines(
    placement: Sequence[Placed], occluders: Sequence[Cutout], height: int, width: int, fill: Fill
) -> Picture:
    """Paint the union of the occluders' outlines, hard-edged: where the scaled alpha is at least half.

    Args:
        placement: as ``paste_objects``.
        occluders: with their outlines alone.
        height: of the image, pixels.
        width: of the image, pixels.
        fill: makes the pixels of the box around all of them.

    Returns:
        The picture, alpha 0 or 255, colour 0 where alpha is 0.
    """
    left, top, right, bottom = _bounds(placement, height, width)
    mask = np.zeros((bottom - top, right - left), dtype=np.bool_)
    for placed in placement:
        scaled = occluders[placed.number].scaled(placed.width, placed.height)
        box, cut = _overlap(placed, left, top, mask.shape)
        mask[box] |= scaled[cut] >= 128
    alpha = mask.view(np.uint8) * np.uint8(255)
    return np.dstack([fill(*mask.shape) & alpha[..., None], alpha]), left, top


def _bounds(placement: Sequence[Placed], height: int, width: int) -> tuple[int, int, int, int]:
    """Return the box (x0, y0, x1, y1) around all boxes, cut at the image border; every centre is inside the image."""
    return (
        max(0, min(placed.x0 for placed in placement)),
        max(0, min(placed.y0 for placed in placement)),
        min(width, max(placed.x0 + placed.width for placed in placement)),
        min(height, max(placed.y0 + placed.height for placed in placement)),
    )


def _overlap(
    placed: Placed, left: int, top: int, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return (where on the canvas, which part of the occluder); the canvas has its corner at (left, top)."""
    x, y = placed.x0 - left, placed.y0 - top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + placed.width, shape[1]), min(y + placed.height, shape[0])
    return np.s_[y0:y1, x0:x1], np.s_[y0 - y : y1 - y, x0 - x : x1 - x]


def _over(top: NDArray[np.uint8], bottom: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGBA ``top`` laid over RGBA ``bottom``, both straight alpha, rounded half up."""
    if not bottom[..., 3].any():
        return top * (top[..., 3:] > 0)
    upper, lower = top.astype(np.int32), bottom.astype(np.int32)
    shows = lower[..., 3:] * (255 - upper[..., 3:])
    alpha = 255 * upper[..., 3:] + shows  # times 255
    colour = 255 * upper[..., 3:] * upper[..., :3] + shows * lower[..., :3]
    return np.concatenate(
        [(colour + alpha // 2) // np.maximum(alpha, 1), (alpha + 127) // 255], axis=-1, dtype=np.uint8, casting="unsafe"
    )
