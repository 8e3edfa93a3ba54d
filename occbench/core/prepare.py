"""The resize rule: what happens to a clean image before any occlusion is put on it.

Overlays are always applied after this step, never before [Cen et al. 2021, section 4]. Images are resized with Pillow's
bilinear filter with antialias (``core.resize``), which published accuracies assume; masks with nearest neighbour.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from occbench.core.errors import BrokenImageError
from occbench.core.interfaces import Source
from occbench.core.resize import resize
from occbench.core.types import Example

__all__ = ["Prepare", "PreparedImages", "prepare", "read_prepared"]

Pixels = Annotated[int, Field(ge=8, le=8192)]


class Prepare(BaseModel):
    """How a clean image becomes ``size_px`` x ``size_px`` pixels.

    Attributes:
        rule: ``direct`` stretches to the square (Caltech-101, Oxford-102); ``shorter_side`` resizes the shorter side to
            ``shorter_side_px`` and crops the centre (ImageNet); ``bbox`` crops the object's box, then stretches (CUB);
            ``none`` keeps the image as it is.
        size_px: side of the result.
        shorter_side_px: for ``shorter_side``; default 256/224 of ``size_px``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Literal["direct", "shorter_side", "bbox", "none"] = "direct"
    size_px: Pixels = 224
    shorter_side_px: Pixels | None = None

    @model_validator(mode="after")
    def _sides_fit(self) -> "Prepare":
        if self.shorter_side_px is not None and self.rule != "shorter_side":
            raise ValueError(f"shorter_side_px is only for rule: shorter_side, found rule: {self.rule}")
        if self.shorter_side_px is not None and self.shorter_side_px < self.size_px:
            raise ValueError(f"shorter_side_px {self.shorter_side_px} is smaller than size_px {self.size_px}")
        return self


def prepare(example: Example, rule: Prepare) -> Example:
    """Apply the resize rule to an example: image, object mask and part masks together, photographs when decoded.

    Raises:
        BrokenImageError: the rule is ``bbox`` and the example has no box, or an empty one.
    """
    if rule.rule == "none":
        return example
    region, size, crop = _geometry(example, rule)

    def image_map(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # cropped first, because resize(box=...) lets the filter reach for pixels outside the box
        picture = Image.fromarray(pixels).crop(region) if region else Image.fromarray(pixels)
        if picture.size != size:
            picture = resize(picture, size, Image.Resampling.BILINEAR)
        return np.asarray(picture.crop(crop) if crop else picture)

    def mask_map(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        picture = Image.fromarray(mask).resize(size, Image.Resampling.NEAREST, box=region)
        return np.asarray(picture.crop(crop) if crop else picture, dtype=np.bool_)

    photographs = {
        name: partial(_prepared_photograph, example.key, example.box, decode, rule)  # not the example: it is large
        for name, decode in example.photographs.items()
    }
    return replace(_mapped(example, image_map, mask_map), photographs=photographs)


def read_prepared(source: Source, index: int, rule: Prepare) -> Example:
    """Decode image ``index`` of a source, apply the resize rule and name its classes.

    Raises:
        BrokenImageError: as the source and ``prepare``.
    """
    example = prepare(source[index], rule)
    return replace(example, class_names=tuple(source.classes[label] for label in example.labels))


class PreparedImages(Sequence[Example]):
    """All images of a source under a resize rule, decoded when they are indexed; see ``read_prepared``."""

    def __init__(self, source: Source, rule: Prepare) -> None:
        """Take the source; nothing is decoded yet."""
        self._source = source
        self._rule = rule

    def __len__(self) -> int:
        return len(self._source)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | Sequence[Example]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        return read_prepared(self._source, place, self._rule)


def _geometry(
    example: Example, rule: Prepare
) -> tuple[tuple[int, int, int, int] | None, tuple[int, int], tuple[int, int, int, int] | None]:
    """Return (region of the source, size after resize, crop after resize), each as Pillow takes it."""
    height, width = example.image.shape[:2]
    side = rule.size_px
    if rule.rule == "bbox":
        if example.box is None:
            raise BrokenImageError("the resize rule is bbox, but the image has no object box")
        x0, y0, x1, y1 = example.box
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        if x1 <= x0 or y1 <= y0:
            raise BrokenImageError(f"the object box {example.box} is empty or outside the {width} x {height} px image")
        return (x0, y0, x1, y1), (side, side), None
    if rule.rule == "shorter_side":
        shorter = rule.shorter_side_px or round(side * 256 / 224)
        scale = shorter / min(height, width)
        # as torchvision: the longer side is truncated, the crop's corner rounded
        size = (shorter, int(shorter * height / width)) if width <= height else (int(shorter * width / height), shorter)
        if scale <= 0 or min(size) < side:
            raise BrokenImageError(f"a {width} x {height} px image cannot be resized to a shorter side of {shorter} px")
        left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
        return None, size, (left, top, left + side, top + side)
    return None, (side, side), None


def _mapped(
    example: Example,
    image_map: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    mask_map: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
) -> Example:
    return replace(
        example,
        image=image_map(example.image),
        object_mask=None if example.object_mask is None else mask_map(example.object_mask),
        parts={name: mask_map(mask) for name, mask in example.parts.items()},
        box=None,
    )


def _prepared_photograph(
    key: str, box: tuple[int, int, int, int] | None, decode: Callable[[], NDArray[np.uint8]], rule: Prepare
) -> NDArray[np.uint8]:
    """Decode another photograph of the same thing and apply the rule to it; its box is that of the clean one."""
    return prepare(Example(key, decode(), (), box=box), rule).image
