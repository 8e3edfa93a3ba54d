"""Three logs: an oak log on its side, a birch log aslant and a standing mossy chopping block."""

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, lit, turn
from occbench.occlusions.banks.drawing.shapes import cover, rotate
from occbench.occlusions.banks.drawing.textures import fractal, speckle, value_noise

__all__ = ["birch_log", "chopping_block", "oak_log"]


def _trunk(
    canvas: Canvas, degrees: float, length: float, radius: float, squash: float
) -> tuple[Plane, Plane, Plane, tuple[Plane, Plane]]:
    """Return (edge, along, angle, end coordinates) of a cylinder whose axis is the local x and whose near end is left.

    ``squash`` is the cut end's width over its height; both ends are ragged by the bark's noise.
    """
    x, y = rotate(canvas.x, canvas.y, degrees)
    ragged = 7 * fractal(canvas.stream("outline"), x, np.sign(y) * 60 + y * 0.1, 45, 4) - 3.5
    across = np.clip(y / radius, -1, 1)
    bulge = squash * radius * np.sqrt(1 - across * across)
    along = x - bulge
    edge = np.maximum(np.abs(y) - radius - ragged, np.maximum(-length - along, along - length - 0.5 * ragged))
    end = (x + length) / squash, y
    edge = np.minimum(edge, (np.hypot(*end) - radius) * 0.7)
    return edge, along, np.arcsin(across), end


def _rings(canvas: Canvas, end: tuple[Plane, Plane], radius: float, wood: tuple[Colour, Colour], bark: Colour) -> Plane:
    """Return the colour of a cut end: year rings about an off-centre pith, cracks, saw marks and the bark's ring."""
    u, v = end
    wobble = fractal(canvas.stream("rings"), u, v, 60, 3)
    pith = np.hypot(u - 8, v + 6)
    age = pith + 22 * (wobble - 0.5)
    line = 0.5 + 0.5 * np.sin(age * 0.62 + 2.6 * value_noise(canvas.stream("years"), age, age * 0, 9))
    ray = np.arctan2(v + 6, u - 8)
    fibre = fractal(canvas.stream("rays"), ray * 60, pith * 0.15, 4, 3)
    saw = value_noise(canvas.stream("saw"), (u + 0.35 * v) * 1.0, v * 0.03, 3.5)
    colour = mix(wood[1], wood[0], 0.50 * line**2 + 0.35 * (fibre - 0.3) + 0.28 * (saw - 0.5))
    colour = scale(colour, 0.80 + 0.22 * smoothstep(0, radius * 0.9, age))
    crack = np.abs(np.sin((ray + 0.9 * (wobble - 0.5)) * 0.5 + 0.9)) * pith * 2
    colour = mix(
        colour, (0.13, 0.08, 0.05), 0.85 * smoothstep(2.4, 0.4, crack) * smoothstep(radius * 0.85, radius * 0.3, pith)
    )
    outer = np.hypot(u, v) + 5 * (fractal(canvas.stream("rind"), ray * 70, pith * 0.2, 12, 3) - 0.5)
    colour = mix(colour, scale(bark, 0.6 + 0.8 * fibre), smoothstep(radius - 13, radius - 10, outer))
    return mix(colour, (0.10, 0.06, 0.04), 0.5 * smoothstep(3, 0.5, np.abs(outer - radius + 13)))


def _furrows(canvas: Canvas, along: Plane, around: Plane) -> Plane:
    """Return rough bark relief in 0..1: plates stretched along the trunk with deep furrows between them."""
    warp = 34 * fractal(canvas.stream("warp"), along, around * 2, 60, 3)
    plates = 1 - np.abs(2 * fractal(canvas.stream("plates"), along * 0.30, around + warp, 17, 2) - 1)
    cuts = 1 - np.abs(2 * value_noise(canvas.stream("cuts"), along + warp * 0.6, around * 0.5, 26) - 1)
    fine = fractal(canvas.stream("fine"), along * 0.5, around, 7, 3)
    return np.asarray(
        1 - smoothstep(0.70, 0.98, plates) * 0.8 - smoothstep(0.86, 1.0, cuts) * 0.35 + 0.35 * (fine - 0.5)
    )


def _cylinder(angle: Plane, degrees: float, relief: Plane, strength: float) -> tuple[Plane, Plane, Plane]:
    normal = turn((0 * angle, np.sin(angle), np.cos(angle)), degrees)
    return bump(normal, relief, strength)


