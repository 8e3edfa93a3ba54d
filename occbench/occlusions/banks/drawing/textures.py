"""Procedural textures, every random number from a named stream."""

import numpy as np

from occbench.core.seeding import Stream
from occbench.occlusions.banks.drawing.planes import Plane, smoothstep

__all__ = ["fractal", "grain", "speckle", "value_noise", "weave"]

_LATTICE = 64


def value_noise(draw: Stream, x: Plane, y: Plane, cell: float) -> Plane:
    """Return smooth noise in 0..1 with features of about ``cell`` design pixels (period 64 cells)."""
    table = draw.uniforms(_LATTICE, _LATTICE).astype(np.float32)
    u, v = x / cell, y / cell
    column, row = np.floor(u), np.floor(v)
    fu, fv = smoothstep(0, 1, u - column), smoothstep(0, 1, v - row)
    left, top = column.astype(np.int32) % _LATTICE, row.astype(np.int32) % _LATTICE
    right, bottom = (left + 1) % _LATTICE, (top + 1) % _LATTICE
    upper = table[top, left] * (1 - fu) + table[top, right] * fu
    lower = table[bottom, left] * (1 - fu) + table[bottom, right] * fu
    return np.asarray(upper * (1 - fv) + lower * fv)


def fractal(draw: Stream, x: Plane, y: Plane, cell: float, octaves: int = 4) -> Plane:
    """Return a sum of ``octaves`` noises, each half as coarse and half as strong as the one before, in 0..1."""
    total, weight = np.zeros(np.broadcast(x, y).shape, dtype=np.float32), 0.0
    for octave in range(octaves):
        share = 0.5**octave
        total = total + share * value_noise(draw, x, y, cell * share).astype(np.float32)
        weight += share
    return np.asarray(total / weight, dtype=np.float32)


def grain(draw: Stream, along: Plane, across: Plane, width: float = 7.0) -> Plane:
    """Return wood grain in 0..1: wavering lines of ``width`` design pixels that run along the first coordinate."""
    sway = fractal(draw, along, across * 3, 90, 2)
    lines = fractal(draw, along * 0.05, across + 22 * sway, width, 3)
    fibre = value_noise(draw, along * 0.08, across, 1.1)
    return np.asarray(0.72 * lines + 0.28 * fibre, dtype=np.float32)


def speckle(draw: Stream, shape: tuple[int, ...]) -> Plane:
    """Return one independent number in 0..1 per sample."""
    return draw.uniforms(*shape[:2]).astype(np.float32)


def weave(u: Plane, v: Plane, pitch: float) -> Plane:
    """Return the relief of a plain weave in 0..1: threads of ``pitch`` design pixels over and under one another."""
    phase_u, phase_v = u * (np.pi / pitch), v * (np.pi / pitch)
    warp = np.abs(np.sin(phase_u)) * (0.6 + 0.4 * np.sign(np.sin(phase_u) * np.sin(phase_v)))
    weft = np.abs(np.sin(phase_v)) * (0.6 - 0.4 * np.sign(np.sin(phase_u) * np.sin(phase_v)))
    return np.asarray(np.maximum(warp, weft), dtype=np.float32)
