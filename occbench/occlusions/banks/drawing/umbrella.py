"""Three umbrellas: a plain red one from the side, a striped beach parasol from above and a tilted dotted one."""

import math

import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Colour, Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, inflate, lit, turn
from occbench.occlusions.banks.drawing.shapes import Points, cover, curve, rotate, stroke
from occbench.occlusions.banks.drawing.textures import fractal, grain, weave

__all__ = ["beach_parasol", "dotted_umbrella", "red_umbrella"]

_PANELS = 8


def _placed(points: Points, degrees: float, centre: tuple[float, float]) -> Points:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(centre[0] + c * px - s * py, centre[1] + s * px + c * py) for px, py in points]


def _stick(canvas: Canvas, points: Points, radius: float, colour: Plane | Colour, gloss: float = 0.5) -> None:
    edge = stroke(canvas.x.shape, points, radius)
    canvas.paint(lit(colour, inflate(edge, radius, 0.7), gloss=gloss, shininess=14), cover(edge))


def _canopy(
    canvas: Canvas, degrees: float, centre: tuple[float, float], size: tuple[float, float]
) -> tuple[Plane, ...]:
    """Draw the underside and return (edge distance, longitude, polar angle, place in the panel) of the dome.

    ``size`` is half the width and the height; the dome's axis is the local vertical through ``centre`` (its rim).
    """
    x, y = rotate(canvas.x, canvas.y, degrees, centre)
    half, height = size
    open_ = 26.0
    height_share = np.clip(-(y - 0) / height, 0, 1)
    for _ in range(3):  # the rim bulges towards the viewer by open_
        wide = np.sqrt(np.maximum(1 - height_share**2, 1e-4))
        sine = np.clip(x / (half * wide), -1, 1)
        front = np.sqrt(1 - sine * sine)
        height_share = np.clip((open_ * wide * front - y) / height, 0, 1)
    wide = np.sqrt(np.maximum(1 - height_share**2, 1e-4))
    longitude = np.arcsin(np.clip(x / (half * wide), -1, 1))
    phase = (longitude + math.pi / _PANELS) / (2 * math.pi / _PANELS)
    place = phase - np.floor(phase) - 0.5
    polar = np.arccos(height_share)
    sag = 30 * (1 - (2 * np.abs(place)) ** 2)
    dome = np.hypot(x / half, np.minimum(y, 0) / height) - 1
    rim = y - open_ * np.sqrt(np.maximum(1 - (x / half) ** 2, 0)) + sag * np.sqrt(np.maximum(1 - (x / half) ** 2, 0.05))
    edge = np.maximum(dome * height * 0.9, rim)
    below = np.maximum(np.hypot(x / (half - 4), y / open_) - 1, -9) * open_ * 0.8
    shade = fractal(canvas.stream("under"), x, y, 30, 3)
    canvas.paint(scale((0.16, 0.10, 0.10), 0.6 + 0.5 * shade), cover(below) * (y < 4))
    return edge, longitude, polar, place


def _dome_normal(longitude: Plane, polar: Plane, place: Plane, canvas: Canvas) -> tuple[Plane, Plane, Plane]:
    """Return the normals of taut cloth: faceted between the ribs, sunk along them, softly wrinkled."""
    facet = longitude - 0.55 * place * (2 * math.pi / _PANELS)
    s = np.sin(polar)
    normal = s * np.sin(facet), -np.cos(polar), s * np.cos(facet) + 0.05
    crease = 5 * smoothstep(0.0, 0.16, 0.5 - np.abs(place)) * s
    tension = fractal(canvas.stream("tension"), place * 120, polar * 14, 16, 3) * s
    return bump(normal, crease + 5 * tension, 0.8)


def _finish_canopy(canvas: Canvas, degrees: float, parts: tuple[Plane, ...], cloth: Plane) -> None:
    edge, longitude, polar, place = parts
    normal = turn(_dome_normal(longitude, polar, place, canvas), degrees)
    thread = weave(canvas.x + canvas.y, canvas.x - canvas.y, 2.6)
    hem = smoothstep(0.022, 0.012, np.abs(np.clip(-edge, 0, 99) / 100 - 0.045))
    rib = smoothstep(0.035, 0.012, (0.5 - np.abs(place)) * np.sin(polar) + 0.004)
    colour = scale(cloth, (0.94 + 0.10 * thread) * (1 - 0.18 * hem) * (1 - 0.42 * rib))
    shaded = lit(colour, normal, ambient=0.34, gloss=0.22, shininess=12)
    canvas.shadow(cover(edge), (3, 14), 7, 0.5)
    canvas.paint(shaded, cover(edge))


def red_umbrella(canvas: Canvas) -> None:
    """Draw an open red umbrella from the side with a hooked wooden handle and a metal shaft."""
    centre = (200.0, 196.0)
    wood = mix((0.36, 0.19, 0.08), (0.66, 0.42, 0.20), grain(canvas.stream("wood"), canvas.y, canvas.x, 4))
    _stick(canvas, ((200, 150), (200, 322)), 4.6, (0.62, 0.64, 0.68), 0.8)
    hook = curve(((200, 312), (200, 346), (205, 366), (221, 377), (240, 372), (249, 352)))
    _stick(canvas, hook, 9.5, wood)
    parts = _canopy(canvas, 0, centre, (193, 166))
    cloth = mix((0.74, 0.05, 0.07), (0.86, 0.12, 0.12), fractal(canvas.stream("dye"), canvas.x, canvas.y, 50, 4))
    _finish_canopy(canvas, 0, parts, cloth)
    for k in (-2, -1, 0, 1, 2):
        angle = (k - 0.5 + 0.0) * 2 * math.pi / _PANELS
        if abs(angle) < 1.5:
            tip = (200 + 193 * math.sin(angle), 196 + 26 * math.cos(angle))
            _stick(canvas, (tip, (tip[0] + 3 * math.sin(angle), tip[1] + 5)), 2.8, (0.8, 0.8, 0.82))
    _stick(canvas, ((200, 34), (200, 10)), 4.4, (0.30, 0.29, 0.30))


