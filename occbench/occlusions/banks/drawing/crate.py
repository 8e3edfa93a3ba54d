"""Three boxes: a taped cardboard box, a wooden crate and a gift box with a ribbon."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from occbench.occlusions.banks.drawing.canvas import Canvas
from occbench.occlusions.banks.drawing.planes import Plane, mix, scale, smoothstep
from occbench.occlusions.banks.drawing.shading import bump, inflate, lit
from occbench.occlusions.banks.drawing.shapes import Points, box, circle, cover, curve, polygon, segment
from occbench.occlusions.banks.drawing.textures import fractal, grain, speckle

__all__ = ["cardboard_box", "gift_box", "wooden_crate"]


@dataclass(frozen=True)
class _Face:
    """One visible side: its coordinates ``u``, ``v`` and size in box units, its mask and how much light it gets."""

    u: Plane
    v: Plane
    width: float
    height: float
    mask: Plane
    light: float


def _project(
    size: tuple[float, float, float], yaw: float, pitch: float
) -> dict[tuple[int, int, int], tuple[float, float]]:
    """Return the screen place of every corner (signs along width, height, depth), in perspective, before fitting."""
    places = {}
    for corner in ((a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)):
        x, y, z = (0.5 * side * sign for side, sign in zip(size, corner, strict=True))
        x, z = math.cos(yaw) * x - math.sin(yaw) * z, math.cos(yaw) * z + math.sin(yaw) * x
        y, z = math.cos(pitch) * y + math.sin(pitch) * z, math.cos(pitch) * z - math.sin(pitch) * y
        reach = 5.5 / (5.5 - z)
        places[corner] = (x * reach, y * reach)
    return places


def _faces(
    canvas: Canvas, size: tuple[float, float, float], yaw: float, pitch: float, frame: tuple[float, float, float]
) -> list[_Face]:
    """Return top, left and right face; ``frame`` is the centre and the longest side on the canvas, design pixels."""
    places = _project(size, yaw, pitch)
    spots = np.asarray(list(places.values()))
    middle, spread = (spots.max(0) + spots.min(0)) / 2, float((spots.max(0) - spots.min(0)).max())
    fitted = {k: ((np.asarray(v) - middle) * frame[2] / spread + frame[:2]).tolist() for k, v in places.items()}
    width, height, depth = size
    corners = (
        (((-1, -1, -1), (1, -1, -1), (1, -1, 1), (-1, -1, 1)), width, depth, 1.06),
        (((-1, -1, 1), (1, -1, 1), (1, 1, 1), (-1, 1, 1)), width, height, 0.90),
        (((1, -1, 1), (1, -1, -1), (1, 1, -1), (1, 1, 1)), depth, height, 0.60),
    )
    return [_face(canvas, [fitted[k] for k in keys], (w, h), light) for keys, w, h, light in corners]


def _face(canvas: Canvas, quad: list[list[float]], size: tuple[float, float], light: float) -> _Face:
    width, height = size
    flat = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    h = cv2.getPerspectiveTransform(np.asarray(quad, dtype=np.float32), flat).astype(np.float64).tolist()
    x, y = canvas.x, canvas.y
    away = h[2][0] * x + h[2][1] * y + h[2][2]
    u, v = (h[0][0] * x + h[0][1] * y + h[0][2]) / away, (h[1][0] * x + h[1][1] * y + h[1][2]) / away
    # half a pixel wider than the face, so that neighbours leave no gap
    return _Face(u, v, width, height, cover(polygon(x.shape, [(p[0], p[1]) for p in quad]) - 0.5), light)


def _light(face: _Face) -> Plane:
    """Return the face's light: darker towards the ground and towards the right, worn bright at the edges."""
    fall = 1.04 - 0.20 * face.v / face.height - 0.06 * face.u / face.width
    edge = np.minimum(np.minimum(face.u, face.width - face.u), np.minimum(face.v, face.height - face.v))
    return face.light * fall + 0.10 * smoothstep(0.022, 0.004, edge)


