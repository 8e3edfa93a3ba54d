"""COCO-style annotation files: read once, checked, kept small; what cannot be used is skipped and counted.

Real files hold segments that no mask can be made of, and a decoder that trusts them fails or reads them as something
else: pycocotools takes a polygon of two points for a box. So every segment is looked at while the file is read.
"""

import json
import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import BrokenImageError, SourceError
from occbench.sources.side_files import read_bytes

__all__ = ["Annotation", "Category", "CocoAnnotations", "CocoImage", "check_size", "read_annotations", "skipped_note"]

_HINT: Final = "Give a COCO-style JSON file, or download it again."

#: Three points: fewer enclose nothing.
_LEAST_COORDINATES: Final = 6
#: A coordinate farther out than this is a mistake, and rasterising it would take gigabytes.
_FARTHEST_PX: Final = 1e5


class Category(NamedTuple):
    """A category's name and supercategory, as the file has them."""

    name: str
    supercategory: str


class Annotation(NamedTuple):
    """One annotated region of an image: an object, or a part of one.

    Attributes:
        number: its id in the file.
        category: id of its category.
        segmentation: polygons, each an ``array`` of x and y in turn, or a mapping of run lengths; see
            ``core.rle.rasterise``.
        is_crowd: whether it covers many objects together (COCO's ``iscrowd``).
        area: of its mask, pixels, as the file states it; None where it does not.
    """

    number: int
    category: int
    segmentation: "list[array[float]] | Mapping[str, Any]"
    is_crowd: bool = False
    area: float | None = None


class CocoImage(NamedTuple):
    """One listed image: its file name (``/`` between folders), size in pixels, usable annotations in their order."""

    file_name: str
    width: int
    height: int
    annotations: tuple[Annotation, ...]


def check_size(name: str, image: NDArray[np.uint8], width: int, height: int) -> None:
    """Refuse an image uint8[H, W, 3] of another size than it was annotated in.

    Raises:
        BrokenImageError: it has another size; masks would lie beside what they are of.
    """
    found_height, found_width = image.shape[:2]
    if (found_width, found_height) != (width, height):
        raise BrokenImageError(
            f"{name}: {found_width} x {found_height} px, but its annotations are for {width} x {height} px"
        )


@dataclass(frozen=True)
class CocoAnnotations:
    """What an annotation file says.

    Attributes:
        images: in the file's order.
        categories: id -> category.
        skipped: reason -> how many segments were skipped for it.
        sha256: of the file's bytes.
    """

    images: tuple[CocoImage, ...]
    categories: Mapping[int, Category]
    skipped: Mapping[str, int]
    sha256: str


def read_annotations(file: Path, *, keep_maskless: bool = False) -> CocoAnnotations:
    """Read a COCO-style annotation file.

    Args:
        file: the file.
        keep_maskless: whether annotations without a usable segment are kept, with none: they still say that an object
            of their category is there.

    Raises:
        SourceError: it is missing, cannot be read, is no JSON or has no ``images``, ``annotations`` and ``categories``.
    """
    data = read_bytes(file, "annotation file", _HINT)
    reader = _Reader(file, keep_maskless)
    try:
        content = json.loads(data, object_hook=reader.shrink)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{file} is not JSON ({error}). {_HINT}") from error
    return reader.collect(content, sha256(data).hexdigest())


def skipped_note(skipped: Mapping[str, int], what: str = "segments were skipped") -> tuple[str, ...]:
    """Return a sentence on what was passed over, none where it is nothing.

    Args:
        skipped: reason -> how many.
        what: what they are and what became of them.
    """
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()))
    return (f"{sum(skipped.values())} annotated {what}: {reasons}.",) if skipped else ()


