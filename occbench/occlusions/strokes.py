"""Free-form scribbles of a wanted area: thick random walks and ellipses.

Widths of 12 to 48 px on an image of 224 px, in proportion on others. Every coordinate comes from exact arithmetic on a
stream (no sine, whose last digit differs between machines), is rounded to whole pixels, and shapes are filled by the
exact inequalities below: drawing libraries change the outline of a thick line from one release to the next.
"""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream

__all__ = ["draw_strokes"]

_REFERENCE_PX: Final = 224
_WIDTH_PX: Final = (12.0, 48.0)
_STEP_PX: Final = 28.0
_STEPS: Final = (2, 9)
_ELLIPSE_SHARE: Final = 0.2
_MAX_STROKES: Final = 2000
_SHRINK: Final = 0.7


def draw_strokes(random: Stream, shape: tuple[int, int], least: int, most: int) -> NDArray[np.bool_] | None:
    """Add strokes until between ``least`` and ``most`` pixels are covered.

    A goal is drawn uniformly between the two and strokes are added until it is reached. A stroke that would cover more
    than ``most`` is left out: if ``least`` is reached the mask is finished, else the next strokes are smaller, by a
    factor of 0.7 each time down to a single pixel.

    Args:
        random: where every number comes from.
        shape: (height, width) of the mask.
        least: smallest number of covered pixels, at least 1.
        most: largest number of covered pixels.

    Returns:
        bool[height, width], True on the strokes; None if 2,000 strokes did not bring it between the two.
    """
    mask = np.zeros(shape, dtype=np.bool_)
    goal = random.integer(least, most + 1)
    scale = min(shape) / _REFERENCE_PX
    covered = 0
    for _ in range(_MAX_STROKES):
        candidate = mask.copy()
        draw = _draw_ellipse if random.uniform() < _ELLIPSE_SHARE else _draw_walk
        draw(candidate, random, scale)
        area = int(np.count_nonzero(candidate))
        if area <= most:
            mask, covered = candidate, area
        else:
            scale *= _SHRINK
        if covered >= goal or (area > most and covered >= least):
            return mask
    return None


def _draw_walk(mask: NDArray[np.bool_], random: Stream, scale: float) -> None:
    """Draw a thick polyline whose direction drifts: half of the last step plus a new one."""
    height, width = mask.shape
    thickness = max(1, round(random.uniform(*_WIDTH_PX) * scale))
    point = random.uniforms(2) * (width, height)
    step = np.zeros(2)
    corners = [_whole(point)]
    for change in random.uniforms(random.integer(*_STEPS), 2):
        step = 0.5 * step + (2.0 * change - 1.0) * (_STEP_PX * scale)
        point = point + step
        corners.append(_whole(point))
    for start, end in pairwise(corners):
        _fill_line(mask, start, end, thickness)


def _draw_ellipse(mask: NDArray[np.bool_], random: Stream, scale: float) -> None:
    """Draw a filled ellipse with both axes in the range of the stroke widths, in one of many directions."""
    height, width = mask.shape
    centre_x, centre_y = _whole(random.uniforms(2) * (width, height))
    long, short = (max(1, round(random.uniform(*_WIDTH_PX) * scale)) for _ in range(2))
    along_x, along_y = random.integer(-8, 9), random.integer(1, 9)
    reach = max(long, short) // 2 + 1
    box, x, y = _window(mask, (centre_x - reach, centre_x + reach), (centre_y - reach, centre_y + reach))
    x, y = x - centre_x, y - centre_y
    along, across = along_x * x + along_y * y, along_x * y - along_y * x
    box |= 4 * ((along * short) ** 2 + (across * long) ** 2) <= (long * short) ** 2 * (along_x**2 + along_y**2)


def _fill_line(mask: NDArray[np.bool_], start: tuple[int, int], end: tuple[int, int], thickness: int) -> None:
    """Fill the pixels whose centre is within half the thickness of the line from ``start`` to ``end``, each (x, y)."""
    reach = thickness // 2 + 1
    (x0, x1), (y0, y1) = sorted((start[0], end[0])), sorted((start[1], end[1]))
    box, x, y = _window(mask, (x0 - reach, x1 + reach), (y0 - reach, y1 + reach))
    for corner_x, corner_y in (start, end):
        box |= 4 * ((x - corner_x) ** 2 + (y - corner_y) ** 2) <= thickness**2
    step_x, step_y = end[0] - start[0], end[1] - start[1]
    length_squared = step_x**2 + step_y**2
    x, y = x - start[0], y - start[1]
    along = step_x * x + step_y * y
    across = step_x * y - step_y * x
    box |= (along >= 0) & (along <= length_squared) & (4 * across**2 <= thickness**2 * length_squared)


def _window(
    mask: NDArray[np.bool_], columns: tuple[int, int], rows: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Return the part of the mask within the limits (inclusive) and its x[1, w] and y[h, 1].

    Whole numbers in float64: all products stay below 2**53, so they are exact, and faster than in 64-bit integers.
    """
    left, right = max(columns[0], 0), max(columns[1] + 1, 0)
    top, bottom = max(rows[0], 0), max(rows[1] + 1, 0)
    box = mask[top:bottom, left:right]
    x = np.arange(left, left + box.shape[1], dtype=np.float64)[None, :]
    y = np.arange(top, top + box.shape[0], dtype=np.float64)[:, None]
    return box, x, y


def _whole(point: NDArray[np.float64]) -> tuple[int, int]:
    """Return (x, y) rounded to whole pixels."""
    return int(np.rint(point[0])), int(np.rint(point[1]))
