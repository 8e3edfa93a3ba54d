"""Scenes of several objects: what stands where, how much of it can be seen, and the picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream, stream
from occbench.sources.toyparts_drawing.classes import CLASS_NAMES, CLASSES
from occbench.sources.toyparts_drawing.clutter import clutter
from occbench.sources.toyparts_drawing.outlines import Layer
from occbench.sources.toyparts_drawing.paint import backdrop, developed, painted
from occbench.sources.toyparts_drawing.pose import posed
from occbench.sources.toyparts_drawing.raster import LabelMap, part_masks

__all__ = ["Crowd", "Placed", "Seen", "draw_crowd", "place_crowd", "see_crowd"]

#: Objects are measured on a map of this size whatever the image's: labels must not depend on the resolution.
_MEASURED_PX: Final = 64
#: Poses that are tried for each object; the one that overlaps the others least is taken.
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Crowd:
    """Which scene: everything that decides what is in it.

    Attributes:
        seed: another seed gives other scenes.
        split: another split too.
        number: of the scene.
        objects: how many objects, from and to.
        extents: longer side of an object as a share of the image's side, from and to.
    """

    seed: int
    split: str
    number: int
    objects: tuple[int, int]
    extents: tuple[float, float]

    def draw(self, *purpose: str | int) -> Stream:
        """Return the stream of this scene for a purpose."""
        return stream(self.seed, "toyparts_scenes", self.split, self.number, *purpose)


class Placed(NamedTuple):
    """An object in its place: class index, layers in image coordinates."""

    label: int
    layers: tuple[Layer, ...]


class Seen(NamedTuple):
    """What can be seen of an object.

    Attributes:
        label: class index.
        area: share of the image that its visible pixels take.
        visible: share of the object that no later object covers.
    """

    label: int
    area: float
    visible: float


def place_crowd(crowd: Crowd) -> tuple[Placed, ...]:
    """Place the objects of a scene, in drawing order: later ones stand in front.

    Scene ``i`` has an object of class ``i`` modulo the number of classes, so that every class comes up as often at the
    least; the other classes are drawn, repetitions among them.
    """
    draw = crowd.draw("classes")
    least, most = crowd.objects
    count = draw.integer(least, most + 1)
    labels = np.array([crowd.number % len(CLASS_NAMES), *draw.integers(len(CLASS_NAMES), count)])[:count]
    placed: list[Placed] = []
    taken: list[NDArray[np.float64]] = []
    for number, label in enumerate(labels[draw.permutation(count)]):
        looks = CLASSES[CLASS_NAMES[label]].draw(crowd.draw("shape", number))
        tries = [posed(looks, crowd.draw("pose", number, attempt), crowd.extents) for attempt in range(_TRIES)]
        boxes = [_box(layers) for layers in tries]
        best = int(np.argmin([sum(_common(box, other) for other in taken) for box in boxes]))
        placed.append(Placed(int(label), tries[best]))
        taken.append(boxes[best])
    return tuple(placed)


@lru_cache(maxsize=1 << 16)
def see_crowd(crowd: Crowd) -> tuple[Seen, ...]:
    """Measure the objects of a scene, in drawing order, without painting them."""
    placed = place_crowd(crowd)
    shares = iter(LabelMap([layer for item in placed for layer in item.layers], _MEASURED_PX).areas())
    visible = [sum(float(next(shares)) for _ in item.layers) for item in placed]
    whole = [float(LabelMap(item.layers, _MEASURED_PX).areas().sum()) for item in placed]
    return tuple(Seen(item.label, seen, seen / full) for item, seen, full in zip(placed, visible, whole, strict=True))


def draw_crowd(crowd: Crowd, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a scene: (image uint8[S, S, 3], bool[S, S] on any of its objects)."""
    placed = place_crowd(crowd)
    groups: list[Sequence[Layer]] = [clutter(crowd.draw("clutter")), *(item.layers for item in placed)]
    layers = [layer for group in groups for layer in group]
    labels = LabelMap(layers, size_px)
    coverages = [labels.coverage(position) for position in range(len(layers))]
    behind = backdrop(crowd.draw("backdrop"), size_px)
    picture, first = behind, 0
    for number, group in enumerate(groups):  # one at a time, so that each object has a palette of its own
        last = first + len(group)
        picture = painted(picture, group, coverages[first:last], crowd.draw("paint", number), behind)
        first = last
    named = [replace(layer, part="object" if layer.part else "") for layer in layers]
    return developed(picture, labels.edges(), crowd.draw("light")), part_masks(named, coverages, size_px)[0]


def _box(layers: Sequence[Layer]) -> NDArray[np.float64]:
    """Return (x0, y0, x1, y1) of an object in image coordinates."""
    points = np.concatenate([contour for layer in layers for outline in layer.outlines for contour in outline])
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _common(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the area that two boxes share."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    return float(np.prod(np.maximum(sides, 0.0)))
