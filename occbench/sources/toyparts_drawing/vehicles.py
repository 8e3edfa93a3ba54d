"""Vehicles in side view, front to the right: car and pickup differ by the cabin, the boats by what stands on deck."""

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Layer, box, curve, ellipse, limb, polygon, smooth

__all__ = ["car", "pickup", "sailboat", "steamboat"]


def car(draw: Stream) -> tuple[Layer, ...]:
    """Cabin over most of the body, two side windows."""
    rear, front = draw.uniform(-0.95, -0.78), draw.uniform(0.35, 0.5)
    return _road_vehicle(draw, rear, front, windows=2)


def pickup(draw: Stream) -> tuple[Layer, ...]:
    """Short cabin at the front, an open bed behind it."""
    rear, front = draw.uniform(-0.2, -0.05), draw.uniform(0.4, 0.55)
    return _road_vehicle(draw, rear, front, windows=1)


def sailboat(draw: Stream) -> tuple[Layer, ...]:
    """Mainsail and jib on one mast."""
    mast, top = draw.uniform(-0.15, 0.15), draw.uniform(-1.5, -1.15)
    foot, gap = draw.uniform(-0.18, -0.08), 0.05
    sails = (
        smooth(
            (mast - gap, top + 0.1),
            (mast - 0.42, (top + foot) / 2),
            (draw.uniform(-0.85, -0.65), foot),
            (mast - gap, foot),
        ),
        polygon((mast + gap, top + 0.2), (draw.uniform(0.6, 0.8), foot), (mast + gap, foot)),
    )
    return (
        _flag(draw),
        Layer("mast", limb([(mast, 0.1), (mast, top - 0.05)], 0.09, 0.06)),
        Layer("sails", sails),
        *_hull(draw),
    )


def steamboat(draw: Stream) -> tuple[Layer, ...]:
    """Deckhouse with a funnel."""
    left, right, roof = draw.uniform(-0.5, -0.35), draw.uniform(0.3, 0.5), draw.uniform(-0.5, -0.35)
    at, height, width = draw.uniform(-0.2, 0.15), draw.uniform(0.4, 0.65), draw.uniform(0.12, 0.17)
    top = roof - height
    funnel = polygon(
        (at - width * 1.1, roof + 0.1), (at - width, top), (at + width, top), (at + width * 1.1, roof + 0.1)
    )
    band = box(at - width, top + 0.1, at + width, top + 0.22)
    portholes = tuple(ellipse(left + (right - left) * step, roof / 2, 0.07, 0.07) for step in (0.2, 0.5, 0.8))
    return (
        _flag(draw),
        Layer("funnel", (funnel,)),
        Layer("funnel", (band,), mark=True),
        Layer("cabin", (box(left, roof, right, 0.1),)),
        Layer("cabin", portholes, mark=True),
        *_hull(draw),
    )


def _road_vehicle(draw: Stream, rear: float, front: float, windows: int) -> tuple[Layer, ...]:
    roof, belt, floor = draw.uniform(-0.62, -0.5), -0.12, draw.uniform(0.24, 0.32)
    bonnet, lean = draw.uniform(-0.1, -0.02), draw.uniform(0.12, 0.2)
    body = polygon((-1.0, belt - 0.03), (front, belt - 0.03), (0.95, bonnet), (1.02, 0.1), (1.0, floor), (-1.02, floor))
    cabin = polygon((rear, belt), (rear + lean * 0.6, roof), (front - lean * 1.4, roof), (front, belt))
    wheel, back, ahead = draw.uniform(0.19, 0.25), draw.uniform(-0.68, -0.56), draw.uniform(0.56, 0.68)
    hub = wheel * draw.uniform(0.4, 0.6)
    glass = []
    left, right = rear + lean * 0.7 + 0.03, front - lean * 1.4 - 0.03
    for index in range(windows):
        x0 = left + (right - left + 0.07) * index / windows
        x1 = left + (right - left + 0.07) * (index + 1) / windows - 0.07
        slant = lean if index == windows - 1 else 0.0
        glass.append(polygon((x0, belt - 0.04), (x0, roof + 0.07), (x1, roof + 0.07), (x1 + slant, belt - 0.04)))
    return (
        Layer("cabin", (cabin,)),
        Layer("cabin", tuple(glass), mark=True),
        Layer("body", (body,)),
        Layer("lights", (box(0.88, 0.02, 1.03, 0.15), box(-1.04, -0.02, -0.92, 0.11))),
        Layer("wheels", (ellipse(back, floor, wheel, wheel), ellipse(ahead, floor, wheel, wheel))),
        Layer("wheels", (ellipse(back, floor, hub, hub), ellipse(ahead, floor, hub, hub)), mark=True),
    )


def _hull(draw: Stream) -> tuple[Layer, ...]:
    bow, keel, stern = draw.uniform(0.9, 1.1), draw.uniform(0.35, 0.45), draw.uniform(-0.95, -0.85)
    hull = (*polygon((stern, 0.0), (bow, -0.05), (bow - 0.3, keel), (stern + 0.2, keel)),)
    stripe = polygon((stern + 0.05, 0.1), (bow - 0.1, 0.08), (bow - 0.16, 0.17), (stern + 0.09, 0.19))
    return (Layer("hull", (hull,)), Layer("hull", (stripe,), mark=True))


def _flag(draw: Stream) -> Layer:
    at, top = draw.uniform(-0.82, -0.74), draw.uniform(-0.5, -0.4)
    pole = limb(curve((at, 0.1), (at - 0.04, top)), 0.05, 0.05)
    return Layer("flag", (*pole, polygon((at - 0.04, top), (at - 0.3, top + 0.1), (at - 0.03, top + 0.22))))
