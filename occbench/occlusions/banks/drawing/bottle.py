"""Three bottles: green wine glass, a cola bottle of clear plastic and a tilted ketchup squeeze bottle."""

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import Revolved, bump, lit, revolve, turn
from occbench.occlusions.banks.drawing.shapes import Points, box, circle, cover, curve, rotate
from occbench.occlusions.banks.drawing.textures import fractal, speckle

__all__ = ["cola_bottle", "ketchup_bottle", "wine_bottle"]


def _profile(knots: Points) -> "tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]":
    levels, radii = np.asarray(curve(knots)).T
    return np.maximum.accumulate(levels), radii


def _solid(x: Plane, y: Plane, knots: Points, tilt: float = 0.10) -> Revolved:
    """Return the solid through ``knots`` (level, radius)."""
    levels, radii = _profile(knots)

    def radius(level: Plane) -> Plane:
        return np.asarray(np.interp(level, levels, radii), dtype=np.float32)

    return revolve(x, y, radius, (float(levels[0]), float(levels[-1])), tilt)


def _reflections(solid: Revolved, left: float, right: float) -> Plane:
    """Return the brightness of a window on the left and a strip on the right of a glossy bottle."""
    a = solid.angle
    window = smoothstep(left - 0.16, left - 0.10, a) * smoothstep(left + 0.16, left + 0.06, a)
    bar = 1 - 0.8 * smoothstep(0.02, 0.0, np.abs(a - left + 0.02) - 0.004)
    strip = smoothstep(right - 0.10, right, a) * smoothstep(right + 0.14, right + 0.05, a)
    return window * bar + 0.45 * strip


def _paper(canvas: Canvas, solid: Revolved, colour: Plane | Colour, span: tuple[float, float], half: float) -> Plane:
    """Put a paper label over ``span`` of levels and ``half`` radians to each side on the canvas; return its mask."""
    edge = np.maximum(np.abs(solid.level - sum(span) / 2) - (span[1] - span[0]) / 2, (np.abs(solid.angle) - half) * 60)
    mask = cover(edge) * cover(solid.distance)
    fibre = 0.94 + 0.1 * fractal(canvas.stream("label"), solid.angle * 80, solid.level, 6, 3)
    canvas.paint(scale(lit(colour, solid.normal, ambient=0.36, gloss=0.10), fibre), mask)
    return mask


def wine_bottle(canvas: Canvas) -> None:
    """Draw a green wine bottle with foil, a cream label and reflections, slightly translucent."""
    x, y = (canvas.x - 200) / 1.24, canvas.y - 200
    knots = (
        (-188, 17),
        (-150, 19),
        (-92, 20),
        (-66, 26),
        (-34, 52),
        (-4, 62),
        (40, 63),
        (120, 63),
        (172, 62),
        (186, 56),
    )
    solid = _solid(x, y, knots)
    rim = np.abs(np.sin(solid.angle))
    swirl = fractal(canvas.stream("glass"), solid.angle * 50 + solid.level * 0.2, solid.level, 40, 4)
    colour = mix((0.16, 0.33, 0.12), (0.02, 0.08, 0.04), smoothstep(0.2, 0.97, rim + 0.35 * (swirl - 0.5)))
    colour = mix(colour, (0.03, 0.07, 0.04), 0.65 * smoothstep(-40, 20, solid.level))
    colour = mix(colour, (0.45, 0.62, 0.25), 0.55 * smoothstep(140, 182, solid.level) * (1 - rim))
    glow = _reflections(solid, -0.85, 0.98) * smoothstep(-80, -40, solid.level) * smoothstep(184, 170, solid.level)
    neck = _reflections(solid, -0.75, 0.95) * smoothstep(-40, -80, solid.level)
    glass = lit(colour, solid.normal, ambient=0.7, gloss=0.5, shininess=60) + (0.62 * glow + 0.4 * neck)[..., None]
    canvas.paint(glass, 0.90 * cover(solid.distance))
    cream = np.asarray((0.93, 0.89, 0.78), dtype=np.float32) * np.ones((*x.shape, 3), dtype=np.float32)
    u, v = solid.angle * 60, solid.level
    border = np.abs(box(u, v - 76, (60, 58))) - 1.6
    crest = np.minimum(np.abs(circle(u, v - 52, 17)) - 2.5, np.maximum(np.abs(u) + np.abs(v - 52) - 11, -9))
    text = np.minimum.reduce([box(u, v - 86 - 14 * k, (40 - 9 * k, 3.4 - 0.7 * k), 1) for k in range(4)])
    cream = mix(cream, (0.50, 0.10, 0.13), cover(np.minimum(border, crest)))
    cream = mix(cream, (0.16, 0.12, 0.10), cover(text) * (0.4 + 0.6 * (np.sin(u * 1.7) > -0.55)))
    _paper(canvas, solid, cream, (14, 138), 1.12)
    foil = cover(np.maximum(solid.distance, solid.level + 108))
    crinkle = fractal(canvas.stream("foil"), solid.angle * 20, solid.level, 9, 3)
    ring = smoothstep(3, 1, np.abs(solid.level + 163)) + smoothstep(2, 1, np.abs(solid.level + 112))
    metal = lit((0.50, 0.09, 0.13), bump(solid.normal, crinkle * 2.0 - 2 * ring), gloss=0.7, shininess=14)
    canvas.paint(metal, foil)
    cap = np.hypot(x, (y + 188) / 0.2) - 17
    canvas.paint(mix((0.62, 0.16, 0.20), (0.40, 0.06, 0.10), smoothstep(-10, 12, x)), cover(cap, 2.5))


