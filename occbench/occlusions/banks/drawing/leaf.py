"""Three leaves: a green toothed leaf, a red maple leaf and a split monstera leaf."""

import math

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, facing, inflate, lit
from occbench.occlusions.banks.drawing.shapes import Points, cover, curve, polygon, rotate, segment, stroke
from occbench.occlusions.banks.drawing.textures import fractal, speckle, value_noise

__all__ = ["maple_leaf", "monstera_leaf", "toothed_leaf"]


def _cells(canvas: Canvas, x: Plane, y: Plane) -> Plane:
    """Return the net of finest veins, 1 on a vein: ridges of warped noise."""
    warp = fractal(canvas.stream("warp"), x, y, 18, 2) * 14
    ridge = np.abs(value_noise(canvas.stream("net"), x + warp, y - warp, 6.5) - 0.5)
    return smoothstep(0.11, 0.0, ridge)


def toothed_leaf(canvas: Canvas) -> None:
    """Draw a bent ovate leaf with teeth, pinnate veins, light from the upper left and a stalk."""
    x, y = rotate(canvas.x, canvas.y, -42, (206, 196))
    across = y - 0.0011 * x * x + 22
    t = np.clip((x + 205) / 395, 0, 1)
    half = 118 * np.maximum(np.sin(math.pi * t**0.78), 0) ** 0.86 * (1 - 0.18 * t)
    side = np.abs(across)
    lean = x - 0.62 * side + 400
    spacing = 33.0
    phase = lean / spacing - np.floor(lean / spacing) - 0.5
    vein = np.abs(phase) * spacing * 0.8
    tooth = (x - 0.2 * side + 400) / 11
    teeth = 4.5 * (tooth - np.floor(tooth))
    edge = side - half - 1 + teeth * smoothstep(0, 0.1, t)
    edge = np.where((x > -205) & (x < 192), edge, 50)
    reach = side / np.maximum(half, 1)
    thin = 1.0 - 0.75 * np.clip(reach, 0, 1)
    second = smoothstep(1.0, 0.15, vein / (2.6 * thin + 0.9))
    main = smoothstep(1.0, 0.2, side / np.maximum(5.2 - 0.012 * (x + 200), 1.3))
    net = _cells(canvas, x, across)
    blotch = fractal(canvas.stream("blotch"), x, y, 55, 5)
    colour = mix((0.10, 0.33, 0.07), (0.30, 0.56, 0.14), 0.25 + 0.75 * blotch - 0.2 * (1 - reach))
    colour = mix(colour, (0.48, 0.68, 0.26), 0.30 * net)
    colour = mix(colour, (0.66, 0.80, 0.42), np.maximum(0.75 * second, main))
    colour = mix(colour, (0.50, 0.42, 0.12), 0.7 * smoothstep(0.64, 0.72, blotch) * smoothstep(0.55, 0.95, reach))
    puff = 7.0 * smoothstep(0, 14, vein) * (1 - 0.4 * reach) + 9 * smoothstep(0, 40, side) - 2 * main
    fold = -0.0022 * across * np.abs(across) + 8 * np.sin(x / 60 + 0.4) * reach
    normal = bump(facing(x), puff + fold + 0.35 * net + 2 * blotch, 0.85)
    stalk = stroke(x.shape, curve(((84, 338), (60, 356), (38, 370), (16, 390))), 4.2)
    canvas.paint(lit((0.46, 0.58, 0.24), inflate(stalk, 4.2)), cover(stalk))
    canvas.paint(lit(colour, normal, ambient=0.40, gloss=0.20, shininess=22), cover(edge, 2.2))


_MAPLE_HALF: Points = (
    (0, -1.00), (0.07, -0.84), (0.19, -0.80), (0.16, -0.66), (0.25, -0.58), (0.20, -0.42), (0.19, -0.28), (0.31, -0.40),
    (0.40, -0.56), (0.47, -0.50), (0.62, -0.60), (0.80, -0.66), (0.74, -0.50), (0.86, -0.42), (0.72, -0.32),
    (0.70, -0.20), (0.52, -0.10), (0.44, 0.02), (0.58, 0.00), (0.70, 0.06), (0.80, 0.00), (1.00, 0.08), (0.86, 0.16),
    (0.84, 0.28),
    (0.68, 0.28), (0.56, 0.38), (0.36, 0.34), (0.20, 0.36), (0.06, 0.40), (0.00, 0.42),
)  # fmt: skip


