"""Three mugs: striped white china, speckled red enamel and a two-tone glazed stoneware one."""

import math

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import Revolved, bump, inflate, lit, revolve
from occbench.occlusions.banks.drawing.shapes import circle, cover, curve, stroke
from occbench.occlusions.banks.drawing.textures import fractal, speckle, value_noise

__all__ = ["china_mug", "enamel_mug", "stoneware_mug"]

_TILT = 0.30


def _body(canvas: Canvas, centre: float, top: float, bottom: float, radii: tuple[float, float, float]) -> Revolved:
    """Return a mug's wall: radius at the rim, at half height and at the foot, which is rounded off."""
    knots = ((top, radii[0]), ((top + bottom) / 2, radii[1]), (bottom - 16, radii[2] + 1), (bottom, radii[2] - 3))
    levels, widths = np.asarray(curve(knots)).T

    def radius(level: Plane) -> Plane:
        return np.asarray(np.interp(level, levels, widths), dtype=np.float32)

    return revolve(canvas.x - centre, canvas.y, radius, (top, bottom), _TILT)


def _handle(canvas: Canvas, knots: tuple[tuple[float, float], ...], radius: float, colour: Plane | Colour) -> None:
    edge = stroke(canvas.x.shape, curve(knots), radius)
    canvas.paint(lit(colour, inflate(edge, radius, 1.0), ambient=0.36, gloss=0.6, shininess=26), cover(edge))


def _opening(canvas: Canvas, centre: float, top: float, radius: float, wall: tuple[Colour, Colour], lip: float) -> None:
    """Draw rim, inner wall and coffee; ``wall`` is the colour of the rim and of the inside."""
    dx, dy = canvas.x - centre, (canvas.y - top) / _TILT
    rim, inner = np.hypot(dx, dy) - radius, np.hypot(dx, dy) - (radius - lip)
    roll = 0.80 + 0.25 * smoothstep(0.5, -0.6, (dx + 0.5 * dy) / radius)
    canvas.paint(scale(wall[0], roll), cover(rim, 2.4))
    depth = smoothstep(-radius, radius, dy) * 0.55
    side = 0.55 + 0.45 * smoothstep(-0.9, 0.9, dx / radius)
    canvas.paint(scale(wall[1], side * (0.55 + 0.5 * depth)), cover(inner, 3))
    surface = np.hypot(dx, (canvas.y - top - 13) / _TILT) - (radius - lip - 4)
    swirl = fractal(canvas.stream("coffee"), dx * 0.7, dy * 0.8, 40, 4)
    coffee = mix((0.16, 0.08, 0.04), (0.36, 0.20, 0.10), swirl)
    coffee = mix(coffee, (0.62, 0.44, 0.27), 0.8 * smoothstep(-9, -2, surface))
    coffee = scale(coffee, 0.65 + 0.45 * smoothstep(-0.8, 0.6, dx / radius))
    canvas.paint(coffee, cover(np.maximum(surface, inner + 1), 3))
    shine = np.hypot((dx - 34) / 2.2, canvas.y - top - 16) - 6
    canvas.paint((0.95, 0.93, 0.90), 0.45 * cover(shine, 6) * cover(np.maximum(surface, inner + 1), 3))


def _glaze(solid: Revolved, top: float, bottom: float) -> Plane:
    """Return the window reflection on a glazed wall."""
    window = smoothstep(0.13, 0.07, np.abs(solid.angle + 0.72)) * smoothstep(top + 16, top + 26, solid.level)
    window = window * smoothstep(bottom - 40, bottom - 90, solid.level)
    strip = smoothstep(0.07, 0.02, np.abs(solid.angle - 1.05)) * smoothstep(top + 16, top + 40, solid.level) * 0.4
    return window * (0.65 + 0.35 * smoothstep(0.008, 0.02, np.abs(solid.angle + 0.70))) + strip


def _shade_handle_join(canvas: Canvas, solid: Revolved, angle: float) -> None:
    canvas.darken(smoothstep(0.5, 0.0, np.abs(solid.angle - angle)) * cover(solid.distance), 0.25)


def china_mug(canvas: Canvas) -> None:
    """Draw a white mug with blue bands and a row of blue leaves, handle on the right."""
    top, bottom, centre = 58.0, 338.0, 166.0
    _handle(canvas, ((276, 120), (340, 112), (380, 160), (366, 230), (320, 274), (268, 282)), 17, (0.90, 0.91, 0.93))
    solid = _body(canvas, centre, top, bottom, (146, 143, 136))
    u, v = solid.angle * 140, solid.level
    colour = scale((0.90, 0.90, 0.89), 0.92 + 0.14 * fractal(canvas.stream("china"), u, v, 30, 5))
    wash = fractal(canvas.stream("wash"), u, v, 22, 4)
    bands = np.minimum.reduce([np.abs(v - level) - half for level, half in ((96, 9), (115, 2.5), (262, 2.5), (282, 9))])
    step = u / 52 - np.floor(u / 52) - 0.5
    sprig_u, sprig_v = step * 52, v - 188 - 6 * np.sin(u / 16)
    stem = np.abs(v - 188 - 6 * np.sin(u / 16)) - 1.6
    leaf = np.hypot((sprig_u - 0.45 * np.abs(sprig_v)) / 1.0, (np.abs(sprig_v) - 24) / 1.9) - 10
    berry = circle(sprig_u + 18, np.abs(sprig_v) - 13, 5)
    ink = mix((0.06, 0.16, 0.45), (0.20, 0.40, 0.74), wash)
    colour = mix(
        colour, ink, cover(np.minimum(np.minimum(bands, stem), np.minimum(leaf, berry)), 2.2) * (0.75 + 0.5 * wash)
    )
    shaded = (
        lit(colour, solid.normal, ambient=0.36, gloss=0.35, shininess=40)
        + (0.22 * _glaze(solid, top, bottom))[..., None]
    )
    canvas.paint(shaded, cover(solid.distance, 2))
    _shade_handle_join(canvas, solid, 1.5)
    _opening(canvas, centre, top, 146, ((1.0, 1.0, 0.99), (0.86, 0.86, 0.85)), 9)


