"""Occluders that are scaled again and again: which may hide an image's object, their outlines, their pictures."""

from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import OcclusionError
from occbench.core.resize import resize
from occbench.core.types import Example, slug
from occbench.occlusions.banks.bank import OccluderBank, load_bank
from occbench.occlusions.levels_placing import Shape

__all__ = ["Cutout", "cutouts", "of_other_classes"]

#: A picture is halved as long as both sides have this, pixels.
_LEAST_HALVED_PX: Final = 64
#: What PASCAL VOC calls a class that COCO, whose objects make banks, calls otherwise.
_COCO_NAMES: Final = {
    "aeroplane": "airplane",
    "diningtable": "dining-table",
    "motorbike": "motorcycle",
    "pottedplant": "potted-plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


class Cutout:
    """A picture and its outline, ready to be scaled to many sizes.

    Pillow's bilinear filter with antialias works in integers on premultiplied 8-bit colours, so nothing bleeds in from
    transparent pixels and no rounding depends on the machine. Halves are made once: a size is scaled from the smallest
    that is not smaller, which takes half the time.

    Attributes:
        shape: its outline at its own size.
    """

    def __init__(self, rgba: NDArray[np.uint8], outline: Literal["silhouette", "box"] | None) -> None:
        """Halve it.

        Args:
            rgba: uint8[h, w, 4], straight alpha.
            outline: what is kept of it, its alpha or its box; None keeps the picture.
        """
        alpha = np.full(rgba.shape[:2], 255, dtype=np.uint8) if outline == "box" else rgba[..., 3].copy()
        self.shape = Shape(alpha)
        self._halves = [Image.fromarray(rgba).convert("RGBa") if outline is None else Image.fromarray(alpha)]
        while min(self._halves[-1].size) >= _LEAST_HALVED_PX:
            self._halves.append(self._halves[-1].reduce(2))

    def scaled(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return uint8[height, width, 4], straight alpha; uint8[height, width] where only the outline is kept."""
        enough = (half for half in reversed(self._halves) if half.width >= width and half.height >= height)
        picture = resize(next(enough, self._halves[0]), (width, height), Image.Resampling.BILINEAR)
        return np.asarray(picture.convert("RGBA") if picture.mode == "RGBa" else picture)


def of_other_classes(bank: OccluderBank, example: Example) -> list[int]:
    """Return the numbers of a bank's occluders that show none of the image's classes.

    Raises:
        OcclusionError: there are none, or nobody said what the classes are called.
    """
    if len(example.class_names) < len(example.labels):
        raise OcclusionError(
            f"image {example.key}: occluders of its own class cannot be told without the class's name: "
            "give class_names (core.prepare.read_prepared does)."
        )
    own = {_category(name) for name in example.class_names}
    others = [number for number, found in enumerate(bank.occluders) if _category(found.category) not in own]
    if not others:
        raise OcclusionError(
            f"image {example.key}: bank {bank.name} has only {', '.join(sorted(own))}, the image's own class: "
            "name a bank with other categories."
        )
    return others


@lru_cache(maxsize=4)
def cutouts(bank: str, outline: Literal["silhouette", "box"] | None) -> tuple[Cutout, ...]:
    """Return every occluder of a bank, made ready once; see ``Cutout``."""
    return tuple(Cutout(occluder.rgba, outline) for occluder in load_bank(bank).occluders)


def _category(name: str) -> str:
    known = slug(name)
    return _COCO_NAMES.get(known, known)
