"""Three cloths: a pinned-up gingham tea towel, a heap of blue satin and a fringed striped blanket."""

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, facing, inflate, lit
from occbench.occlusions.banks.drawing.shapes import cover
from occbench.occlusions.banks.drawing.textures import fractal, speckle, value_noise, weave

__all__ = ["gingham_towel", "satin_drape", "striped_blanket"]


def _occluded(height: Plane, low: float, high: float) -> Plane:
    """Return how much light reaches a fold: less in the valleys."""
    return 0.62 + 0.42 * smoothstep(low, high, height)


def gingham_towel(canvas: Canvas) -> None:
    """Draw a red gingham tea towel that hangs from one point, with folds fanning out below it."""
    x, y = canvas.x - 200, canvas.y
    down = np.clip((y - 14) / 370, 0, 1.1)
    spread = 26 + 162 * down**0.75
    share = x / spread
    fan = (
        share * 9.5
        + 0.9 * np.sin(down * 3.0 + share * 2)
        + 2.2 * (fractal(canvas.stream("fan"), share * 60, y, 90, 2) - 0.5)
    )
    depth = 3 + 15 * down
    height = depth * (np.sin(fan) + 0.45 * np.sin(2.1 * fan + 1.3)) + 3 * np.sin(y / 40 + 2 * share)
    hem = 362 + 9 * np.sin(fan) + 26 * (1 - share**2) - 18
    edge = np.maximum((np.abs(share) - 1) * spread * 0.9 + 3 * np.sin(y / 33), y - hem)
    edge = np.maximum(edge, 20 - y + 2 * np.sin(fan))
    u = share * 250 + 0.9 * height
    v = (y - 14) * 1.05 + 0.4 * height - 30 * share**2
    red_u, red_v = ((np.floor(u / 25) % 2) == 0) * 1.0, ((np.floor(v / 25) % 2) == 0) * 1.0
    thread = weave(u, v, 2.4)
    slub = (
        value_noise(canvas.stream("slub"), u, v * 0.1, 2.5) * 0.5
        + value_noise(canvas.stream("slub2"), u * 0.1, v, 2.5) * 0.5
    )
    colour = mix(
        (0.95, 0.93, 0.89), (0.78, 0.08, 0.10), 0.5 * red_u + 0.5 * red_v - 0.10 * (slub - 0.5) * (red_u + red_v)
    )
    border = smoothstep(3, 1, np.abs(edge + 9))
    colour = scale(colour, (0.88 + 0.16 * thread) * (0.94 + 0.12 * slub) * (1 - 0.2 * border))
    normal = bump(facing(x), height + 0.25 * thread, 0.95)
    shaded = scale(lit(colour, normal, ambient=0.42), _occluded(height, -22, 8))
    fringe = 4 * speckle(canvas.stream("fringe"), (1, x.shape[1]))[0] * smoothstep(-20, 0, y - hem)
    canvas.paint(shaded, cover(edge - fringe, 2.4))
    loop = np.abs(np.hypot(x, (y - 15) / 1.1) - 9) - 3
    canvas.paint(lit((0.80, 0.12, 0.13), inflate(loop, 3)), cover(np.maximum(loop, y - 24)))


def satin_drape(canvas: Canvas) -> None:
    """Draw blue satin pinned up at two corners: swags of curved folds in the middle, a tail falling at each side."""
    for index, side in enumerate((-1.0, 1.0)):
        _tail(canvas, f"tail{index}", (canvas.x - 200) * side)
    x, y = canvas.x - 200, canvas.y
    warp = fractal(canvas.stream("warp"), x, y, 130, 2) - 0.5
    bow = 0.16 + np.clip(1 - (x / 182) ** 2, 0, 1)
    drop = (y - 20 + 22 * warp) / bow
    fold = 0.062 * drop + 2.6 * warp + 0.35 * np.sin(x / 45)
    pull = smoothstep(0.12, 0.7, bow)
    crest = 1 - np.abs(np.sin(fold)) ** 0.8
    height = (6 + 13 * pull) * (1 - crest) + 4 * pull * np.sin(2.3 * fold + x / 50)
    edge = np.maximum(
        np.maximum(np.abs(x) - 184, (drop - 250) * np.minimum(bow, 1)), 26 + 5 * np.cos(x / 30) - y - 16 * (bow - 0.16)
    )
    _satin(canvas, "swag", edge, height, drop)


def _tail(canvas: Canvas, name: str, x: Plane) -> None:
    """Draw one hanging end of the satin; ``x`` grows outwards from the middle."""
    y = canvas.y
    wide = 20 + 62 * smoothstep(20, 320, y)
    share = (x - 150) / wide
    fold = share * 7 + 0.5 * np.sin(y / 60) + 1.6 * fractal(canvas.stream(f"{name} fold"), x, y, 110, 2)
    hem = 340 + 42 * np.clip(share, -1, 1) + 7 * np.sin(fold)
    edge = np.maximum(np.maximum((np.abs(share) - 1) * wide, x - 190 - 3 * np.sin(y / 31)), np.maximum(y - hem, 22 - y))
    _satin(canvas, name, edge, (6 + y / 30) * np.sin(fold), share * 60)


