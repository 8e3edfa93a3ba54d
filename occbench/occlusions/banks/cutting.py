"""Turns one annotated object of a photograph into an RGBA cut-out, or says why it will not do."""

from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.boxes import cropped
from occbench.core.errors import ConfigError, SourceError
from occbench.core.pictures import UNREADABLE
from occbench.core.rle import rasterise

__all__ = ["CutRule", "UnusableObjectError", "decode_mask", "lift", "main_piece"]


class UnusableObjectError(SourceError):
    """An annotated object that gives no occluder; the message is the reason in a few words."""


@dataclass(frozen=True)
class CutRule:
    """What makes an annotated object a usable occluder.

    Attributes:
        per_category: how many objects of one category are cut at most.
        min_area_px: smallest area of the object's mask, pixels.
        exclude: category names that are never cut.
        border_px: smallest distance of the object's box from the image border, pixels; a nearer one may be truncated.
        main_piece: smallest share of the mask in its largest connected piece, which alone is kept.
        fill: smallest share that the mask covers of the square about its box. An occluder of fill 0.25 fits into any
            square image up to the ratio 0.25.
        solidity: smallest share that the mask covers of its convex hull; lower ones are mostly cut up by other objects.

    Raises:
        ConfigError: an option is out of its range.
    """

    per_category: int = 3
    min_area_px: int = 4096
    exclude: tuple[str, ...] = ("person",)
    border_px: int = 2
    main_piece: float = 0.95
    fill: float = 0.25
    solidity: float = 0.7

    def __post_init__(self) -> None:
        for name, least in (("per_category", 1), ("min_area_px", 1), ("border_px", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"cutting needs {name} of {least} or more, found {getattr(self, name)}: raise it.")
        for name in ("main_piece", "fill", "solidity"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"cutting takes {name} as a share in (0, 1], found {getattr(self, name)}: lower it.")

    def check_box(self, box: list[float], height: int, width: int) -> None:
        """Judge an object by its COCO box (x, y, width, height) in its ``height`` x ``width`` px image.

        Raises:
            UnusableObjectError: it may be truncated, or is surely too small.
        """
        if not all(isinstance(number, Real) for number in box):
            raise UnusableObjectError("incomplete annotation")
        x, y, across, down = box
        if min(x, y, width - x - across, height - y - down) < self.border_px:
            raise UnusableObjectError("touches the image border")
        if across * down < self.min_area_px:
            raise UnusableObjectError("too small")


def decode_mask(segmentation: object, height: int, width: int) -> NDArray[np.uint8]:
    """Decode a COCO segmentation (polygons, or run lengths, compressed or not) as uint8[height, width], 1 inside.

    Raises:
        UnusableObjectError: it is none of these.
    """
    # the decoder takes a polygon of two points for a box
    polygons = isinstance(segmentation, list) and segmentation and all(map(_is_polygon, segmentation))
    if not polygons and not (isinstance(segmentation, dict) and segmentation.get("size") == [height, width]):
        raise UnusableObjectError("broken segmentation")
    try:
        return rasterise([segmentation], height, width).view(np.uint8)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise UnusableObjectError("broken segmentation") from error


def _is_polygon(ring: object) -> bool:
    return (
        isinstance(ring, list)
        and len(ring) >= 6
        and len(ring) % 2 == 0
        and all(isinstance(number, Real) and np.isfinite(float(number)) for number in ring)
    )


def main_piece(mask: NDArray[np.uint8], rule: CutRule) -> NDArray[np.uint8]:
    """Return the largest connected piece of a mask, uint8[H, W].

    Raises:
        UnusableObjectError: the object is too small, in several pieces, too thin for its box or too jagged.
    """
    area = int(mask.sum(dtype=np.int64))
    if area < rule.min_area_px:
        raise UnusableObjectError("too small")
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    largest = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    across, down, kept = (
        int(facts[largest, column]) for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA)
    )
    if kept < rule.main_piece * area:
        raise UnusableObjectError("in several pieces")
    if kept < rule.fill * max(across, down) ** 2:
        raise UnusableObjectError("too thin for its box")
    piece = np.asarray(pieces == largest, dtype=np.uint8)
    hull = cv2.convexHull(cv2.findNonZero(piece))
    if kept < rule.solidity * cv2.contourArea(hull):
        raise UnusableObjectError("too jagged")
    return piece


def lift(photograph: Path, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return uint8[h, w, 4] of the masked pixels, trimmed to their box, with an edge feathered inwards by one pixel.

    Inwards, because pixels outside the mask show the background.

    Raises:
        UnusableObjectError: the photograph cannot be read, or is not of the mask's size.
    """
    try:
        with Image.open(photograph) as picture:
            colour = np.asarray(picture.convert("RGB"))
    except UNREADABLE as error:
        raise UnusableObjectError("unreadable image") from error
    if colour.shape[:2] != mask.shape:
        raise UnusableObjectError("image of another size")
    # distance 1 on the outermost pixels of the mask becomes half covered, 2 and more wholly
    inside = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    alpha = np.rint(np.clip(inside / 2, 0, 1) * 255).astype(np.uint8)
    rgba = np.dstack([colour * mask[..., None], alpha])
    return cropped(rgba, mask > 0)
