"""The pose: where, how large and how turned an object stands in the image.

Image coordinates run from 0 to 1 from the left and the top edge, whatever the image's size in pixels.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Contour, Layer

__all__ = ["posed", "transformed"]


def posed(layers: Sequence[Layer], draw: Stream) -> tuple[Layer, ...]:
    """Return an object in image coordinates, wholly inside the frame.

    Mirrored half the time, stretched by up to 15 %, turned by up to 25 degrees either way; its longer side takes 55 to
    95 % of the image, its place is uniform over where it fits.
    """
    mirror = -1.0 if draw.uniform() < 0.5 else 1.0
    stretch, angle = draw.uniform(0.85, 1.15), np.deg2rad(draw.uniform(-25.0, 25.0))
    extent, place = draw.uniform(0.55, 0.95), draw.uniforms(2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.array([[mirror * stretch, 0.0], [0.0, 1.0]]) @ turn
    return _framed(layers, matrix, extent, place, margin=0.02)


def transformed(layers: Sequence[Layer], extent: float, place: Contour, turn: tuple[float, float]) -> tuple[Layer, ...]:
    """Return clutter in image coordinates: longer side ``extent``, turned towards ``turn``, anywhere in the frame."""
    length = max(float(np.hypot(*turn)), 1e-6)
    cosine, sine = turn[0] / length, turn[1] / length
    return _framed(layers, np.array([[cosine, sine], [-sine, cosine]]), extent, place, margin=-extent / 2)


def _framed(
    layers: Sequence[Layer], matrix: Contour, extent: float, place: Contour, margin: float
) -> tuple[Layer, ...]:
    contours = [contour for layer in layers for outline in layer.outlines for contour in outline]
    points = np.concatenate(contours) @ matrix
    low, high = points.min(axis=0), points.max(axis=0)
    size = (high - low) * (extent / (high - low).max())
    origin = margin + (1.0 - 2.0 * margin - size) * place
    points = (points - low) * (extent / (high - low).max()) + origin
    moved = iter(np.split(points, np.cumsum([len(contour) for contour in contours])[:-1]))
    return tuple(
        replace(layer, outlines=tuple(tuple(next(moved) for _ in outline) for outline in layer.outlines))
        for layer in layers
    )