def cardboard_box(canvas: Canvas) -> None:
    """Draw a closed cardboard box with tape over the top, a label, printed arrows and dents."""
    for index, face in enumerate(_faces(canvas, (1.25, 0.95, 1.05), 0.62, 0.50, (200, 200, 388))):
        u, v = face.u, face.v
        paper = fractal(canvas.stream(f"paper{index}"), u * 400, v * 400, 60, 6)
        flute = np.sin(u * 190) * 0.5
        fibre = speckle(canvas.stream(f"fibre{index}"), u.shape)
        colour = mix((0.66, 0.49, 0.31), (0.80, 0.63, 0.43), 0.25 + 0.5 * paper + 0.07 * flute + 0.16 * fibre)
        if index == 0:
            slit = np.abs(v - face.height / 2)
            colour = mix(colour, (0.25, 0.16, 0.09), smoothstep(0.014, 0.004, slit))
            colour = mix(colour, (0.86, 0.74, 0.52), 0.62 * smoothstep(0.105, 0.097, slit))
            colour = mix(colour, (1, 0.97, 0.9), 0.5 * smoothstep(0.105, 0.097, slit) * smoothstep(0.55, 0.8, paper))
        if index == 2:
            middle = np.abs(u - face.width / 2)
            tape = smoothstep(0.105, 0.097, middle) * smoothstep(0.30, 0.28, v + 0.02 * np.sin(u * 60))
            colour = mix(colour, (0.86, 0.74, 0.52), 0.62 * tape)
            colour = mix(colour, (0.20, 0.13, 0.08), 0.85 * _arrows(u - 0.28, v - 0.62))
        if index == 1:
            colour = _label(colour, u - 0.80, v - 0.56, canvas)
            ink = cover(box(u - 0.27, v - 0.30, (0.16, 0.035)), 0.01) + cover(
                box(u - 0.22, v - 0.40, (0.11, 0.018)), 0.01
            )
            colour = mix(colour, (0.20, 0.13, 0.08), 0.75 * ink)
        dent = fractal(canvas.stream(f"dent{index}"), u * 400, v * 400, 130, 2)
        canvas.paint(scale(colour, _light(face) * (0.86 + 0.28 * dent)), face.mask)


def _arrows(u: Plane, v: Plane) -> Plane:
    """Return two upward arrows over a bar."""
    ink = box(u, v - 0.15, (0.13, 0.012))
    for side in (-0.065, 0.065):
        head = np.maximum(np.abs(u - side) - (v + 0.12) * 0.62, v + 0.03)
        ink = np.minimum(ink, np.minimum(head, box(u - side, v - 0.04, (0.017, 0.08))))
    return cover(ink, 0.012)


def _label(colour: Plane, u: Plane, v: Plane, canvas: Canvas) -> Plane:
    """Put a white address label with a bar code on ``colour``."""
    paper = cover(box(u, v, (0.30, 0.22), 0.015), 0.01)
    colour = mix(colour, (0.93, 0.92, 0.88), paper)
    widths = np.cumsum(0.006 + 0.012 * canvas.stream("bars").uniforms(40))
    bars = np.searchsorted(widths, np.clip(u + 0.25, 0, 0.46)) % 2
    code = bars * cover(box(u + 0.02, v - 0.11, (0.22, 0.07)), 0.008)
    lines = np.minimum.reduce([box(u + 0.12, v + 0.13 - 0.055 * k, (0.13 - 0.02 * k, 0.011)) for k in range(3)])
    badge = np.abs(circle(u - 0.19, v + 0.09, 0.065)) - 0.014
    return mix(colour, (0.13, 0.13, 0.15), np.maximum(code, np.maximum(cover(lines, 0.01), cover(badge, 0.01))) * 0.9)


def wooden_crate(canvas: Canvas) -> None:
    """Draw a crate of planks inside a frame with one diagonal brace and nails."""
    for index, face in enumerate(_faces(canvas, (1.15, 1.0, 1.0), 0.74, 0.42, (200, 200, 388))):
        u, v, frame = face.u, face.v, 0.13
        plank = np.floor((v - frame) / (face.height - 2 * frame) * 5)
        joint = np.abs((v - frame) / (face.height - 2 * frame) * 5 - plank - 0.5)
        tone = np.take(canvas.stream(f"tone{index}").uniforms(9), np.clip(plank, -1, 7).astype(np.int32) + 1)
        boards = grain(canvas.stream(f"grain{index}"), u * 420 + 200 * tone, v * 420, 8)
        colour = mix((0.42, 0.26, 0.13), (0.74, 0.53, 0.31), 0.62 * boards + 0.42 * tone)
        colour = mix(colour, (0.10, 0.06, 0.03), smoothstep(0.43, 0.49, joint))
        upright = np.minimum(u, face.width - u)
        level = np.minimum(v, face.height - v)
        brace = segment(u, v, (frame, face.height - frame), (face.width - frame, frame)) - 0.068
        side, ends = upright - frame, level - frame
        rim = np.minimum(side, ends)
        bars = rim if index == 0 else np.minimum(rim, brace)
        colour = scale(colour, 1 - 0.62 * smoothstep(0.07, 0.0, bars))
        trim = grain(
            canvas.stream(f"frame{index}"), np.where(side < ends, v, u) * 420, np.where(side < ends, u, v) * 420, 9
        )
        if index:
            lean = grain(canvas.stream(f"brace{index}"), (u - v) * 300, (u + v) * 300, 9)
            trim = np.where(rim > 0, lean, trim)
        wood = mix((0.52, 0.33, 0.17), (0.86, 0.65, 0.41), trim)
        seam = np.minimum(np.abs(np.minimum(side, ends)), np.abs(np.where(ends < 0, side, 9)))
        wood = scale(wood, 1 - 0.5 * smoothstep(0.014, 0.002, np.minimum(seam, np.abs(bars))))
        colour = np.where((bars < 0)[..., None], wood, colour)
        for nail_u in (frame / 2, face.width - frame / 2):
            for nail_v in (frame / 2, face.height / 2, face.height - frame / 2):
                nail = circle(u - nail_u, v - nail_v, 0.019)
                colour = mix(colour, (0.16, 0.14, 0.13), cover(nail, 0.012))
                colour = mix(
                    colour, (0.7, 0.7, 0.7), cover(circle(u - nail_u + 0.006, v - nail_v + 0.006, 0.007), 0.01)
                )
        canvas.paint(scale(colour, _light(face) * 1.02), face.mask)


