"""Light and form: normals of simple solids, and one light from the upper left that all occluders share.

Shading is half-Lambert diffuse plus a Blinn-Phong highlight (Blinn, "Models of light reflection", 1977) plus a weak
bounce light from the lower right, on sRGB values: plausible, not physical.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from occbench.occlusions.banks.drawing.canvas import SUPERSAMPLING
from occbench.occlusions.banks.drawing.planes import Colour, Normal, Plane, scale

__all__ = ["Revolved", "bump", "facing", "inflate", "lit", "revolve", "slope", "sphere", "turn"]

_LIGHT = (-0.50, -0.62, 0.604)
_HALFWAY = (-0.279, -0.346, 0.896)
_BOUNCE = (0.62, 0.55, 0.56)
_SHOULDER = 0.86


def _dot(normal: Normal, direction: tuple[float, float, float]) -> Plane:
    return np.asarray(normal[0] * direction[0] + normal[1] * direction[1] + normal[2] * direction[2])


def lit(
    albedo: Plane | Colour, normal: Normal, *, ambient: float = 0.42, gloss: float = 0.0, shininess: float = 30.0
) -> Plane:
    """Return the colour of a lit surface, float32[S, S, 3].

    Args:
        albedo: surface colour.
        normal: unit normals.
        ambient: light that reaches every place; the direct light adds up to ``1.12 - ambient``.
        gloss: strength of the white highlight.
        shininess: exponent of the highlight; larger is smaller and sharper.
    """
    direct = np.clip((_dot(normal, _LIGHT) + 0.25) / 1.25, 0, 1)
    bounce = np.clip(_dot(normal, _BOUNCE), 0, 1) ** 2
    colour = scale(albedo, ambient + (1.12 - ambient) * direct + 0.10 * bounce)
    if gloss:
        colour = colour + (gloss * np.clip(_dot(normal, _HALFWAY), 0, 1) ** shininess)[..., None]
    # a soft shoulder instead of clipping, so that bright paint keeps its texture
    over = np.maximum(colour - _SHOULDER, 0) / (1 - _SHOULDER)
    return np.asarray(np.minimum(colour, _SHOULDER) + (1 - _SHOULDER) * over / (1 + over))


def _unit(nx: Plane, ny: Plane, nz: Plane) -> Normal:
    length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / length, ny / length, nz / length


def facing(like: Plane) -> Normal:
    """Return the normals of a plane that faces the viewer, shaped as ``like``."""
    return np.zeros_like(like), np.zeros_like(like), np.ones_like(like)


def slope(height: Plane) -> tuple[Plane, Plane]:
    """Return the derivatives of ``height`` along x and y, per design pixel."""
    source = np.ascontiguousarray(height, dtype=np.float32)
    kernel = np.asarray([[-0.5, 0, 0.5]], dtype=np.float32) * SUPERSAMPLING
    along_x = cv2.filter2D(source, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
    along_y = cv2.filter2D(source, cv2.CV_32F, kernel.T.copy(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(along_x, dtype=np.float32), np.asarray(along_y, dtype=np.float32)


def bump(normal: Normal, height: Plane, strength: float = 1.0) -> Normal:
    """Return ``normal`` tilted by a relief of ``height`` design pixels."""
    dx, dy = slope(height)
    return _unit(normal[0] - strength * dx, normal[1] - strength * dy, normal[2])


def inflate(distance: Plane, radius: float, smooth: float = 1.0) -> Normal:
    """Return the normals of a flat shape whose rim is rounded off over ``radius`` design pixels."""
    soft = np.asarray(cv2.GaussianBlur(distance.astype(np.float32), (0, 0), smooth * SUPERSAMPLING), dtype=np.float32)
    dx, dy = slope(soft)
    tilt = 1 - np.clip(-distance / radius, 0, 1)
    return _unit(dx * tilt, dy * tilt, np.sqrt(np.maximum(1 - tilt * tilt, 0.01)))


def sphere(x: Plane, y: Plane, radius: float) -> Normal:
    """Return the normals of a sphere about the origin (those of its rim outside it)."""
    nx, ny = x / radius, y / radius
    beyond = np.maximum(np.hypot(nx, ny), 1)
    nx, ny = nx / beyond, ny / beyond
    return nx, ny, np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))


def turn(normal: Normal, degrees: float) -> Normal:
    """Return normals found in a frame turned by ``degrees`` (see ``shapes.rotate``) in canvas directions."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return c * normal[0] - s * normal[1], s * normal[0] + c * normal[1], normal[2]


@dataclass(frozen=True)
class Revolved:
    """The front of a solid of revolution about a vertical axis, seen from slightly above.

    Attributes:
        distance: signed distance, design pixels, of the side surface.
        angle: radians around the axis; 0 faces the viewer, positive is to the right.
        level: coordinate along the axis, downwards.
        normal: unit normals.
    """

    distance: Plane
    angle: Plane
    level: Plane
    normal: Normal


def revolve(x: Plane, y: Plane, profile: Callable[[Plane], Plane], span: tuple[float, float], tilt: float) -> Revolved:
    """Return the side of the solid with radius ``profile(level)`` for levels in ``span``.

    Args:
        x: offset from the axis.
        y: screen coordinate along the axis, downwards.
        profile: radius, design pixels, of every level.
        span: first and last level, design pixels.
        tilt: sine of the viewer's elevation; 0 looks from the side.
    """
    level = y
    for _ in range(4):  # the nearer the surface, the lower it appears: a fixed point in the level
        radius = np.maximum(profile(level), 1e-3)
        depth = np.sqrt(np.maximum(radius * radius - x * x, 0))
        level = y - tilt * depth
    radius = np.maximum(profile(level), 1e-3)
    growth = (profile(level + 1) - profile(level - 1)) / 2
    nx = np.clip(x / radius, -1, 1)
    nz = np.sqrt(np.maximum(1 - nx * nx, 0))
    leaning = math.sqrt(1 - tilt * tilt)
    normal = _unit(nx, -growth * leaning - nz * tilt, nz * leaning - growth * tilt)
    distance = np.maximum(np.abs(x) - radius, np.maximum(span[0] - level, level - span[1]))
    return Revolved(distance, np.arcsin(nx), level, normal)
