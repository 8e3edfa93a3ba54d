"""Three balls: a football, a tennis ball and a basketball."""

import itertools
import math

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Normal, Plane, mix, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, lit, sphere
from occbench.occlusions.banks.drawing.shapes import circle, cover
from occbench.occlusions.banks.drawing.textures import fractal, speckle

__all__ = ["basketball", "football", "tennis_ball"]

_RADIUS = 192.0
_GOLDEN = (1 + math.sqrt(5)) / 2


def _turned(normal: Normal, pitch: float, yaw: float) -> Normal:
    """Return the points of the unit sphere in the ball's own frame, turned by two angles in radians."""
    x, y, z = normal
    cp, sp, cy, sy = math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw)
    y, z = cp * y - sp * z, sp * y + cp * z
    return cy * x + sy * z, y, cy * z - sy * x


def _ball(canvas: Canvas) -> tuple[Plane, Normal]:
    x, y = canvas.x - 200, canvas.y - 200
    return circle(x, y, _RADIUS), sphere(x, y, _RADIUS)


def _panels() -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], int]:
    """Return the 32 face centres of the truncated icosahedron over their distance, pentagons (12) first."""
    vertices = np.asarray(
        [np.roll([0, a, b * _GOLDEN], shift) for shift in range(3) for a, b in itertools.product((-1.0, 1.0), repeat=2)]
    )
    gaps = np.linalg.norm(vertices[:, None] - vertices[None], axis=2)
    near = np.abs(gaps - 2) < 1e-6
    faces = [vertices[list(t)].sum(0) for t in itertools.combinations(range(12), 3) if _triangle(near, t)]
    centres = np.vstack([vertices, faces])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    distance = np.where(np.arange(32) < 12, 2.3274, 2.2673)  # of a solid with edge 1
    return centres / distance[:, None] * 2.2673, 12


def _triangle(near: np.ndarray[tuple[int, int], np.dtype[np.bool_]], corners: tuple[int, ...]) -> bool:
    return all(near[a, b] for a, b in itertools.combinations(corners, 2))


def football(canvas: Canvas) -> None:
    """Draw a football of black pentagons and white hexagons with sunk seams, a little dirty."""
    distance, normal = _ball(canvas)
    px, py, pz = _turned(normal, 0.42, 0.35)
    centres, pentagons = _panels()
    best, second, is_black = np.full_like(px, -9), np.full_like(px, -9), np.zeros_like(px)
    for index, (cx, cy, cz) in enumerate(centres.tolist()):
        value = px * cx + py * cy + pz * cz
        wins = value > best
        second = np.where(wins, best, np.maximum(second, value))
        best = np.where(wins, value, best)
        is_black = np.where(wins, np.float32(index < pentagons), is_black)
    gap = (best - second) * _RADIUS
    seam = smoothstep(7.0, 0.5, gap)
    dirt = fractal(canvas.stream("dirt"), canvas.x, canvas.y, 60, 5)
    leather = fractal(canvas.stream("leather"), canvas.x, canvas.y, 5, 2)
    colour = mix((0.95, 0.95, 0.93), (0.08, 0.085, 0.10), is_black)
    colour = mix(colour, (0.55, 0.47, 0.34), 0.55 * smoothstep(0.56, 0.75, dirt))
    colour = mix(colour, (0.16, 0.15, 0.14), 0.9 * smoothstep(2.6, 0.6, gap))
    relief = bump(normal, 0.35 * leather - 2.6 * seam)
    shaded = lit(colour, relief, ambient=0.30, gloss=0.30, shininess=36)
    canvas.paint(shaded, cover(distance, 2.0))


def tennis_ball(canvas: Canvas) -> None:
    """Draw a fuzzy yellow tennis ball with its white seam."""
    distance, normal = _ball(canvas)
    px, py, pz = _turned(normal, -0.5, 0.75)
    nearest = np.full_like(px, -1)
    for step in range(150):
        t = 2 * math.pi * step / 150
        cx, cy = 0.75 * math.cos(t) + 0.25 * math.cos(3 * t), 0.75 * math.sin(t) - 0.25 * math.sin(3 * t)
        cz = math.sqrt(0.75) * math.sin(2 * t)
        np.maximum(nearest, px * cx + py * cy + pz * cz, out=nearest)
    away = np.sqrt(np.maximum(2 - 2 * nearest, 0)) * _RADIUS
    fuzz = fractal(canvas.stream("fuzz"), canvas.x + 0.4 * canvas.y, canvas.y, 9, 4)
    hair = fractal(canvas.stream("hair"), canvas.x - canvas.y, (canvas.x + canvas.y) * 0.3, 2.4, 2)
    patches = fractal(canvas.stream("patches"), canvas.x, canvas.y, 50, 3)
    colour = mix((0.70, 0.80, 0.16), (0.90, 0.96, 0.36), 0.45 * fuzz + 0.35 * hair + 0.35 * patches)
    seam = smoothstep(11.5, 8.0, away + 5 * (fuzz - 0.5))
    colour = mix(colour, (0.46, 0.52, 0.10), 0.7 * smoothstep(20, 10, away) * (1 - seam))
    colour = mix(colour, (0.93, 0.94, 0.88), seam)
    relief = bump(normal, 5.5 * fuzz + 1.3 * hair - 3.0 * seam, 0.8)
    shaded = lit(colour, relief, ambient=0.36)
    canvas.paint(shaded, cover(distance + 6 * (1 - fuzz) + 5 * hair - 4, 5.0))


def _unrolled(normal: Normal) -> tuple[Plane, Plane]:
    """Return plane coordinates that crowd towards the rim as the ball's surface does."""
    angle = np.arccos(np.clip(normal[2], 0, 1))
    stretch = _RADIUS * angle / np.maximum(np.sin(angle), 1e-3)
    u, v = normal[0] * stretch, normal[1] * stretch
    return 0.8 * u + 0.6 * v, 0.8 * v - 0.6 * u


def basketball(canvas: Canvas) -> None:
    """Draw a pebbled orange basketball with black ribs."""
    distance, normal = _ball(canvas)
    px, py, _ = _turned(normal, 0.30, -0.45)
    bow = np.hypot(np.abs(px) - 1.22, py * 0.95) - 0.72
    ribs = np.minimum(np.minimum(np.abs(px), np.abs(py)), np.abs(bow)) * _RADIUS
    rib = smoothstep(5.2, 3.2, ribs)
    pebble = smoothstep(0.35, 0.75, fractal(canvas.stream("pebble"), *_unrolled(normal), 5.2, 2))
    worn = fractal(canvas.stream("worn"), canvas.x, canvas.y, 70, 4)
    colour = mix((0.80, 0.36, 0.12), (0.92, 0.50, 0.20), worn)
    colour = mix(colour, (0.55, 0.22, 0.07), 0.5 * (1 - pebble))
    colour = mix(colour, (0.07, 0.06, 0.06), rib)
    relief = bump(normal, 1.2 * pebble * (1 - rib) - 3.0 * smoothstep(8, 3, ribs))
    grit = 0.97 + 0.06 * speckle(canvas.stream("grit"), canvas.x.shape)
    shaded = lit(colour, relief, ambient=0.30, gloss=0.28, shininess=18) * grit[..., None]
    canvas.paint(shaded, cover(distance, 2.0))
