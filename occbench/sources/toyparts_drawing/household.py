"""Things and buildings. Teapot and watering can differ by the spout, house and church by what rises from the roof."""

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import (
    Layer,
    Outline,
    box,
    curve,
    ellipse,
    limb,
    polygon,
    ring,
    smooth,
)

__all__ = ["church", "house", "teapot", "watering_can"]


def teapot(draw: Stream) -> tuple[Layer, ...]:
    """A short, curved spout that narrows to the tip."""
    reach, lift = draw.uniform(0.88, 1.02), draw.uniform(-0.42, -0.25)
    line = curve((0.35, 0.25), (0.66, 0.12), (0.74, -0.1), (reach, lift))
    return _vessel(draw, limb(line, 0.3, 0.12))


def watering_can(draw: Stream) -> tuple[Layer, ...]:
    """A long, straight spout that ends in a wide rose."""
    x, y = draw.uniform(1.15, 1.35), draw.uniform(-0.62, -0.4)
    wide = draw.uniform(0.19, 0.25)
    rose = polygon(
        (x - 0.12, y - 0.02),
        (x + 0.02 - wide * 0.3, y - wide),
        (x + 0.16 + wide * 0.5, y + wide * 0.9),
        (x - 0.02, y + 0.12),
    )
    return _vessel(draw, (*limb([(0.35, 0.3), (x, y)], 0.2, 0.1), rose))


def house(draw: Stream) -> tuple[Layer, ...]:
    """A chimney on one slope."""
    at, top, wide = draw.uniform(0.28, 0.45), draw.uniform(-0.95, -0.8), draw.uniform(0.09, 0.13)
    chimney = (box(at - wide, top, at + wide, -0.25), box(at - wide - 0.04, top - 0.08, at + wide + 0.04, top + 0.02))
    return _building(draw, Layer("chimney", chimney))


def church(draw: Stream) -> tuple[Layer, ...]:
    """A steeple with a spire and a cross."""
    at, wide = draw.uniform(0.2, 0.4), draw.uniform(0.17, 0.23)
    eaves, tip = draw.uniform(-1.0, -0.85), draw.uniform(-1.6, -1.4)
    steeple = (
        box(at - wide, eaves, at + wide, -0.25),
        polygon((at - wide - 0.05, eaves), (at, tip), (at + wide + 0.05, eaves)),
        box(at - 0.03, tip - 0.24, at + 0.03, tip + 0.05),
        box(at - 0.1, tip - 0.16, at + 0.1, tip - 0.1),
    )
    return _building(draw, Layer("steeple", steeple))


def _vessel(draw: Stream, spout: tuple[Outline, ...]) -> tuple[Layer, ...]:
    top, foot, belly = draw.uniform(0.3, 0.42), draw.uniform(0.35, 0.48), draw.uniform(0.5, 0.6)
    body = smooth((-top, -0.4), (top, -0.4), (belly, 0.0), (foot, 0.5), (-foot, 0.5), (-belly, 0.0))
    loop_x, loop_y = draw.uniform(0.3, 0.38), draw.uniform(0.3, 0.36)
    band = box(-belly * 0.9, draw.uniform(-0.1, 0.0), belly * 0.9, draw.uniform(0.1, 0.18))
    knob = draw.uniform(0.07, 0.1)
    return (
        Layer("spout", spout),
        Layer("handle", (ring(-0.58, -0.02, loop_x, loop_y, 0.12),)),
        Layer("lid", (ellipse(0.0, -0.42, top * 0.95, draw.uniform(0.12, 0.18)), ellipse(0.0, -0.6, knob, knob))),
        Layer("body", (body,)),
        Layer("body", (band,), mark=True),
    )


def _building(draw: Stream, tower: Layer) -> tuple[Layer, ...]:
    half, ridge, eaves = draw.uniform(0.62, 0.75), draw.uniform(-0.75, -0.6), -0.15
    over, flat = draw.uniform(0.08, 0.16), draw.uniform(0.0, 0.3)
    roof = polygon((-half - over, eaves), (-flat, ridge), (flat, ridge), (half + over, eaves))
    door = draw.uniform(-0.1, 0.1)
    panes = [box(side * 0.42 - 0.12, 0.03, side * 0.42 + 0.12, 0.3) for side in (-1, 1)]
    bars = [box(side * 0.42 - 0.02, 0.03, side * 0.42 + 0.02, 0.3) for side in (-1, 1)]
    return (
        tower,
        Layer("walls", (box(-half, eaves - 0.02, half, 0.65),)),
        Layer("roof", (roof,)),
        Layer("windows", tuple(panes)),
        Layer("windows", tuple(bars), mark=True),
        Layer("door", (box(door - 0.13, 0.2, door + 0.13, 0.65),)),
        Layer("door", (ellipse(door + 0.07, 0.43, 0.03, 0.03),), mark=True),
    )