def gift_box(canvas: Canvas) -> None:
    """Draw a blue dotted gift box with a lid, a golden ribbon and a bow."""
    for index, face in enumerate(_faces(canvas, (1.0, 0.86, 1.0), 0.78, 0.46, (200, 228, 334))):
        u, v = face.u, face.v
        row = np.floor(v / 0.125)
        across = (u + 0.0625 * (row % 2)) / 0.125
        dots = circle((across - np.floor(across) - 0.5) * 0.125, v - (row + 0.5) * 0.125, 0.029)
        paper = fractal(canvas.stream(f"paper{index}"), u * 400, v * 400, 40, 5)
        colour = mix((0.10, 0.24, 0.55), (0.20, 0.42, 0.76), paper)
        colour = mix(colour, (0.93, 0.94, 0.98), cover(dots, 0.012))
        if index:
            colour = scale(colour, 1 - 0.45 * smoothstep(0.30, 0.22, v) * smoothstep(0.215, 0.225, v))
            colour = scale(colour, 1 + 0.12 * smoothstep(0.225, 0.215, v))
        band = np.abs(u - face.width / 2) if index else np.minimum(np.abs(u - 0.5), np.abs(v - 0.5))
        silk = fractal(canvas.stream(f"silk{index}"), u * 700, v * 60, 8, 3)
        colour = scale(colour, 1 - 0.4 * smoothstep(0.13, 0.08, band))
        gold = mix((0.74, 0.50, 0.10), (1.0, 0.84, 0.40), 0.3 + 0.4 * silk + 3 * (0.09 - band))
        colour = np.where((band < 0.085)[..., None], gold, colour)
        canvas.paint(scale(colour, _light(face) * 1.08), face.mask)
    tails: tuple[Points, ...] = (
        ((192, 108), (150, 128), (118, 176), (132, 182), (150, 170), (166, 150), (206, 118)),
        ((196, 116), (240, 132), (262, 172), (282, 158), (298, 160), (262, 118), (206, 106)),
    )
    loops: tuple[Points, ...] = (
        ((198, 108), (160, 40), (96, 14), (64, 44), (82, 92), (140, 116)),
        ((200, 108), (232, 36), (296, 8), (334, 34), (322, 84), (262, 114)),
    )
    for points in (*tails, *loops):
        _ribbon(canvas, points)
    for hollow in (
        ((176, 92), (138, 50), (100, 36), (92, 56), (112, 84)),
        ((224, 90), (254, 44), (298, 28), (310, 46), (288, 80)),
    ):
        shape = polygon(canvas.x.shape, curve(hollow, closed=True))
        canvas.paint((0.44, 0.27, 0.05), 0.85 * cover(shape, 9))
    knot = box(canvas.x - 199, canvas.y - 107, (22, 19), 13)
    canvas.shadow(cover(knot), (4, 6), 5, 0.5)
    canvas.paint(lit((0.95, 0.72, 0.22), inflate(knot, 19), gloss=0.5, shininess=20), cover(knot))


def _ribbon(canvas: Canvas, points: Points) -> None:
    shape = polygon(canvas.x.shape, curve(points, closed=True))
    canvas.shadow(cover(shape), (5, 8), 6, 0.45)
    ray = np.arctan2(canvas.y - 107, canvas.x - 199)
    away = np.hypot(canvas.x - 199, canvas.y - 107)
    folds = fractal(canvas.stream("folds"), ray * 40, away * 0.12, 5, 3)
    normal = bump(inflate(shape, 26), folds * 8)
    canvas.paint(lit((0.95, 0.72, 0.22), normal, gloss=0.45, shininess=16), cover(shape))
