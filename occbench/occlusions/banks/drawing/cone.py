"""Three traffic cones: orange with white sleeves, scuffed yellow and black, and a toppled blue and white one."""

import math
from dataclasses import dataclass

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Normal, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import Revolved, bump, inflate, lit, revolve, turn
from occbench.occlusions.banks.drawing.shapes import Points, cover, polygon, rotate
from occbench.occlusions.banks.drawing.textures import fractal, speckle

__all__ = ["blue_cone", "orange_cone", "yellow_cone"]

_TOP, _FOOT, _TILT = -176.0, 140.0, 0.26


@dataclass(frozen=True)
class _Pose:
    """How a cone lies on the canvas: its turn in degrees clockwise, its centre (design pixels) and its scale."""

    degrees: float = 0.0
    centre: tuple[float, float] = (200.0, 204.0)
    size: float = 1.0

    def place(self, points: Points) -> Points:
        """Return points of the cone's frame on the canvas."""
        c, s = (self.size * f(math.radians(self.degrees)) for f in (math.cos, math.sin))
        return [(self.centre[0] + c * px - s * py, self.centre[1] + s * px + c * py) for px, py in points]

    def local(self, canvas: Canvas) -> tuple[Plane, Plane]:
        """Return the canvas's coordinates in the cone's frame."""
        x, y = rotate(canvas.x, canvas.y, self.degrees, self.centre)
        return x / self.size, y / self.size


def _base(canvas: Canvas, pose: _Pose, colour: Colour, corners: int = 4) -> None:
    """Draw the slab the cone stands on: a square (4) or an octagon (8) seen from above, with its front side."""
    if corners == 4:
        ring: list[tuple[float, float]] = [(-186, 148), (-118, 94), (118, 94), (186, 148), (160, 168), (-160, 168)]
    else:
        turns = [math.pi * (0.25 * k + 0.125) for k in range(8)]
        ring = [(168 * math.cos(a), 138 + 50 * math.sin(a)) for a in turns]
    place, lower = pose.place(ring), pose.place([(px, py + 20) for px, py in ring])
    top = polygon(canvas.x.shape, place) - 5
    slab = np.minimum(top, np.minimum(polygon(canvas.x.shape, lower) - 5, _between(canvas, place, lower)))
    rough = fractal(canvas.stream("rubber"), canvas.x, canvas.y, 24, 5)
    dust = speckle(canvas.stream("dust"), canvas.x.shape)
    rubber = scale(colour, 0.72 + 0.45 * rough + 0.14 * dust)
    canvas.paint(lit(scale(rubber, np.full_like(rough, 0.55)), inflate(slab, 8)), cover(slab))
    rim = 1 + 0.55 * smoothstep(3.5, 0.5, np.abs(top + 2))
    canvas.paint(scale(rubber, rim), cover(top))


def _between(canvas: Canvas, upper: Points, lower: Points) -> Plane:
    """Return the distance to the sides that join two equal rings."""
    sides = [
        polygon(canvas.x.shape, [a, b, d, c])
        for a, b, c, d in zip(upper, (*upper[1:], upper[0]), lower, (*lower[1:], lower[0]), strict=True)
    ]
    return np.asarray(np.minimum.reduce(sides) - 5)


def _cone(canvas: Canvas, pose: _Pose, radii: tuple[float, float]) -> tuple[Revolved, Plane]:
    """Return the cone's side and the distance along it from the top, 0..1."""
    x, y = pose.local(canvas)
    knots = [_TOP, _TOP + 5, _FOOT - 22, _FOOT]
    widths = [radii[0] - 4, radii[0], radii[1], radii[1] + 9]

    def radius(level: Plane) -> Plane:
        return np.asarray(np.interp(level, knots, widths), dtype=np.float32)

    solid = revolve(x, y, radius, (_TOP, _FOOT), _TILT)
    return solid, np.clip((solid.level - _TOP) / (_FOOT - _TOP), 0, 1)


def _put(canvas: Canvas, solid: Revolved, colour: Plane, normal: Normal, pose: _Pose) -> None:
    foot = cover(solid.distance)
    canvas.shadow(foot, (10, 12), 10, 0.65)
    scratch = fractal(canvas.stream("scratch"), solid.angle * 30, solid.level * 0.3, 3, 3)
    dirt = fractal(canvas.stream("dirt"), solid.angle * 60, solid.level, 40, 5)
    colour = mix(colour, (0.30, 0.26, 0.22), 0.5 * smoothstep(0.56, 0.8, dirt) + 0.35 * smoothstep(0.70, 0.8, scratch))
    colour = mix(colour, (0.18, 0.15, 0.13), 0.4 * smoothstep(70, 140, solid.level) * dirt)
    canvas.paint(lit(colour, turn(normal, pose.degrees), ambient=0.36, gloss=0.32, shininess=16), foot)
    sheen = smoothstep(0.16, 0.02, np.abs(solid.angle + 0.62))
    canvas.paint((1, 1, 1), 0.14 * sheen * foot)