def cola_bottle(canvas: Canvas) -> None:
    """Draw a waisted clear plastic bottle of cola with a green label, yellow cap, bubbles and ribs."""
    x, y = (canvas.x - 200) / 1.16, canvas.y - 200
    knots = (
        (-170, 19), (-152, 20), (-146, 24), (-140, 20), (-122, 24), (-84, 52), (-52, 62), (-40, 58),
        (0, 55), (50, 55), (62, 60), (96, 64), (140, 62), (170, 55), (188, 46),
    )  # fmt: skip
    solid = _solid(x, y, knots)
    rim = np.abs(np.sin(solid.angle))
    liquid = smoothstep(-104, -101, solid.level + 3 * np.cos(solid.angle))
    depth = fractal(canvas.stream("depth"), solid.angle * 40, solid.level, 30, 4)
    cola = mix((0.36, 0.13, 0.05), (0.10, 0.03, 0.02), smoothstep(0.95, 0.1, rim) * 0.85 + 0.3 * (depth - 0.5))
    clear = mix((0.78, 0.84, 0.86), (0.50, 0.58, 0.62), smoothstep(0.55, 1.0, rim))
    colour = mix(clear, cola, liquid)
    seed = speckle(canvas.stream("bubbles"), (100, 100))
    cell_u, cell_v = np.floor(solid.angle * 18 + 50), np.floor(solid.level / 4.5 + 50)
    chance = seed[cell_v.astype(np.int32) % 100, cell_u.astype(np.int32) % 100]
    bubble = np.hypot(solid.angle * 18 + 50 - cell_u - 0.5, solid.level / 4.5 + 50 - cell_v - 0.5)
    colour = mix(colour, (0.85, 0.62, 0.45), 0.8 * liquid * (chance > 0.86) * smoothstep(0.34, 0.2, bubble))
    flutes = np.cos(solid.angle * 10) * smoothstep(120, 150, solid.level) * 3.0
    rings = np.sin(solid.level * 0.55) * smoothstep(54, 60, solid.level) * smoothstep(96, 90, solid.level) * 1.4
    normal = bump(solid.normal, flutes + rings)
    glow = _reflections(solid, -0.8, 0.95) * smoothstep(-130, -110, solid.level) * smoothstep(186, 165, solid.level)
    body = lit(colour, normal, ambient=0.62, gloss=0.75, shininess=28) + (0.5 * glow)[..., None]
    canvas.paint(body, cover(solid.distance) * (0.78 + 0.16 * liquid))
    u, v = solid.angle * 60, solid.level
    label = mix((0.04, 0.36, 0.34), (0.08, 0.50, 0.44), fractal(canvas.stream("print"), u, v, 30, 3))
    bands = np.minimum(np.abs(np.abs(v - 4) - 42) - 1.5, np.abs(np.abs(v - 4) - 35) - 3)
    label = mix(label, (0.97, 0.93, 0.80), cover(bands))
    label = mix(label, (0.98, 0.74, 0.16), cover(circle(u - 4, v - 4, 25)))
    slice_ = np.abs(np.sin(1.5 * np.arctan2(v - 4, u - 4))) * np.hypot(u - 4, v - 4) * 0.6
    label = mix(
        label,
        (0.99, 0.93, 0.66),
        cover(np.minimum(slice_ - 1.2, np.abs(circle(u - 4, v - 4, 20)) - 1.2)) * cover(circle(u - 4, v - 4, 22)),
    )
    _paper(canvas, solid, label, (-47, 55), 2.0)
    canvas.paint((1, 1, 1), 0.30 * _reflections(solid, -0.8, 0.95) * cover(np.abs(solid.level - 4) - 50))
    cap = _solid(x, y, ((-192, 22), (-186, 24), (-170, 24), (-157, 24)))
    ridges = np.cos(cap.angle * 26) * 1.2
    canvas.shadow(cover(cap.distance), (2, 6), 4, 0.4)
    canvas.paint(lit((0.95, 0.66, 0.10), bump(cap.normal, ridges), gloss=0.4, shininess=20), cover(cap.distance))
    canvas.paint(lit((1.0, 0.76, 0.24), _lid(x)), cover(np.hypot(x, (y + 191) / 0.16) - 22, 2.5))


