"""Animals. Horse and giraffe differ by the neck (side view, facing right), cat and rabbit by the ears (sitting)."""

import math

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Layer, Outline, curve, ellipse, limb, polygon, smooth

__all__ = ["cat", "giraffe", "horse", "rabbit"]


def horse(draw: Stream) -> tuple[Layer, ...]:
    """A neck about as long as the head."""
    return _quadruped(draw, neck=draw.uniform(0.38, 0.52), lean=draw.uniform(0.45, 0.8))


def giraffe(draw: Stream) -> tuple[Layer, ...]:
    """A neck longer than the body."""
    return _quadruped(draw, neck=draw.uniform(0.95, 1.3), lean=draw.uniform(0.15, 0.5))


def cat(draw: Stream) -> tuple[Layer, ...]:
    """Short pointed ears."""
    height, spread = draw.uniform(0.26, 0.36), draw.uniform(0.3, 0.38)
    ears = []
    for side in (-1, 1):
        foot, tip = side * spread * 0.75, side * (spread + draw.uniform(0.0, 0.08))
        ears.append(polygon((foot - 0.17, -0.55), (tip, -0.72 - height), (foot + 0.17, -0.55)))
    return _sitting(draw, tuple(ears))


def rabbit(draw: Stream) -> tuple[Layer, ...]:
    """Long upright ears."""
    length, width = draw.uniform(0.34, 0.46), draw.uniform(0.1, 0.13)
    ears = []
    for side in (-1, 1):
        turn = side * draw.uniform(0.0, 0.45)
        x = side * 0.18 + math.sin(turn) * length
        ears.append(ellipse(x, -0.72 - math.cos(turn) * length, width, length + 0.1, turn))
    return _sitting(draw, tuple(ears))


def _quadruped(draw: Stream, neck: float, lean: float) -> tuple[Layer, ...]:
    """Draw body, legs, tail and head around a neck ``neck`` long, leaning forward by ``lean`` radians."""
    long, deep = draw.uniform(0.5, 0.6), draw.uniform(0.22, 0.28)
    body = smooth(
        (-long, -0.02),
        (-long * 0.6, -deep),
        (0.2, -deep * 0.85),
        (long, -deep * 0.8),
        (long, deep * 0.7),
        (0.0, deep),
        (-long * 0.8, deep * 0.9),
    )
    shoulder = (long * 0.85, -deep * 0.4)
    nape = (shoulder[0] + math.sin(lean) * neck, shoulder[1] - math.cos(lean) * neck)
    bent = ((shoulder[0] + nape[0]) / 2 + draw.uniform(-0.04, 0.06), (shoulder[1] + nape[1]) / 2)
    spine = curve(shoulder, bent, nape)
    nod, skull = draw.uniform(0.2, 0.7), draw.uniform(0.28, 0.36)
    nose = (nape[0] + math.cos(nod) * skull, nape[1] + math.sin(nod) * skull)
    head = limb([nape, nose], 0.2, 0.13)
    ears = tuple(
        polygon(
            (nape[0] + at - 0.05, nape[1] - 0.05),
            (nape[0] + at - 0.03, nape[1] - 0.24),
            (nape[0] + at + 0.05, nape[1] - 0.05),
        )
        for at in (-0.05, 0.06)
    )
    drop, swing = draw.uniform(0.4, 0.6), draw.uniform(-0.15, 0.1)
    tail = limb(curve((-long + 0.02, -deep * 0.5), (-long - 0.12, 0.0), (-long - 0.12 + swing, drop * 0.8)), 0.07, 0.11)
    leg = draw.uniform(0.6, 0.75)
    return (
        Layer("legs", _legs(draw, long, leg, 0.1)),
        Layer("tail", tail),
        Layer("body", (body,)),
        Layer("legs", _legs(draw, long, leg, -0.05)),
        Layer("neck", limb(spine, 0.3, 0.17)),
        Layer("neck", limb(spine[1:-1] - (0.1, 0.03), 0.07, 0.05), mark=True),
        Layer("head", (*head, *ears)),
        Layer("head", (ellipse(nape[0] + 0.08, nape[1] + 0.02, 0.035, 0.035),), mark=True),
    )


def _legs(draw: Stream, long: float, length: float, shift: float) -> tuple[Outline, ...]:
    """Draw one fore and one hind leg, each with a knee."""
    outlines: list[Outline] = []
    for hip in (-long * 0.75 + shift, long * 0.75 + shift):
        knee = hip + draw.uniform(-0.12, 0.12)
        foot = knee + draw.uniform(-0.12, 0.08)
        outlines.extend(limb([(hip, 0.1), (knee, 0.15 + length * 0.5), (foot, 0.15 + length)], 0.16, 0.09))
    return tuple(outlines)


def _sitting(draw: Stream, ears: tuple[Outline, ...]) -> tuple[Layer, ...]:
    """Draw a small animal that sits facing us, its head at (0, -0.45)."""
    wide, belly = draw.uniform(0.38, 0.46), draw.uniform(0.5, 0.62)
    body = smooth(
        (-wide * 0.6, -0.25),
        (wide * 0.6, -0.25),
        (belly, 0.5),
        (belly * 0.75, 0.85),
        (-belly * 0.75, 0.85),
        (-belly, 0.5),
    )
    head_x, head_y = draw.uniform(0.4, 0.47), draw.uniform(0.34, 0.4)
    look, paw = draw.uniform(-0.08, 0.08), draw.uniform(0.14, 0.19)
    eyes = tuple(ellipse(look + side * 0.17, -0.5, 0.055, draw.uniform(0.05, 0.08)) for side in (-1, 1))
    nose = polygon((look - 0.06, -0.36), (look + 0.06, -0.36), (look, -0.28))
    return (
        Layer("ears", ears),
        Layer("body", (body,)),
        Layer("feet", tuple(ellipse(side * 0.3, 0.85, paw * 1.3, paw) for side in (-1, 1))),
        Layer("head", (ellipse(0.0, -0.45, head_x, head_y),)),
        Layer("face", (ellipse(look, -0.3, 0.19, 0.13), *eyes)),
        Layer("face", (nose, *(ellipse(look + side * 0.17, -0.5, 0.03, 0.035) for side in (-1, 1))), mark=True),
    )
