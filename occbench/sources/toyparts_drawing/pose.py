"""The pose: where, how large and how turned an object stands in the image.

Image coordinates run from 0 to 1 from the left and the top edge, whatever the image's size in pixels.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Contour, Layer

__all__ = ["posed", "strewn"]

_MARGIN: Final = 0.02  # between an object and the frame


def posed(layers: Sequence[Layer], draw: Stream, extents: tuple[float, float] = (0.55, 0.95)) -> tuple[Layer, ...]:
    """Return an object in image coordinates, wholly inside the frame.

    Mirrored half the time, stretched by up to 15 %, turned by up to 25 degrees either way; its longer side takes a
    share of the image between ``extents``, its place is uniform over where it fits.
    """
    mirror = -1.0 if draw.uniform() < 0.5 else 1.0
    stretch, angle = draw.uniform(0.85, 1.15), np.deg2rad(draw.uniform(-25.0, 25.0))
    extent, place = draw.uniform(*extents), draw.uniforms(2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = np.array([[mirror * stretch, 0.0], [0.0, 1.0]]) @ turn
    points, size = _scaled(layers, matrix, extent)
    return _moved(layers, points + _MARGIN + (1.0 - 2 * _MARGIN - size) * place)


def strewn(layer: Layer, extent: float, draw: Stream) -> Layer:
    """Return clutter in image coordinates: longer side ``extent``, turned anyhow, its centre anywhere in the frame."""
    turn, place = (draw.uniform(-1.0, 1.0), draw.uniform(-1.0, 1.0)), draw.uniforms(2)
    length = max(float(np.hypot(*turn)), 1e-6)
    cosine, sine = turn[0] / length, turn[1] / length
    points, size = _scaled([layer], np.array([[cosine, sine], [-sine, cosine]]), extent)
    return _moved([layer], points + place - size / 2)[0]


def _scaled(layers: Sequence[Layer], matrix: Contour, extent: float) -> tuple[Contour, Contour]:
    """Return all points, transformed, their longer side ``extent``, from (0, 0) on; and their width and height."""
    points = np.concatenate([contour for layer in layers for outline in layer.outlines for contour in outline]) @ matrix
    points -= points.min(axis=0)
    size = points.max(axis=0)
    scale = extent / size.max()
    return points * scale, size * scale


def _moved(layers: Sequence[Layer], points: Contour) -> tuple[Layer, ...]:
    """Return the layers with their points, in order, replaced by ``points``."""
    lengths = [len(contour) for layer in layers for outline in layer.outlines for contour in outline]
    ends = itertools.accumulate(lengths, initial=0)
    contours = (points[start:end] for start, end in itertools.pairwise(ends))
    return tuple(
        replace(layer, outlines=tuple(tuple(next(contours) for _ in outline) for outline in layer.outlines))
        for layer in layers
    )
