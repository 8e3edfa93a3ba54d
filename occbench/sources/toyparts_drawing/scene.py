"""One image from start to end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream, stream
from occbench.sources.toyparts_drawing.classes import CLASSES
from occbench.sources.toyparts_drawing.clutter import clutter
from occbench.sources.toyparts_drawing.paint import backdrop, developed, painted
from occbench.sources.toyparts_drawing.pose import posed
from occbench.sources.toyparts_drawing.raster import LabelMap, part_masks

__all__ = ["Scene", "draw_scene"]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawn image.

    Attributes:
        image: uint8[S, S, 3], RGB.
        object_mask: bool[S, S].
        parts: part name -> bool[S, S], exclusive, their union the object mask.
    """

    image: NDArray[np.uint8]
    object_mask: NDArray[np.bool_]
    parts: dict[str, NDArray[np.bool_]]


def draw_scene(seed: int, split: str, name: str, index: int, size_px: int) -> Scene:
    """Draw image ``index`` of class ``name``.

    Shape, pose, clutter and paint have a stream each and none depends on ``size_px``: the same image at another size
    shows the same object.
    """

    def draw(purpose: str) -> Stream:
        return stream(seed, "toyparts", split, name, index, purpose)

    layers = (*clutter(draw("clutter")), *posed(CLASSES[name].draw(draw("shape")), draw("pose")))
    labels = LabelMap(layers, size_px)
    coverages = [labels.coverage(position) for position in range(len(layers))]
    picture = painted(backdrop(draw("backdrop"), size_px), layers, coverages, draw("paint"))
    object_mask, parts = part_masks(layers, coverages, size_px)
    return Scene(developed(picture, labels.edges(), draw("light")), object_mask, parts)
