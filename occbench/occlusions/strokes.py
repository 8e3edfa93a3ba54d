"""Free-form scribbles of a wanted area: thick random walks and ellipses.

Widths of 12 to 48 px on an image of 224 px, in proportion on others. Every coordinate comes from exact arithmetic on a
stream (no sine, whose last digit differs between machines) and is rounded before it is drawn.
"""

from typing import Final

import cv2
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
    mask = np.zeros(shape, dtype=np.uint8)
    goal = random.integer(least, most + 1)
    scale = min(shape) / _REFERENCE_PX
    covered = 0
    for _ in range(_MAX_STROKES):
        candidate = mask.copy()
        draw = _draw_ellipse if random.uniform() < _ELLIPSE_SHARE else _draw_walk
        draw(candidate, random, scale)
        area = cv2.countNonZero(candidate)
        if area <= most:
            mask, covered = candidate, area
        else:
            scale *= _SHRINK
        if covered >= goal or (area > most and covered >= least):
            return mask.view(np.bool_)
    return None


def _draw_walk(mask: NDArray[np.uint8], random: Stream, scale: float) -> None:
    """Draw a thick polyline whose direction drifts: half of the last step plus a new one."""
    height, width = mask.shape
    thickness = max(1, round(random.uniform(*_WIDTH_PX) * scale))
    point = random.uniforms(2) * (width, height)
    step = np.zeros(2)
    points = [point]
    for change in random.uniforms(random.integer(*_STEPS), 2):
        step = 0.5 * step + (2.0 * change - 1.0) * (_STEP_PX * scale)
        point = point + step
        points.append(point)
    corners = np.rint(points).astype(np.int32)
    cv2.polylines(mask, [corners.reshape(-1, 1, 2)], isClosed=False, color=1, thickness=thickness)


def _draw_ellipse(mask: NDArray[np.uint8], random: Stream, scale: float) -> None:
    """Draw a filled ellipse with both axes in the range of the stroke widths."""
    height, width = mask.shape
    centre = np.rint(random.uniforms(2) * (width, height)).astype(int).tolist()
    half_axes = [max(0, round(random.uniform(*_WIDTH_PX) * scale / 2)) for _ in range(2)]
    cv2.ellipse(mask, centre, half_axes, random.integer(0, 180), 0, 360, color=1, thickness=cv2.FILLED)