def enamel_mug(canvas: Canvas) -> None:
    """Draw a red enamel camping mug with white flecks, chips and a black rolled rim, handle on the left."""
    top, bottom, centre = 66.0, 330.0, 236.0
    _handle(canvas, ((126, 122), (62, 112), (24, 150), (34, 216), (78, 252), (126, 262)), 13, (0.72, 0.10, 0.08))
    solid = _body(canvas, centre, top, bottom, (148, 146, 144))
    u, v = solid.angle * 146, solid.level
    cloud = fractal(canvas.stream("cloud"), u, v, 60, 4)
    colour = mix((0.66, 0.06, 0.05), (0.84, 0.15, 0.10), cloud)
    flecks = fractal(canvas.stream("flecks"), u + 0.7 * v, v - 0.7 * u, 8, 2) * 0.75 + 0.25 * value_noise(
        canvas.stream("patch"), u, v, 22
    )
    colour = mix(colour, (0.97, 0.93, 0.88), smoothstep(0.66, 0.69, flecks))
    chip = value_noise(canvas.stream("chips"), u, v, 13) + 0.25 * fractal(canvas.stream("jag"), u, v, 5, 2)
    near_foot = smoothstep(230, 320, v)
    colour = mix(colour, (0.10, 0.09, 0.10), smoothstep(1.04, 1.06, chip + 0.14 * near_foot))
    groove = np.exp(-(((v - 100) / 3.5) ** 2)) + np.exp(-(((v - 296) / 3.5) ** 2))
    normal = bump(solid.normal, -2.5 * groove + 3 * cloud)
    shaded = (
        lit(colour, normal, ambient=0.34, gloss=0.45, shininess=30) + (0.42 * _glaze(solid, top, bottom))[..., None]
    )
    canvas.paint(shaded, cover(solid.distance, 2))
    rim = np.abs(np.hypot(canvas.x - centre, (canvas.y - top) / _TILT) - 147) - 6
    _shade_handle_join(canvas, solid, -1.5)
    _opening(canvas, centre, top, 150, ((0.20, 0.19, 0.21), (0.88, 0.86, 0.82)), 8)
    canvas.paint((0.75, 0.75, 0.78), 0.8 * cover(rim + 4, 3) * smoothstep(centre - 30, centre - 110, canvas.x))


def stoneware_mug(canvas: Canvas) -> None:
    """Draw a bellied stoneware mug: speckled clay below, dripping turquoise glaze above, throwing rings."""
    top, bottom, centre = 60.0, 334.0, 160.0
    clay = mix((0.16, 0.44, 0.46), (0.24, 0.60, 0.60), fractal(canvas.stream("arm"), canvas.x, canvas.y, 40, 4))
    _handle(canvas, ((258, 118), (322, 94), (368, 140), (358, 214), (318, 258), (270, 262)), 20, clay)
    solid = _body(canvas, centre, top, bottom, (128, 148, 132))
    u, v = solid.angle * 140, solid.level
    rings = np.sin(v * 0.34 + 2 * fractal(canvas.stream("wobble"), u * 0.3, v, 60, 2)) * 0.9
    grit = speckle(canvas.stream("grit"), u.shape)
    body = mix((0.62, 0.46, 0.31), (0.78, 0.62, 0.45), fractal(canvas.stream("clay"), u, v, 24, 5))
    body = scale(body, 0.92 + 0.14 * grit)
    spots = value_noise(canvas.stream("iron"), u, v, 3.2)
    body = mix(body, (0.24, 0.14, 0.08), smoothstep(0.80, 0.90, spots))
    drip = 206 + 46 * fractal(canvas.stream("drip"), u, v * 0, 34, 3) + 6 * np.sin(u / 17)
    pool = fractal(canvas.stream("pool"), u, v * 0.6, 34, 5)
    glaze = mix((0.10, 0.42, 0.46), (0.44, 0.80, 0.76), pool + 0.35 * smoothstep(120, 60, v))
    glaze = mix(glaze, (0.05, 0.24, 0.30), 0.7 * smoothstep(-26, -3, v - drip))
    glaze = mix(glaze, (0.10, 0.22, 0.22), 0.6 * smoothstep(0.84, 0.92, spots))
    covered = cover(v - drip, 2.5)
    thick = 3.5 * smoothstep(6, -8, v - drip)
    normal = bump(solid.normal, rings + thick + 1.5 * pool)
    colour = mix(body, glaze, covered)
    shine = covered * _glaze(solid, top, bottom)
    shaded = lit(colour, normal, ambient=0.34) + (0.40 * shine)[..., None]
    gloss = lit((0, 0, 0), normal, gloss=0.5, shininess=36) * covered[..., None]
    canvas.paint(shaded + gloss, cover(solid.distance, 2))
    _shade_handle_join(canvas, solid, math.pi / 2)
    _opening(canvas, centre, top, 128, ((0.55, 0.42, 0.30), (0.34, 0.62, 0.60)), 9)
