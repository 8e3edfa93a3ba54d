"""Outlines: the few shapes that every toyparts object is made of.

Coordinates are those of the object before it is posed: x to the right, y downwards, objects about two units long.
A contour is float64[N, 2]; an outline is a tuple of contours filled by the even-odd rule, so a ring is two contours;
a layer is a union of outlines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Contour", "Layer", "Outline", "box", "curve", "ellipse", "limb", "polygon", "ring", "smooth"]

Contour: TypeAlias = NDArray[np.float64]
Outline: TypeAlias = tuple[Contour, ...]

_TURN: Final = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
_CIRCLE: Final = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One coat of paint: later layers cover earlier ones.

    Attributes:
        part: the part whose mask it belongs to; empty for clutter.
        outlines: the area, a union.
        mark: True for a detail on top of a part (a window, an eye): same mask, a colour of its own.
    """

    part: str
    outlines: tuple[Outline, ...]
    mark: bool = False


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Outline:
    """Return the ellipse around (x, y) with half axes ``rx``, ``ry``, turned clockwise by ``turn`` radians."""
    points = _CIRCLE * (rx, ry)
    if turn:
        cosine, sine = np.cos(turn), np.sin(turn)
        points = points @ np.array([[cosine, sine], [-sine, cosine]])
    return (points + np.array([x, y]),)


def ring(x: float, y: float, rx: float, ry: float, width: float) -> Outline:
    """Return the ellipse's outline as a band ``width`` wide, measured inwards."""
    return (*ellipse(x, y, rx, ry), *ellipse(x, y, rx - width, ry - width))


def polygon(*points: tuple[float, float]) -> Outline:
    """Return the polygon with these corners."""
    return (np.array(points, dtype=np.float64),)


def box(x0: float, y0: float, x1: float, y1: float) -> Outline:
    """Return the upright rectangle."""
    return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def smooth(*points: tuple[float, float]) -> Outline:
    """Return the closed Catmull-Rom curve through the points."""
    corners = np.array(points, dtype=np.float64)
    return (_spline(np.roll(corners, 1, 0), corners, np.roll(corners, -1, 0), np.roll(corners, -2, 0), 6),)


def curve(*points: tuple[float, float]) -> Contour:
    """Return the open Catmull-Rom curve through the points, for ``limb``."""
    nodes = np.array(points, dtype=np.float64)
    padded = np.concatenate([2 * nodes[:1] - nodes[1:2], nodes, 2 * nodes[-1:] - nodes[-2:-1]])
    inner = _spline(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], 4)
    return np.concatenate([inner, nodes[-1:]])


def limb(line: Contour | Sequence[tuple[float, float]], start: float, end: float) -> tuple[Outline, ...]:
    """Return a rounded stroke along an open line whose width goes from ``start`` to ``end``."""
    nodes = np.asarray(line, dtype=np.float64)
    radii = np.linspace(start, end, len(nodes)) / 2
    steps = np.diff(nodes, axis=0)
    lengths = np.maximum(np.sqrt((steps**2).sum(axis=1, keepdims=True)), 1e-9)
    normals = np.stack([-steps[:, 1], steps[:, 0]], axis=1) / lengths
    discs = _CIRCLE[None, ::2] * radii[:, None, None] + nodes[:, None]
    sides = np.stack(
        [
            nodes[:-1] + normals * radii[:-1, None],
            nodes[1:] + normals * radii[1:, None],
            nodes[1:] - normals * radii[1:, None],
            nodes[:-1] - normals * radii[:-1, None],
        ],
        axis=1,
    )
    return tuple((contour,) for contour in (*discs, *sides))


def _spline(before: Contour, start: Contour, end: Contour, after: Contour, count: int) -> Contour:
    """Sample each Catmull-Rom segment start -> end at ``count`` points, its end left out."""
    t = np.linspace(0.0, 1.0, count, endpoint=False)[None, :, None]
    before, start, end, after = (points[:, None] for points in (before, start, end, after))
    bend = 2 * before - 5 * start + 4 * end - after
    twist = 3 * start - before - 3 * end + after
    return np.asarray(0.5 * (2 * start + (end - before) * t + bend * t**2 + twist * t**3).reshape(-1, 2))