def maple_leaf(canvas: Canvas) -> None:
    """Draw a red and orange autumn maple leaf with veins to every lobe, spots and a stalk."""
    turn, centre, size = math.radians(14), (197.0, 230.0), 197.0

    def place(px: float, py: float) -> tuple[float, float]:
        c, s = math.cos(turn), math.sin(turn)
        return centre[0] + size * (c * px - s * py), centre[1] + size * (s * px + c * py)

    wobble = canvas.stream("outline").uniforms(60, 2) * 0.035 - 0.017
    both = [*_MAPLE_HALF, *[(-px, py) for px, py in reversed(_MAPLE_HALF[1:-1])]]
    outline = [place(px + w[0], py + w[1]) for (px, py), w in zip(both, wobble.tolist(), strict=False)]
    edge = polygon(canvas.x.shape, _sharpened(outline))
    tips = ((0.0, -0.97), (0.76, -0.62), (-0.76, -0.62), (0.95, 0.09), (-0.95, 0.09))
    vein = np.full_like(canvas.x, 99)
    for tx, ty in tips:
        vein = np.minimum(vein, segment(canvas.x, canvas.y, place(0, 0.36), place(tx, ty)) * 1.0)
        for share in (0.38, 0.52, 0.66, 0.80):
            bx, by = tx * share, 0.36 + (ty - 0.36) * share
            length, heading = 0.26 * (1.15 - share), math.atan2(ty - 0.36, tx)
            for sway in (-0.72, 0.72):
                tip = (bx + length * math.cos(heading + sway), by + length * math.sin(heading + sway))
                vein = np.minimum(vein, segment(canvas.x, canvas.y, place(bx, by), place(*tip)) + 1.4)
    away = np.hypot(canvas.x - place(0, 0.3)[0], canvas.y - place(0, 0.3)[1])
    net, blotch = _cells(canvas, canvas.x, canvas.y), fractal(canvas.stream("blotch"), canvas.x, canvas.y, 60, 5)
    colour = mix((0.88, 0.52, 0.10), (0.72, 0.10, 0.06), smoothstep(20, 190, away + 170 * (blotch - 0.5)))
    colour = mix(colour, (0.40, 0.04, 0.04), 0.6 * smoothstep(0.52, 0.75, blotch))
    colour = mix(colour, (0.95, 0.55, 0.20), 0.25 * net)
    colour = mix(colour, (0.95, 0.74, 0.34), smoothstep(3.4, 0.8, vein))
    spots = smoothstep(
        0.72, 0.78, fractal(canvas.stream("spots"), canvas.x + 0.6 * canvas.y, canvas.y - 0.6 * canvas.x, 15, 2)
    )
    colour = mix(colour, (0.22, 0.08, 0.04), 0.75 * spots)
    relief = 7 * smoothstep(0, 26, vein) + 0.3 * net + 16 * fractal(canvas.stream("curl"), canvas.x, canvas.y, 110, 2)
    normal = bump(inflate(edge, 9, 2.0), relief, 0.9)
    stalk = stroke(canvas.x.shape, curve((place(0, 0.36), place(0.03, 0.55), place(0.13, 0.76))), 3.6)
    canvas.paint(lit((0.62, 0.20, 0.10), inflate(stalk, 3.6)), cover(stalk))
    canvas.paint(lit(colour, normal, ambient=0.42, gloss=0.10), cover(edge, 2.0))


def _sharpened(points: Points) -> Points:
    """Return the outline with every side bowed inwards a little, so that teeth look pointed and sides soft."""
    corners = np.asarray(points)
    bowed = []
    middle = corners.mean(axis=0)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        for t in (0.0, 0.25, 0.5, 0.75):
            spot = start + (end - start) * t
            bowed.append(spot + (middle - spot) * 0.10 * t * (1 - t))
    return [(float(px), float(py)) for px, py in bowed]


def monstera_leaf(canvas: Canvas) -> None:
    """Draw a dark glossy monstera leaf: heart-shaped, split between the side veins and holed near the midrib."""
    x, y = rotate(canvas.x, canvas.y, 62, (206, 208))
    x, y = x / 0.88, y / 0.88
    across = y + 0.0006 * x * x
    side = np.abs(across)
    t = np.clip((x + 175) / 368, 0, 1)
    half = 176 * np.maximum(np.sin(math.pi * np.clip(t * 0.88 + 0.12, 0, 1) ** 0.74), 0) ** 0.80
    notch = np.hypot((x + 182) / 1.5, across) - 24
    base = 0.0042 * (side - 62) ** 2 - 170  # two round lobes beside the stalk
    edge = np.where(x < 195, np.maximum(side - half, base - x), 60)
    reach = side / np.maximum(half, 1)
    spacing = 52.0
    lean = (x - 0.42 * side - 0.0006 * side * side + 421) / spacing
    phase = np.abs(lean - np.floor(lean) - 0.5) * spacing
    slit = np.where((lean > 4.3) & (lean < 10.9), (25.8 - phase) + 13 - 16 * smoothstep(0.42, 1.0, reach), 50)
    slit = np.maximum(slit - 8.0, (0.50 - reach) * 120)
    hole = np.hypot((25.9 - phase) / 6.0, (side - 36) / 15) - 1
    hole = np.where((lean > 4.6) & (lean < 9.4), hole * 7, 50)
    edge = np.maximum(np.maximum(edge, -notch), np.maximum(-slit, -hole))
    second = smoothstep(2.4, 0.4, phase + 1.6 * reach)
    main = smoothstep(1.0, 0.2, side / np.maximum(5.5 - 0.010 * (x + 180), 1.3))
    blotch, net = fractal(canvas.stream("blotch"), x, y, 70, 5), _cells(canvas, x, y)
    colour = mix((0.03, 0.20, 0.09), (0.11, 0.40, 0.15), 0.15 + 0.85 * blotch)
    colour = mix(colour, (0.18, 0.46, 0.20), 0.22 * net)
    colour = mix(colour, (0.46, 0.66, 0.34), np.maximum(0.6 * second, main))
    puff = 8.0 * smoothstep(0, 20, phase) + 14 * smoothstep(0, 50, side) - 0.0009 * side * side
    relief = puff + 0.2 * net + 10 * fractal(canvas.stream("wave"), x, y, 120, 2)
    normal = bump(inflate(edge, 7, 1.5), relief, 0.9)
    stalk = stroke(canvas.x.shape, curve(((161, 98), (142, 58), (108, 16))), 5.0)
    canvas.paint(lit((0.30, 0.50, 0.20), inflate(stalk, 5.0)), cover(stalk))
    dust = 0.97 + 0.06 * speckle(canvas.stream("dust"), x.shape)
    shaded = scale(lit(colour, normal, ambient=0.44, gloss=0.42, shininess=16), dust)
    canvas.paint(shaded, cover(edge, 2.0))
