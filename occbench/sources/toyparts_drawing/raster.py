"""From outlines to pixels: one label map, drawn several times finer than the image.

Every fine pixel belongs to the last layer drawn on it, so the layers' coverages of an image pixel are exclusive and add
up to at most one: colours blend without seams, and part masks cannot overlap. Coordinates are rounded to 1/16 of a fine
pixel before OpenCV fills them with integers, so the last bit of a cosine does not reach the image.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.sources.toyparts_drawing.outlines import Layer

__all__ = ["Coverage", "LabelMap", "part_masks"]

_SHIFT: Final = 4  # fractional bits of a coordinate
_EDGE: Final = 0.008  # width of a drawn edge, as a share of the image's side


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How much of each pixel a layer covers, inside its bounding box.

    Attributes:
        box: (rows, columns) of the image.
        share: uint8[h, w], 255 where the layer covers the whole pixel.
    """

    box: tuple[slice, slice]
    share: NDArray[np.uint8]


class LabelMap:
    """Layers drawn over one another; label k is layer k - 1, label 0 the background."""

    __slots__ = ("_boxes", "_factor", "_labels", "_size")

    def __init__(self, layers: Sequence[Layer], size_px: int) -> None:
        """Draw up to 255 layers on a square of ``size_px`` pixels.

        Args:
            layers: in image coordinates, each at least partly inside the frame.
            size_px: side of the image.
        """
        self._size = size_px
        self._factor = 4 if size_px <= 128 else 2
        fine = size_px * self._factor
        self._labels = np.zeros((fine, fine), dtype=np.uint8)
        self._boxes = [self._fill(layer, label) for label, layer in enumerate(layers, start=1)]

    def coverage(self, index: int) -> Coverage:
        """Return the visible share of layer ``index``."""
        x0, y0, x1, y1 = self._boxes[index]
        step = self._factor
        fine = cv2.inRange(self._labels[y0 * step : y1 * step, x0 * step : x1 * step], index + 1, index + 1)
        share = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        return Coverage((slice(y0, y1), slice(x0, x1)), np.asarray(share, dtype=np.uint8))

    def areas(self) -> NDArray[np.float64]:
        """Return float64[layers], the visible share of the image that each layer covers."""
        counts = np.bincount(self._labels.ravel(), minlength=len(self._boxes) + 1)
        return np.asarray(counts[1:] / self._labels.size, dtype=np.float64)

    def edges(self) -> NDArray[np.uint8]:
        """Return uint8[S, S], high along the borders between labels."""
        width = max(2, round(_EDGE * self._labels.shape[0]))
        borders = cv2.morphologyEx(self._labels, cv2.MORPH_GRADIENT, np.ones((width, width), dtype=np.uint8))
        borders = cv2.threshold(borders, 0, 255, cv2.THRESH_BINARY)[1]
        return np.asarray(cv2.resize(borders, (self._size, self._size), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _fill(self, layer: Layer, label: int) -> tuple[int, int, int, int]:
        fine = self._labels.shape[0]
        contours = [contour for outline in layer.outlines for contour in outline]
        # a pixel's centre has whole coordinates in OpenCV, its edges half ones
        points = np.rint((np.concatenate(contours) * fine - 0.5) * (1 << _SHIFT)).astype(np.int32)
        first = 0
        for outline in layer.outlines:
            ends = list(itertools.accumulate(map(len, outline), initial=first))
            pieces = [points[start:end] for start, end in itertools.pairwise(ends)]
            cv2.fillPoly(self._labels, pieces, label, shift=_SHIFT)
            first = ends[-1]
        x0, y0 = np.clip((points.min(axis=0) >> _SHIFT) // self._factor - 1, 0, self._size)
        x1, y1 = np.clip((points.max(axis=0) >> _SHIFT) // self._factor + 2, 0, self._size)
        return int(x0), int(y0), int(x1), int(y1)


def part_masks(
    layers: Sequence[Layer], coverages: Sequence[Coverage], size_px: int
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.bool_]]]:
    """Return the object mask and the mask of every part, sorted by name; a wholly hidden part's mask is empty.

    A pixel is the object's when its parts cover at least half of it, and goes to the part that covers most of it.
    """
    names = sorted({layer.part for layer in layers if layer.part})
    shares = {name: np.zeros((size_px, size_px), dtype=np.uint16) for name in names}
    for layer, coverage in zip(layers, coverages, strict=True):
        if layer.part:
            shares[layer.part][coverage.box] += coverage.share
    total, most = (np.zeros((size_px, size_px), dtype=np.uint16) for _ in range(2))
    owner = np.zeros((size_px, size_px), dtype=np.uint8)
    for number, name in enumerate(names):
        owner[shares[name] > most] = number
        np.maximum(most, shares[name], out=most)
        total += shares[name]
    object_mask = total >= 128
    return object_mask, {name: object_mask & (owner == number) for number, name in enumerate(names)}