def dotted_umbrella(canvas: Canvas) -> None:
    """Draw a tilted navy umbrella with white dots, a pale border and a straight handle."""
    degrees, centre = -28.0, (186.0, 186.0)
    _stick(canvas, _placed(((0, -30), (0, 150)), degrees, centre), 4.4, (0.20, 0.20, 0.22), 0.8)
    cane = mix((0.48, 0.29, 0.12), (0.86, 0.62, 0.32), grain(canvas.stream("cane"), canvas.y, canvas.x, 5))
    _stick(canvas, _placed(((0, 128), (0, 186)), degrees, centre), 9.0, cane)
    parts = _canopy(canvas, degrees, centre, (190, 158))
    _, longitude, polar, place = parts
    fine = fractal(canvas.stream("dye"), canvas.x, canvas.y, 40, 4)
    cloth = mix((0.05, 0.08, 0.24), (0.12, 0.17, 0.40), fine)
    rows = 5.4
    ring = polar * rows
    row = np.floor(ring)
    around = 2 * math.pi * rows * np.sin((row + 0.5) / rows)
    count = np.maximum(np.round(around), 1)
    turned = longitude / (2 * math.pi) * count + 0.5 * (row % 2)
    dot = np.hypot((turned - np.floor(turned) - 0.5) * around / count, ring - row - 0.5)
    cloth = mix(cloth, (0.95, 0.95, 0.93), smoothstep(0.30, 0.25, dot))
    cloth = mix(cloth, (0.90, 0.72, 0.30), smoothstep(1.43, 1.45, polar + 0.14 * (1 - (2 * np.abs(place)) ** 2)))
    _finish_canopy(canvas, degrees, parts, cloth)
    _stick(canvas, _placed(((0, -152), (0, -174)), degrees, centre), 4.2, (0.82, 0.66, 0.36))


def beach_parasol(canvas: Canvas) -> None:
    """Draw a beach parasol from above and a little aside: eight panels, red and white, a pole behind."""
    wood = mix((0.52, 0.33, 0.16), (0.85, 0.66, 0.42), grain(canvas.stream("pole"), canvas.y, canvas.x, 5))
    _stick(canvas, ((216, 240), (262, 388)), 8, wood)
    x, y = canvas.x - 196, (canvas.y - 178) / 0.88
    top_x, top_y = -14.0, -34.0
    reach = np.hypot(x, y) / 190
    inward = np.clip(1 - reach, 0, 1)
    dx, dy = x - top_x * inward, y - top_y * inward
    ray = np.arctan2(dy, dx) + 0.30
    away = np.hypot(dx, dy) / 190
    phase = ray / (2 * math.pi / _PANELS)
    panel = np.floor(phase)
    place = phase - panel - 0.5
    scallop = 1 - 0.075 * (1 - (2 * np.abs(place)) ** 2)
    edge = (away - scallop) * 180
    red = np.asarray((panel % 2) == 0, dtype=np.float32)
    dye = fractal(canvas.stream("dye"), x, y, 50, 5)
    cloth = mix(scale((0.97, 0.94, 0.86), 0.93 + 0.1 * dye), mix((0.80, 0.10, 0.10), (0.93, 0.24, 0.17), dye), red)
    middle = (panel + 0.5) * (2 * math.pi / _PANELS) - 0.30
    steep = 0.30 + 0.38 * np.clip(away, 0, 1) ** 2
    heading = middle + 0.5 * place * (2 * math.pi / _PANELS)
    normal = steep * np.cos(heading), steep * np.sin(heading) - 0.10, np.sqrt(np.maximum(1 - steep**2, 0.05))
    folds = fractal(canvas.stream("folds"), place * 60, away * 30, 14, 3) * np.clip(away, 0, 1)
    rib = (0.5 - np.abs(place)) * away * 150
    normal = bump(normal, 7 * smoothstep(0, 22, rib) + 6 * folds, 0.8)
    thread = weave(canvas.x, canvas.y, 2.6)
    hem = smoothstep(1.6, 0.6, np.abs(edge + 8))
    colour = scale(cloth, (0.94 + 0.09 * thread) * (1 - 0.25 * hem) * (1 - 0.35 * smoothstep(2.4, 0.6, rib)))
    flounce = smoothstep(-14, -12, edge)
    colour = scale(colour, 1 - 0.12 * flounce)
    mask = cover(edge)
    canvas.shadow(mask, (6, 12), 8, 0.6)
    canvas.paint(lit(colour, normal, ambient=0.36, gloss=0.10, shininess=10), mask)
    top = np.hypot(canvas.x - 196 - top_x, canvas.y - 178 - top_y * 0.88)
    canvas.shadow(cover(top - 22, 3), (4, 6), 4, 0.35)
    disc = inflate(top - 22, 20)
    canvas.paint(lit((0.93, 0.90, 0.82), disc, gloss=0.2), cover(top - 22))
    canvas.paint(lit((0.72, 0.52, 0.28), inflate(top - 8, 8), gloss=0.6), cover(top - 8))
