"""Three pieces of fence: white pickets, a brown garden lattice and weathered rails between posts."""

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import inflate, lit
from occbench.occlusions.banks.drawing.shapes import box, circle, cover
from occbench.occlusions.banks.drawing.textures import fractal, grain, value_noise

__all__ = ["garden_lattice", "picket_fence", "rail_fence"]


def _board(canvas: Canvas, name: str, edge: Plane, along: Plane, across: Plane, paint: tuple[Colour, Colour]) -> None:
    """Put one board with a grained, rounded surface and its cast shadow on the canvas."""
    lines = grain(canvas.stream(name), along, across, 8)
    stain = fractal(canvas.stream(f"{name} stain"), canvas.x, canvas.y, 60, 5)
    colour = mix(paint[0], paint[1], 0.15 + 0.85 * lines + 0.7 * (stain - 0.5))
    colour = _weathered(canvas, name, colour)
    crack = smoothstep(0.30, 0.24, lines) * smoothstep(0.45, 0.6, stain)
    colour = scale(colour, 1 - 0.45 * crack)
    mask = cover(edge)
    canvas.shadow(mask, (5, 7), 4, 0.55)
    canvas.paint(lit(colour, inflate(edge, 4.0, 0.6), ambient=0.5), mask)


def _weathered(canvas: Canvas, name: str, colour: Plane) -> Plane:
    """Return the wood's colour bleached grey in patches and greened by algae in others."""
    grey = fractal(canvas.stream(f"{name} grey"), canvas.x, canvas.y, 44, 5)
    green = fractal(canvas.stream(f"{name} green"), canvas.x, canvas.y, 70, 5)
    bleached = mix(colour, (0.58, 0.55, 0.50), 0.45 * smoothstep(0.42, 0.75, grey))
    return mix(bleached, (0.30, 0.33, 0.14), 0.30 * smoothstep(0.48, 0.80, green))


def _nail(canvas: Canvas, x: float, y: float, rust: bool = True) -> None:
    head = circle(canvas.x - x, canvas.y - y, 2.7)
    if rust:
        drip = box(canvas.x - x, canvas.y - y - 9, (1.6, 9), 1.5)
        canvas.paint((0.45, 0.25, 0.12), 0.35 * cover(drip, 3))
    canvas.paint((0.25, 0.22, 0.20), cover(head))
    canvas.paint((0.75, 0.74, 0.72), cover(circle(canvas.x - x + 0.8, canvas.y - y + 0.8, 1.0)))


def picket_fence(canvas: Canvas) -> None:
    """Draw seven white pointed pickets on two rails, paint flaking a little."""
    white: tuple[Colour, Colour] = ((0.74, 0.74, 0.70), (0.97, 0.97, 0.94))
    draw = canvas.stream("pickets")
    for index, level in enumerate((130.0, 306.0)):
        edge = box(canvas.x - 200, canvas.y - level, (194, 15), 2)
        _board(canvas, f"rail{index}", edge, canvas.x, canvas.y, ((0.58, 0.58, 0.56), (0.82, 0.82, 0.79)))
    for index in range(7):
        middle, top = 30 + 56.7 * index, 28 + 8 * float(draw.uniform())
        dx, lean = canvas.x - middle, 0.012 * (float(draw.uniform()) - 0.5)
        dx = dx + lean * (canvas.y - 200)
        half = 21.5 + 1.5 * float(draw.uniform())
        body = box(dx, canvas.y - 220, (half, 172), 2)
        point = (np.abs(dx) * 1.25 - (canvas.y - top)) * 0.62
        edge = np.maximum(body, point)
        _board(canvas, f"picket{index}", edge, canvas.y, canvas.x, white)
        bare = smoothstep(0.70, 0.74, fractal(canvas.stream(f"bare{index}"), canvas.x, canvas.y * 0.4, 16, 3))
        wood = mix((0.42, 0.36, 0.29), (0.60, 0.52, 0.42), fractal(canvas.stream("wood"), canvas.y * 0.05, canvas.x, 4))
        canvas.paint(wood, 0.9 * bare * cover(edge + 2))
        mud = smoothstep(350, 410, canvas.y + 30 * fractal(canvas.stream("mud"), canvas.x, canvas.y, 20, 3))
        canvas.paint((0.35, 0.33, 0.20), 0.55 * mud * cover(edge))
        for level in (130.0, 306.0):
            _nail(canvas, middle - 7, level - 4)
            _nail(canvas, middle + 7, level + 5)