def _lid(x: Plane) -> tuple[Plane, Plane, Plane]:
    """Return the normals of a nearly flat lid seen from slightly above."""
    return 0.15 * x / 22, np.full_like(x, -0.55), np.full_like(x, 0.8)


def ketchup_bottle(canvas: Canvas) -> None:
    """Draw a tilted red squeeze bottle with a white nozzle cap and a tomato on its label."""
    x, y = rotate(canvas.x, canvas.y, 24, (200, 188))
    body = ((-98, 44), (-88, 58), (-60, 70), (-20, 72), (30, 66), (70, 68), (130, 74), (172, 74), (190, 66))
    solid = _solid(x, y, body)
    smear = fractal(canvas.stream("smear"), solid.angle * 70, solid.level, 30, 5)
    colour = mix((0.68, 0.05, 0.03), (0.86, 0.13, 0.07), smear)
    glow = _reflections(solid, -0.8, 1.0) * smoothstep(-90, -60, solid.level) * smoothstep(188, 165, solid.level)
    normal = turn(bump(solid.normal, smear * 3), 24)
    canvas.paint(
        lit(colour, normal, ambient=0.36, gloss=0.55, shininess=24) + (0.30 * glow)[..., None], cover(solid.distance)
    )
    u, v = solid.angle * 70, solid.level
    paper = mix((0.97, 0.95, 0.88), (0.90, 0.80, 0.45), smoothstep(44, 48, np.abs(v - 50)))
    tomato = np.hypot(u / 1.12, v - 40) - 25
    paper = mix(paper, mix((0.93, 0.25, 0.12), (0.60, 0.04, 0.03), smoothstep(-25, 35, u + v - 40)), cover(tomato))
    star = np.hypot(u, v - 18) - 9 - 5 * np.cos(5 * np.arctan2(v - 18, u) + 0.6)
    paper = mix(paper, (0.20, 0.48, 0.15), cover(star))
    text = np.minimum(box(u, v - 80, (46, 6), 2), box(u, v - 5, (50, 3), 1))
    paper = mix(paper, (0.55, 0.05, 0.05), cover(text) * (0.3 + 0.7 * (np.sin(u * 0.62) > -0.6)))
    label = np.hypot(np.maximum(np.abs(u) - 44, 0), np.maximum(np.abs(v - 46) - 44, 0)) - 14
    canvas.paint(lit(paper, turn(solid.normal, 24), gloss=0.2), cover(label) * cover(solid.distance))
    canvas.paint((1, 1, 1), 0.16 * _reflections(solid, -0.8, 1.0) * cover(label))
    nozzle = _solid(x, y, ((-194, 6), (-190, 9), (-150, 15), (-134, 22), (-130, 44), (-122, 50), (-96, 51), (-88, 50)))
    ridges = np.cos(nozzle.angle * 30) * smoothstep(-126, -120, nozzle.level) * 1.1
    canvas.shadow(cover(nozzle.distance), (-3, 8), 5, 0.45)
    grime = 0.96 + 0.06 * fractal(canvas.stream("grime"), x, y, 20, 4)
    white = scale((0.93, 0.92, 0.89), grime)
    canvas.paint(lit(white, turn(bump(nozzle.normal, ridges), 24), ambient=0.4, gloss=0.2), cover(nozzle.distance))