def _satin(canvas: Canvas, name: str, edge: Plane, height: Plane, across: Plane) -> None:
    """Put a piece of satin on the canvas: deep blue, with broad highlights along its folds and a stitched hem."""
    normal = bump(inflate(edge, 5, 1.5), height, 1.0)
    fine = fractal(canvas.stream(f"{name} fine"), across * 2, canvas.x * 0.1, 4, 3)
    colour = scale(
        mix((0.07, 0.17, 0.50), (0.14, 0.30, 0.70), fine), 0.96 + 0.08 * speckle(canvas.stream(name), edge.shape)
    )
    shaded = scale(lit(colour, normal, ambient=0.30, gloss=0.50, shininess=8), _occluded(height, -12, 12))
    stitch = smoothstep(1.5, 0.6, np.abs(edge + 8))
    canvas.shadow(cover(edge), (4, 9), 8, 0.5)
    canvas.paint(scale(shaded, 1 - 0.30 * stitch), cover(edge, 2.4))


def striped_blanket(canvas: Canvas) -> None:
    """Draw a woollen blanket of coloured stripes hanging over an edge, with tassels below."""
    x, y = canvas.x - 200, canvas.y
    sway = fractal(canvas.stream("sway"), x, y * 0.4, 120, 2)
    fold = x / 23 + 3.2 * sway + 0.25 * np.sin(y / 60)
    fall = smoothstep(20, 150, y)
    height = fall * (9 * np.sin(fold) + 4 * np.sin(0.53 * fold + 1)) + 12 * smoothstep(10, 60, y)
    left = -176 + 7 * np.sin(y / 47) - 9 * fall
    right = 172 + 6 * np.sin(y / 39 + 2) + 10 * fall
    hem = 322 + 8 * np.sin(fold) * fall + 7 * np.sin(x / 70)
    top = 18 + 5 * np.sin(x / 60) + 2 * np.sin(fold)
    edge = np.maximum(np.maximum(left - x, x - right), np.maximum(y - hem, top - y))
    u, v = x + 0.6 * height, y + 0.55 * height - 7 * np.sin(x / 70)
    knots = [0, 40, 60, 72, 112, 128, 136, 176, 196, 206, 250, 262, 270, 300, 400]
    which = np.searchsorted(knots, np.clip(v - 14, 0, 399))
    inks = np.asarray(
        [(0.86, 0.80, 0.66), (0.12, 0.42, 0.42), (0.88, 0.62, 0.16), (0.66, 0.18, 0.13), (0.20, 0.20, 0.26)],
        dtype=np.float32,
    )
    colour = inks[(which * 2 + which // 4) % 5]
    zigzag = np.abs(((u / 26) % 1.0) - 0.5) * 30 - 7.5
    motif = cover(np.abs(v - 166 - zigzag) - 3.5, 2)
    colour = mix(colour, (0.93, 0.88, 0.76), motif)
    thread = weave(u, v, 3.6)
    wool = fractal(canvas.stream("wool"), u, v, 9, 4)
    colour = scale(colour, (0.78 + 0.26 * thread) * (0.86 + 0.28 * wool))
    normal = bump(facing(x), height + 0.9 * thread + 2.0 * wool, 0.9)
    shaded = scale(lit(colour, normal, ambient=0.42), _occluded(height, -14, 18))
    _tassels(canvas, hem, fold)
    hair = 3 * fractal(canvas.stream("hair"), canvas.x, canvas.y, 4, 2) - 1.5
    canvas.paint(shaded, cover(edge + hair, 3.2))


def _tassels(canvas: Canvas, hem: Plane, fold: Plane) -> None:
    """Draw strands of wool under the hem, gathered in bundles, half transparent where they thin out."""
    x, y = canvas.x - 200, canvas.y
    below = np.clip((y - hem) / 54, 0, 1.3)
    bundle = (x + 3 * np.sin(y / 15 + x / 20)) / 17
    place = np.abs(bundle - np.floor(bundle) - 0.5) * 17
    half = 3.2 + 3.8 * below
    length = 0.86 + 0.25 * value_noise(canvas.stream("length"), np.floor(bundle) * 30, x * 0, 30)
    strand = value_noise(canvas.stream("strand"), x * 3 + 6 * np.sin(y / 9), y * 0.05, 3.5)
    colour = scale(mix((0.60, 0.53, 0.40), (0.93, 0.88, 0.74), strand), 0.8 + 0.2 * np.sin(fold))
    solid = cover(place - half, 2.5) * smoothstep(0.05, -0.12, below + 0.16 * strand - length) * (y > hem - 8)
    gaps = 1 - smoothstep(0.3, 1.0, below) * smoothstep(0.55, 0.35, strand) * 0.8
    inside = cover(np.abs(x) - 182)
    shade = 1 - 0.5 * smoothstep(0.25, 0.0, below)
    canvas.paint(scale(lit(colour, inflate(place - half, 5)), shade), solid * gaps * inside)
    knot = np.maximum(place - 5, np.abs(y - hem - 8) - 5)
    canvas.paint(lit((0.80, 0.74, 0.60), inflate(knot, 5)), cover(knot) * inside)