def garden_lattice(canvas: Canvas) -> None:
    """Draw a framed panel of crossed brown laths with open diamonds between them."""
    inside = box(canvas.x - 200, canvas.y - 200, (180, 180))
    for layer, sign in enumerate((1.0, -1.0)):
        u, v = (canvas.x + sign * canvas.y) * 0.7071, (canvas.x - sign * canvas.y) * 0.7071
        cell = np.floor(u / 46 + 0.5)
        across = u - cell * 46
        tone = 0.9 + 0.2 * value_noise(canvas.stream(f"tone{layer}"), cell * 40, cell * 0, 40)
        edge = np.maximum(np.abs(across) - 11.5, inside)
        lines = grain(canvas.stream(f"lath{layer}"), v + cell * 97, u, 6)
        stain = fractal(canvas.stream(f"stain{layer}"), canvas.x, canvas.y, 50, 4)
        colour = scale(mix((0.33, 0.19, 0.10), (0.66, 0.42, 0.23), 0.12 + 0.8 * lines + 0.5 * (stain - 0.5)), tone)
        colour = _weathered(canvas, f"lath{layer}", colour)
        canvas.shadow(cover(edge), (4, 6), 3, 0.6)
        canvas.paint(lit(colour, inflate(edge, 3.0, 0.6), ambient=0.5), cover(edge))
    for index, (cx, cy) in enumerate(((200, 22), (200, 378), (22, 200), (378, 200))):
        flat = index < 2
        edge = box(canvas.x - cx, canvas.y - cy, (192, 16) if flat else (16, 172), 3)
        along, across = (canvas.x, canvas.y) if flat else (canvas.y, canvas.x)
        _board(canvas, f"frame{index}", edge, along, across, ((0.38, 0.22, 0.11), (0.74, 0.48, 0.27)))
    for x in (22.0, 378.0):
        for y in (22.0, 378.0):
            _nail(canvas, x, y, rust=False)


def rail_fence(canvas: Canvas) -> None:
    """Draw four weathered grey boards across two posts, with knots, cracks and moss."""
    for index, x in enumerate((82.0, 318.0)):
        edge = box(canvas.x - x, canvas.y - 206, (27, 182), 5)
        _board(canvas, f"post{index}", edge, canvas.y, canvas.x, ((0.25, 0.22, 0.19), (0.55, 0.50, 0.43)))
    draw = canvas.stream("boards")
    for index in range(4):
        level, lean = 72 + 86 * index + 5 * draw.uniform(-1, 1), 0.022 * draw.uniform(-1, 1)
        dy = canvas.y - level + lean * (canvas.x - 200)
        rough = 5 * fractal(canvas.stream(f"rough{index}"), canvas.x, dy * 0 + 9 * index, 40, 4) - 2.5
        edge = box(canvas.x - 200 + rough * 1.5, dy + rough, (193, 28), 4)
        knot_x = 200 + 130 * draw.uniform(-1, 1)
        swirl = 26 * np.exp(-(((canvas.x - knot_x) / 34) ** 2) - (dy / 26) ** 2)
        across = dy + np.where(dy > 0, swirl, -swirl)
        _board(canvas, f"board{index}", edge, canvas.x, across, ((0.33, 0.31, 0.28), (0.76, 0.72, 0.65)))
        knot = np.hypot((canvas.x - knot_x) / 1.5, dy) - 6
        canvas.paint((0.18, 0.13, 0.09), 0.8 * cover(knot, 5) * cover(edge))
        moss = fractal(canvas.stream(f"moss{index}"), canvas.x, canvas.y, 26, 5)
        canvas.paint((0.34, 0.42, 0.16), 0.75 * smoothstep(0.58, 0.70, moss) * smoothstep(4, -24, dy) * cover(edge))
        for x in (74.0, 90.0, 310.0, 326.0):
            _nail(canvas, x, level - lean * (x - 200) - 10)