class _Reader:
    """Checks a file's tables and counts what it skips."""

    def __init__(self, file: Path, keep_maskless: bool) -> None:
        self._file = file
        self._keep_maskless = keep_maskless
        self._skipped: Counter[str] = Counter()

    def shrink(self, row: dict[str, Any]) -> dict[str, Any]:
        """Turn the polygons of an annotation into arrays as soon as it is read: lists would take five times as much."""
        found = row.get("segmentation")
        if isinstance(found, list):
            if not found:
                self._skipped["without coordinates"] += 1
            elif isinstance(found[0], int | float):  # one polygon without the list around it
                found = [found]
            rings = [self._ring(ring) for ring in found]
            row["segmentation"] = [ring for ring in rings if ring is not None]
        return row

    def collect(self, content: object, digest: str) -> CocoAnnotations:
        images = self._by_id(self._table(content, "images", ("id", "file_name", "width", "height")))
        categories = {
            number: Category(str(row["name"]), str(row.get("supercategory") or ""))
            for number, row in self._by_id(self._table(content, "categories", ("id", "name"))).items()
        }
        found: dict[int, list[Annotation]] = {number: [] for number in images}
        for place, row in enumerate(self._table(content, "annotations", ("image_id", "category_id"))):
            of_image, category = row["image_id"], row["category_id"]
            if {type(of_image), type(category)} != {int} or of_image not in images or category not in categories:
                self._skipped["of an image or category that is not listed"] += 1
            elif (segmentation := self._usable(row.get("segmentation"), images[of_image])) or self._keep_maskless:
                crowd, number = bool(row.get("iscrowd")), row.get("id", place)
                found[of_image].append(Annotation(number, category, segmentation or [], crowd, _area(row)))
        return CocoAnnotations(
            images=tuple(
                CocoImage(str(row["file_name"]).replace("\\", "/"), row["width"], row["height"], tuple(found[number]))
                for number, row in images.items()
            ),
            categories=categories,
            skipped=dict(sorted(self._skipped.items())),
            sha256=digest,
        )

    def _ring(self, ring: object) -> "array[float] | None":
        """Return a polygon as an array, or None where it encloses nothing."""
        try:
            points = array("d", ring if isinstance(ring, list) else ())
            if len(points) % 2 or not math.isfinite(sum(points)):
                self._skipped["with broken coordinates"] += 1
            elif len(points) < _LEAST_COORDINATES:
                self._skipped["of fewer than three points"] += 1
            elif min(points) < -_FARTHEST_PX or max(points) > _FARTHEST_PX:
                self._skipped["far outside of the image"] += 1
            else:
                return points
        except (TypeError, ValueError):
            self._skipped["with broken coordinates"] += 1
        return None

    def _usable(
        self, segmentation: object, image: Mapping[str, Any]
    ) -> "list[array[float]] | Mapping[str, Any] | None":
        if isinstance(segmentation, list):
            return segmentation  # its polygons have been judged; none may be left
        if isinstance(segmentation, dict) and "counts" in segmentation:
            if segmentation.get("size") == [image["height"], image["width"]]:
                return segmentation
            self._skipped["of another size than the image"] += 1
        else:
            self._skipped["without coordinates"] += 1
        return None

    def _table(self, content: object, name: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
        rows = content.get(name) if isinstance(content, dict) else None
        keys = set(needed)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= keys for row in rows):
            raise SourceError(
                f"{self._file} is not a COCO-style annotation file: it needs {name} with {', '.join(needed)}. "
                "Give a file in the form of COCO's instances."
            )
        return rows

    def _by_id(self, rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Return id -> row; sizes, where rows have them, are whole numbers above zero."""
        for row in rows:
            numbers = [row["id"], row.get("width", 1), row.get("height", 1)]
            if not all(isinstance(number, int) for number in numbers) or min(numbers[1:]) < 1:
                raise SourceError(
                    f"{self._file}: ids, widths and heights must be whole numbers, found {numbers}. Mend this row."
                )
        found = {row["id"]: row for row in rows}
        if len(found) < len(rows):
            raise SourceError(f"{self._file} uses an id twice among {len(rows)} rows. Give every row its own id.")
        return found


def _area(row: Mapping[str, Any]) -> float | None:
    area = row.get("area")
    return float(area) if isinstance(area, int | float) and 0 < area < math.inf else None