def oak_log(canvas: Canvas) -> None:
    """Draw an oak log lying on its side with furrowed brown bark, a branch stub and year rings on its left end."""
    degrees, radius = -9.0, 98.0
    edge, along, angle, end = _trunk(canvas, degrees, 148, radius, 0.42)
    around = angle * radius
    furrow = _furrows(canvas, along, around)
    tone = fractal(canvas.stream("tone"), along, around, 70, 4)
    colour = mix((0.13, 0.09, 0.06), (0.50, 0.38, 0.27), 0.72 * furrow + 0.5 * (tone - 0.4))
    lichen = fractal(canvas.stream("lichen"), along, around, 34, 5)
    colour = mix(colour, (0.55, 0.58, 0.42), 0.55 * smoothstep(0.60, 0.72, lichen) * smoothstep(0.2, -0.8, angle))
    stub = np.hypot((along - 62) / 1.25, around + 18) + 4 * (furrow - 0.5)
    relief = 9 * furrow + 12 * smoothstep(34, 14, stub)
    colour = mix(colour, (0.64, 0.47, 0.29), smoothstep(17, 14, stub))
    colour = mix(colour, (0.34, 0.21, 0.11), smoothstep(17, 14, stub) * (0.5 + 0.5 * np.sin(stub * 1.3)))
    canvas.paint(lit(colour, _cylinder(angle, degrees, relief, 0.75), ambient=0.36), cover(edge, 2.4))
    rings = _rings(canvas, end, radius, ((0.50, 0.31, 0.15), (0.90, 0.73, 0.50)), (0.32, 0.23, 0.16))
    canvas.paint(rings, cover((np.hypot(*end) - radius) * 0.6, 2.0))


def birch_log(canvas: Canvas) -> None:
    """Draw a birch log aslant: white peeling bark with dark bands and eyes, pale end."""
    degrees, radius = -40.0, 84.0
    edge, along, angle, end = _trunk(canvas, degrees, 150, radius, 0.46)
    around = angle * radius
    tone = fractal(canvas.stream("tone"), along * 1.2, around * 0.35, 40, 5)
    colour = mix((0.74, 0.70, 0.64), (0.96, 0.95, 0.92), tone * 1.2)
    colour = mix(
        colour,
        (0.84, 0.66, 0.50),
        0.6 * smoothstep(0.60, 0.72, fractal(canvas.stream("peach"), along, around * 0.4, 50, 3)),
    )
    bands = value_noise(canvas.stream("bands"), along, around * 0.11, 4.2) * 0.75 + 0.25 * value_noise(
        canvas.stream("gate"), along, around, 26
    )
    dash = smoothstep(0.71, 0.76, bands)
    colour = mix(colour, (0.17, 0.14, 0.12), 0.92 * dash)
    scar = np.zeros_like(along)
    for spot_along, spot_around, size in ((-40, -34, 20), (66, 22, 24), (112, -58, 16)):
        dx, dy = along - spot_along, around - spot_around
        eye = np.hypot(dx / 0.8, (dy + 0.012 * dx * dx) / 1.7) + 9 * (tone - 0.5)
        scar = np.maximum(scar, smoothstep(size, size * 0.7, eye))
    colour = mix(colour, (0.10, 0.09, 0.08), scar)
    peel = smoothstep(0.03, 0.0, np.abs(fractal(canvas.stream("peel"), along, around * 0.3, 60, 3) - 0.5))
    relief = 2.5 * tone - 1.6 * dash - 4 * scar + 2.4 * peel
    canvas.paint(lit(colour, _cylinder(angle, degrees, relief, 0.8), ambient=0.40, gloss=0.08), cover(edge, 2.4))
    rings = _rings(canvas, end, radius, ((0.68, 0.48, 0.28), (0.96, 0.84, 0.64)), (0.82, 0.78, 0.72))
    canvas.paint(rings, cover((np.hypot(*end) - radius) * 0.6, 2.0))


def chopping_block(canvas: Canvas) -> None:
    """Draw an upright dark block with its rings on top, axe cuts and moss up its side."""
    degrees, radius = 90.0, 166.0
    edge, along, angle, end = _trunk(canvas, degrees, 116, radius, 0.40)
    around = angle * radius
    furrow = _furrows(canvas, along, around)
    tone = fractal(canvas.stream("tone"), along, around, 70, 4)
    colour = mix((0.10, 0.07, 0.05), (0.42, 0.30, 0.21), 0.75 * furrow + 0.5 * (tone - 0.4))
    moss = fractal(canvas.stream("moss"), along, around, 44, 5) + 0.16 * smoothstep(0, 150, along)
    grown = smoothstep(0.60, 0.70, moss)
    tufts = fractal(canvas.stream("tufts"), along, around, 6, 3)
    colour = mix(colour, mix((0.16, 0.24, 0.05), (0.50, 0.58, 0.18), tufts), 0.9 * grown)
    relief = 10 * furrow * (1 - 0.6 * grown) + grown * (7 * tufts + 3)
    canvas.paint(lit(colour, _cylinder(angle, degrees, relief, 0.75), ambient=0.34), cover(edge, 2.6))
    rings = _rings(canvas, end, radius, ((0.42, 0.27, 0.14), (0.80, 0.62, 0.42)), (0.26, 0.18, 0.12))
    u, v = end
    cut = np.minimum(
        np.abs(u * 0.8 + v * 0.6 - 40), np.abs(u * 0.95 - v * 0.3 + 52) + np.maximum(np.abs(v - 20) - 60, 0)
    )
    cut = np.minimum(cut + np.maximum(np.abs(v) - 70, 0), np.abs(u * 0.6 + v * 0.8 + 8) + np.maximum(np.abs(u) - 55, 0))
    rings = mix(rings, (0.16, 0.10, 0.06), 0.8 * smoothstep(3.2, 0.6, cut))
    dust = 0.96 + 0.08 * speckle(canvas.stream("dust"), u.shape)
    canvas.paint(scale(rings, 1.04 * dust), cover((np.hypot(*end) - radius) * 0.6, 2.0))
