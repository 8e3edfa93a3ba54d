"""Clutter behind the object: plain shapes, and loose parts of other objects that make a lone wheel prove nothing."""

from typing import Final

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.classes import CLASSES
from occbench.sources.toyparts_drawing.outlines import Layer, Outline, box, ellipse, limb, polygon, ring
from occbench.sources.toyparts_drawing.pose import strewn

__all__ = ["clutter"]

_SHAPES: Final = (1, 6)  # how many plain shapes: from, below
_LOOSE_PARTS: Final = (0, 3)


def clutter(draw: Stream) -> tuple[Layer, ...]:
    """Return clutter layers in image coordinates, in drawing order; some reach out of the frame."""
    shapes = [(Layer("", _plain_shape(draw)), draw.uniform(0.08, 0.35)) for _ in range(draw.integer(*_SHAPES))]
    parts = [(_loose_part(draw), draw.uniform(0.1, 0.25)) for _ in range(draw.integer(*_LOOSE_PARTS))]
    pieces = [*shapes, *parts]
    shuffled = (pieces[index] for index in draw.permutation(len(pieces)))
    return tuple(strewn(layer, extent, draw) for layer, extent in shuffled)


def _plain_shape(draw: Stream) -> tuple[Outline, ...]:
    flat = draw.uniform(0.2, 1.0)
    match draw.integer(0, 5):
        case 0:
            return (ellipse(0.0, 0.0, 1.0, flat),)
        case 1:
            return (box(-1.0, -flat, 1.0, flat),)
        case 2:
            return limb([(-1.0, 0.0), (0.0, draw.uniform(-0.5, 0.5)), (1.0, 0.0)], 0.4 * flat, 0.4 * flat)
        case 3:
            return (ring(0.0, 0.0, 1.0, max(flat, 0.5), draw.uniform(0.15, 0.4)),)
        case _:
            return (polygon((-1.0, -flat), (1.0, draw.uniform(-1.0, 0.0)), (draw.uniform(-0.5, 0.5), 1.0)),)


def _loose_part(draw: Stream) -> Layer:
    looks = list(CLASSES.values())[draw.integer(0, len(CLASSES))]
    parts = [layer for layer in looks.draw(draw) if not layer.mark]
    return Layer("", parts[draw.integer(0, len(parts))].outlines)
