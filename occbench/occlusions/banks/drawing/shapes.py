"""Shapes as signed distances in design pixels (negative inside), and masks with soft edges made of them."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from occbench.occlusions.banks.drawing.canvas import SUPERSAMPLING
from occbench.occlusions.banks.drawing.planes import Plane, smoothstep

__all__ = ["Points", "box", "circle", "cover", "curve", "polygon", "rotate", "segment", "stroke"]

Points = Sequence[tuple[float, float]]


def cover(distance: Plane, softness: float = 1.6) -> Plane:
    """Return the mask of a shape: 1 inside, 0 outside, falling over ``softness`` design pixels around the edge."""
    return smoothstep(softness / 2, -softness / 2, distance)


def rotate(x: Plane, y: Plane, degrees: float, centre: tuple[float, float] = (200, 200)) -> tuple[Plane, Plane]:
    """Return coordinates about ``centre`` in a frame turned by ``degrees`` clockwise on the screen."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    dx, dy = x - centre[0], y - centre[1]
    return c * dx + s * dy, c * dy - s * dx


def circle(x: Plane, y: Plane, radius: float) -> Plane:
    """Distance to a circle about the origin."""
    return np.hypot(x, y) - radius


def box(x: Plane, y: Plane, half: tuple[float, float], corner: float = 0.0) -> Plane:
    """Distance to a rectangle about the origin with half sides ``half`` and rounded corners."""
    dx, dy = np.abs(x) - (half[0] - corner), np.abs(y) - (half[1] - corner)
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - corner


def segment(x: Plane, y: Plane, start: tuple[float, float], end: tuple[float, float]) -> Plane:
    """Distance to a line segment (never negative)."""
    ex, ey = end[0] - start[0], end[1] - start[1]
    dx, dy = x - start[0], y - start[1]
    t = np.clip((dx * ex + dy * ey) / (ex * ex + ey * ey), 0, 1)
    return np.hypot(dx - t * ex, dy - t * ey)


def curve(points: Points, closed: bool = False, steps: int = 12) -> Points:
    """Return points along the Catmull-Rom spline through ``points``, ``steps`` per span."""
    knots = np.asarray(points, dtype=np.float64)
    knots = np.vstack([knots[-1], knots, knots[:2]]) if closed else np.vstack([knots[0], knots, knots[-1]])
    t = (np.arange(steps) / steps)[:, None]
    found = []
    for before, first, second, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        slope, bend = second - before, 2 * before - 5 * first + 4 * second - after
        found.append(first + 0.5 * t * (slope + t * (bend + t * (3 * (first - second) + after - before))))
    tail = [] if closed else [knots[-1][None]]
    return [(float(px), float(py)) for px, py in np.vstack(found + tail)]


def polygon(shape: tuple[int, ...], points: Points) -> Plane:
    """Distance to the filled polygon in canvas design coordinates."""
    return _distance(shape, points, None)


def stroke(shape: tuple[int, ...], points: Points, radius: float) -> Plane:
    """Distance to the line through ``points``, ``radius`` design pixels to each side, with round ends."""
    return _distance(shape, points, radius)


def _distance(shape: tuple[int, ...], points: Points, radius: float | None) -> Plane:
    fixed = np.round((np.asarray(points) * SUPERSAMPLING - 0.5) * 16).astype(np.int32)
    inside = np.zeros(shape[:2], dtype=np.uint8)
    if radius is None:
        cv2.fillPoly(inside, [fixed], 1, shift=4)
    else:
        cv2.polylines(inside, [fixed], isClosed=False, color=1, thickness=1, shift=4)
    outwards = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if radius is not None:
        return np.asarray(outwards, dtype=np.float32) / SUPERSAMPLING - radius
    inwards = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # the raster puts the edge half a sample inside; a small blur removes its staircase
    edge = cv2.GaussianBlur(np.asarray(outwards - inwards, dtype=np.float32), (0, 0), 1.0)
    return np.asarray(edge, dtype=np.float32) / SUPERSAMPLING