def _hole(canvas: Canvas, pose: _Pose, radius: float, rim: Colour) -> None:
    x, y = pose.local(canvas)
    away = np.hypot(x, (y - _TOP) / _TILT)
    canvas.paint(rim, cover(away - radius, 2))
    canvas.paint((0.09, 0.05, 0.03), cover(away - radius + 6, 3))


def _sleeve(canvas: Canvas, solid: Revolved, colour: Colour) -> Plane:
    """Return the colour of reflective sheeting: a honeycomb of tiny cells."""
    u, v = solid.angle * 60, solid.level
    cells = np.abs(np.sin(u * 0.55 + v * 0.55)) * np.abs(np.sin(u * 0.55 - v * 0.55))
    cloud = fractal(canvas.stream("sheet"), u, v, 26, 4)
    return scale(colour, 0.84 + 0.12 * cells + 0.12 * cloud)


def orange_cone(canvas: Canvas) -> None:
    """Draw an upright orange cone with two white reflective sleeves on a black square base."""
    pose = _Pose()
    _base(canvas, pose, (0.20, 0.20, 0.21))
    solid, t = _cone(canvas, pose, (22, 116))
    plastic = mix((0.90, 0.30, 0.04), (1.0, 0.44, 0.10), fractal(canvas.stream("plastic"), canvas.x, canvas.y, 50, 4))
    sleeve = np.maximum(cover(np.abs(t - 0.33) * 300 - 28), cover(np.abs(t - 0.66) * 300 - 22))
    colour = mix(plastic, _sleeve(canvas, solid, (0.95, 0.95, 0.96)), sleeve)
    _put(canvas, solid, colour, bump(solid.normal, 1.6 * sleeve), pose)
    _hole(canvas, pose, 20, (1.0, 0.52, 0.20))


def yellow_cone(canvas: Canvas) -> None:
    """Draw a yellow cone with slanted black stripes, leaning, on a yellow octagonal base."""
    pose = _Pose(10.0, (208.0, 186.0), 0.95)
    _base(canvas, pose, (0.62, 0.50, 0.06), 8)
    solid, t = _cone(canvas, pose, (17, 108))
    plastic = mix((0.88, 0.68, 0.03), (0.99, 0.84, 0.16), fractal(canvas.stream("plastic"), canvas.x, canvas.y, 50, 4))
    slant = (t * 3.9 + solid.angle * 0.34) % 1.0
    black = (
        smoothstep(0.56, 0.575, slant)
        * smoothstep(1.0, 0.985, slant)
        * smoothstep(0.06, 0.07, t)
        * smoothstep(0.95, 0.94, t)
    )
    chips = smoothstep(0.66, 0.72, fractal(canvas.stream("chips"), solid.angle * 60, solid.level, 18, 4))
    colour = mix(plastic, (0.08, 0.08, 0.09), black * (1 - 0.75 * chips * black))
    _put(canvas, solid, colour, solid.normal, pose)
    _hole(canvas, pose, 15, (1.0, 0.88, 0.30))


def blue_cone(canvas: Canvas) -> None:
    """Draw a blue and white banded cone lying on its side, its square base behind it on the right."""
    pose = _Pose(-62.0, (162.0, 170.0), 0.91)
    _base(canvas, pose, (0.10, 0.16, 0.34))
    solid, t = _cone(canvas, pose, (24, 112))
    plastic = mix((0.06, 0.26, 0.66), (0.16, 0.42, 0.84), fractal(canvas.stream("plastic"), canvas.x, canvas.y, 50, 4))
    bands = smoothstep(-0.04, 0.04, np.sin(t * 6 * np.pi + 0.4)) * smoothstep(0.95, 0.93, t)
    colour = mix(plastic, _sleeve(canvas, solid, (0.94, 0.95, 0.96)), bands)
    ribs = 1.4 * np.abs(np.sin(t * 6 * np.pi + 0.4)) ** 8
    _put(canvas, solid, colour, bump(solid.normal, -ribs), pose)
    _hole(canvas, pose, 22, (0.30, 0.54, 0.92))
