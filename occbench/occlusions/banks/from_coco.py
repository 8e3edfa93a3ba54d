"""Cuts occluders out of photographs with COCO annotations, so that a user can make a bank of real objects.

Cen et al. 2021 (section 4.3) segmented 30 occluders by hand: 10 categories with 3 pictures each. Here the annotated
masks do that work; categories are the columns and their pictures the looks of the resulting bank.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError, SourceError
from occbench.core.types import slug
from occbench.occlusions.banks.bank import LISTING_NAME
from occbench.occlusions.banks.cutting import CutRule, UnusableObjectError, decode_mask, lift, main_piece
from occbench.occlusions.banks.writing import NewOccluder, write_bank

__all__ = ["CutReport", "cut_occluders"]

_LICENCE: Final = "that of the photographs they were cut from"


@dataclass(frozen=True)
class CutReport:
    """What ``cut_occluders`` did.

    Attributes:
        written: names of the occluders, in the bank's order.
        skipped: reason -> how many of the annotations looked at gave no occluder for it, sorted by reason.
    """

    written: tuple[str, ...]
    skipped: Mapping[str, int]


def cut_occluders(
    annotations: Path, images: Path, out: Path, *, count: int = 30, rule: CutRule | None = None
) -> CutReport:
    """Cut up to ``count`` occluders and write them as a bank: ``<category><look>.png`` files and ``bank.json``, last.

    Categories with the most candidates come first; of each, up to ``rule.per_category`` objects, largest first. The
    same input gives the same bytes.

    Args:
        annotations: COCO instances JSON.
        images: folder of its images.
        out: folder of the bank; new, empty, or a bank, which is replaced.
        count: how many occluders to write at most.
        rule: which objects will do.

    Raises:
        SourceError: the annotation file is missing or not COCO's, or no object will do.
        ConfigError: ``count`` is below 1, or ``out`` holds something else.
        StorageError: ``out`` cannot be written.
    """
    if count < 1:
        raise ConfigError(f"cutting needs a count of 1 or more, found {count}: say how many occluders to make.")
    if out.is_dir() and any(out.iterdir()) and not (out / LISTING_NAME).is_file():
        raise ConfigError(f"{out} holds files that are not a bank: name a new folder.")
    cutter = _Cutter(_read(annotations), images, rule or CutRule())
    cuts = list(islice(cutter.cuts(), count))
    if not cuts:
        found = ", ".join(f"{number} {reason}" for reason, number in cutter.skipped.most_common()) or "it has none"
        raise SourceError(f"no object in {annotations} makes an occluder ({found}): relax the rule, or add images.")
    written = write_bank(out, slug(out.name), _LICENCE, cuts)
    return CutReport(written, dict(sorted(cutter.skipped.items())))


class _Cutter:
    """Walks the annotations and counts why some give no occluder."""

    def __init__(self, coco: Mapping[str, list[dict[str, Any]]], images: Path, rule: CutRule) -> None:
        self.skipped: Counter[str] = Counter()
        self._annotations = coco["annotations"]
        self._names = {category["id"]: str(category["name"]) for category in coco["categories"]}
        self._images = {image["id"]: image for image in coco["images"]}
        self._folder = images
        self._rule = rule

    def cuts(self) -> Iterator[NewOccluder]:
        for category, candidates in self._by_category():
            pictures = islice(self._pictures(candidates), self._rule.per_category)
            for look, (rgba, source) in enumerate(pictures, start=1):
                yield NewOccluder(category, look, rgba, source)

    def _by_category(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Return (category, what passes by its annotation alone, largest box first), richest category first."""
        candidates = defaultdict(list)
        for annotation in self._annotations:
            try:
                category = self._screen(annotation)
            except UnusableObjectError as reason:
                self.skipped[str(reason)] += 1
            else:
                candidates[slug(category)].append(annotation)
        for found in candidates.values():
            found.sort(key=lambda annotation: (-annotation["bbox"][2] * annotation["bbox"][3], annotation["id"]))
        return sorted(candidates.items(), key=lambda item: (-len(item[1]), item[0]))

    def _screen(self, annotation: dict[str, Any]) -> str:
        """Return the category; decoding no mask, because large sets have a million annotations."""
        image = self._images.get(annotation.get("image_id"))
        category = self._names.get(annotation.get("category_id"))
        box = annotation.get("bbox")
        if image is None or category is None or not (isinstance(box, list) and len(box) == 4):
            raise UnusableObjectError("incomplete annotation")
        if annotation.get("iscrowd"):
            raise UnusableObjectError("crowd")
        if category in self._rule.exclude:
            raise UnusableObjectError("excluded category")
        self._rule.check_box(box, image["height"], image["width"])
        return category

    def _pictures(self, candidates: list[dict[str, Any]]) -> Iterator[tuple[NDArray[np.uint8], str]]:
        for annotation in candidates:
            image = self._images[annotation["image_id"]]
            try:
                mask = decode_mask(annotation.get("segmentation"), image["height"], image["width"])
                rgba = lift(self._folder / image["file_name"], main_piece(mask, self._rule))
            except UnusableObjectError as reason:
                self.skipped[str(reason)] += 1
            else:
                yield rgba, f"{image['file_name']}#{annotation['id']}"


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    if not path.is_file():
        raise SourceError(f"there is no annotation file {path}: give a COCO instances JSON.")
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise SourceError(f"{path} is not JSON ({error}): give a COCO instances JSON.") from error
    needed = {
        "images": {"id", "file_name", "height", "width"},
        "annotations": {"id"},
        "categories": {"id", "name"},
    }
    for part, keys in needed.items():
        rows = found.get(part) if isinstance(found, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and keys <= row.keys() for row in rows):
            raise SourceError(f"{path} is not a COCO instances file: it needs {part} with {', '.join(sorted(keys))}.")
    return {part: found[part] for part in needed}
