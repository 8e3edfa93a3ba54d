"""Image files with part annotations: what every source of part masks is made of, whatever its files look like."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, NamedTuple

import numpy as np

from occbench.core.boxes import box_of_mask
from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError
from occbench.core.rle import rasterise
from occbench.core.types import Example
from occbench.sources.coco_annotations import Annotation, check_size, skipped_note
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource

__all__ = ["PartImages", "PartSource", "PartUnit", "Region"]

PartUnit = Literal["category", "instance"]


class Region(NamedTuple):
    """An annotated region of an image.

    Attributes:
        part: name of the part's category; empty for the whole object.
        annotation: its segmentation.
    """

    part: str
    annotation: Annotation


@dataclass(frozen=True, slots=True)
class PartImages:
    """A list of image files with their labels and regions.

    Attributes:
        files: the images, their labels, one each or none, and keys.
        sizes: (width, height) in pixels that the annotations of each image are made for.
        regions: the regions of each image.
        unlabelled: index -> why the image has no label.
        digests: SHA-256 of every annotation file.
        skipped: reason -> how many segments were skipped for it.
        remarks: what else was found while reading, one sentence each.
    """

    files: LabelledFiles
    sizes: tuple[tuple[int, int], ...]
    regions: tuple[tuple[Region, ...], ...]
    unlabelled: Mapping[int, str]
    digests: tuple[str, ...]
    skipped: Mapping[str, int]
    remarks: tuple[str, ...] = ()

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s one label.

        Raises:
            BrokenImageError: it has none.
            IndexError: no such index.
        """
        labels = self.files.labels_of(index)
        if index in self.unlabelled:
            raise BrokenImageError(f"{self.files.files[index].relative}: {self.unlabelled[index]}")
        return labels

    def example(self, index: int, unit: PartUnit) -> Example:
        """Decode image ``index`` and rasterise its parts; regions that hold no pixel are left out.

        Raises:
            BrokenImageError: the file cannot be used, has no label or another size than was annotated, or its run
                lengths are damaged.
            IndexError: no such index.
        """
        self.labels_of(index)
        example = self.files.example(index)
        height, width = example.image.shape[:2]
        name = self.files.files[index].relative
        check_size(name, example.image, *self.sizes[index])
        regions = self.regions[index]
        try:
            parts = {
                part: rasterise([region.annotation.segmentation for region in found], height, width)
                for part, found in _units(regions, unit).items()
            }
            whole = rasterise([region.annotation.segmentation for region in regions if not region.part], height, width)
        except ValueError as error:
            raise BrokenImageError(f"{name}: {error}") from error
        parts = {part: mask for part, mask in parts.items() if mask.any()}
        mask = whole if whole.any() else reduce(np.logical_or, parts.values(), whole)
        if not mask.any():
            return example
        return replace(example, parts=parts, object_mask=mask, box=box_of_mask(mask))

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of the annotation files."""
        return fingerprint([self.files.fingerprint, list(self.digests)])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out while reading, one sentence each."""
        partless = [index for index, regions in enumerate(self.regions) if not any(region.part for region in regions)]
        lacking = {"no usable part": partless, "no label": sorted(self.unlabelled)}
        counted = (
            f"{len(indices)} of {len(self.files)} images have {what}, e.g. {self.files.files[indices[0]].relative}."
            for what, indices in lacking.items()
            if indices
        )
        return (*self.remarks, *skipped_note(self.skipped), *counted)


class PartSource(LabelledFileSource):
    """The part that sources of part masks share: everything but finding files, labels and part names.

    Abstract; a source adds its options, ``part_unit`` among them, and ``_annotated``.
    """

    part_unit: PartUnit

    @property
    @abstractmethod
    def _annotated(self) -> PartImages:
        """The images with their regions, read once: override with a ``functools.cached_property``."""

    @property
    def _images(self) -> LabelledFiles:
        return self._annotated.files

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of the annotation files."""
        return self._annotated.fingerprint

    def notes(self) -> tuple[str, ...]:
        """Return how many segments were skipped and images are without parts or label."""
        return self._annotated.notes

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s one label, without decoding it."""
        return self._annotated.labels_of(index)

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index`` with its part masks; its box is the object's."""
        return self._annotated.example(index, self.part_unit)


def _units(regions: Sequence[Region], unit: PartUnit) -> dict[str, list[Region]]:
    """Return part name -> its regions: all of a category, or each by itself, numbered from 1 in the file's order."""
    found: dict[str, list[Region]] = {}
    counts: Counter[str] = Counter()
    for region in regions:
        if region.part:
            counts[region.part] += 1
            name = region.part if unit == "category" else f"{region.part}-{counts[region.part]}"
            found.setdefault(name, []).append(region)
    return found
