"""The values drawing works on, and the few operations every layer needs."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colour", "Normal", "Plane", "mix", "scale", "smoothstep"]

#: One number (or one colour, with a last axis of 3) per sample of the canvas, float32.
Plane: TypeAlias = NDArray[np.floating[Any]]
#: sRGB, each 0..1.
Colour: TypeAlias = tuple[float, float, float]
#: A unit surface normal per sample: x right, y down, z towards the viewer.
Normal: TypeAlias = tuple[Plane, Plane, Plane]


def smoothstep(low: float, high: float, value: Plane) -> Plane:
    """Return 0 at or before ``low``, 1 at or after ``high``, and a smooth cubic between; ``low > high`` falls."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def mix(first: Plane | Colour, second: Plane | Colour, share: Plane) -> Plane:
    """Return ``first`` where ``share`` is 0, ``second`` where it is 1: float32[S, S, 3]."""
    start, end = np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)
    return np.asarray(start + (end - start) * np.clip(share, 0, 1)[..., None], dtype=np.float32)


def scale(colour: Plane | Colour, factor: Plane) -> Plane:
    """Return a colour times one factor per sample: float32[S, S, 3]."""
    return np.asarray(np.asarray(colour, dtype=np.float32) * factor[..., None], dtype=np.float32)
