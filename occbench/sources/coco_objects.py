"""The objects of any COCO-style annotation, one image each: the whole photograph, one mask, one class, one box."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from occbench.core.boxes import Box, box_of_mask, whole_box
from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.options import check_different, settle_options
from occbench.core.rle import rasterise
from occbench.core.types import Example
from occbench.sources.coco_annotations import (
    Annotation,
    CocoAnnotations,
    CocoImage,
    check_size,
    read_annotations,
    skipped_note,
)
from occbench.sources.coco_layout import find_annotation_file, locate_images
from occbench.sources.folder_scan import stat_files
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files

__all__ = ["CocoObjects"]


class _Object(NamedTuple):
    """An object: its photograph's number, size in pixels, its annotation, its box (x0, y0, x1, y1) in whole pixels."""

    image: int
    width: int
    height: int
    annotation: Annotation
    box: Box


class _Listing(NamedTuple):
    """The annotations, the objects to use, and reason -> how many others were left out for it."""

    annotations: CocoAnnotations
    objects: tuple[_Object, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class CocoObjects(LabelledFileSource):
    """Every annotated object as an image of its own, for the resize rule ``bbox``; its category is its class.

    Objects are in the order of the file names, those of one photograph in the file's. Crowds (COCO's ``iscrowd``) and
    objects too small to be seen are left out and counted. A photograph is decoded for each of its objects.

    Attributes:
        path: the folder of the data set.
        annotations: the annotation file, below ``path`` or absolute; empty takes ``annotations.json``,
            ``instances.json`` or the only JSON file of the folder.
        images: the folder that the listed file names start from; empty takes ``JPEGImages``, ``images`` or ``path``
            itself, whichever has them.
        categories: names of those to use, in label order; empty takes all that have an object, in the file's order.
        min_side_px: smallest shorter side of an object's box, pixels.
        margin: how far the box reaches beyond the object on each side, as a share of its width and height; it ends at
            the image border.

    Raises:
        ConfigError: no path, an option out of its range, or a category listed twice.
        SourceError: on first use: a file or folder is missing or not COCO's, a named category is not in it, or no
            object is left.
    """

    path: str
    annotations: str = ""
    images: str = ""
    categories: tuple[str, ...] = ()
    min_side_px: int = 32
    margin: float = 0.0

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("coco_objects needs path: the folder of the annotation file and its images.")
        settle_options(self)
        check_different(self, "categories", self.categories)
        if self.min_side_px < 1:
            raise ConfigError(f"coco_objects: min_side_px is 1 or more, found {self.min_side_px}: use 32.")
        if not 0 <= self.margin <= 10:
            raise ConfigError(f"coco_objects: margin is a share of the box, 0 to 10, found {self.margin}: 10 % is 0.1.")

    def __getitem__(self, index: int) -> Example:
        """Decode the photograph of object ``index`` and rasterise the object's mask.

        Raises:
            BrokenImageError: the file cannot be used or has another size than was annotated, or the mask's run lengths
                are damaged or hold no pixel.
            IndexError: no such index.
        """
        example = self._images.example(index)
        name, found = self._images.files[index].relative, self._listing.objects[index]
        height, width = example.image.shape[:2]
        check_size(name, example.image, found.width, found.height)
        try:
            mask = rasterise([found.annotation.segmentation], height, width)
        except ValueError as error:
            raise BrokenImageError(f"{name}: {error}") from error
        if not mask.any():
            raise BrokenImageError(f"{name}: the mask of object {found.annotation.number} holds no pixel")
        return replace(example, object_mask=mask, box=found.box)

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of the annotation file."""
        return fingerprint([self._images.fingerprint, self._images.keys, self._listing.annotations.sha256])

    def notes(self) -> tuple[str, ...]:
        """Return how many segments were skipped and objects left out."""
        annotations, _, left_out = self._listing
        return skipped_note(annotations.skipped) + skipped_note(left_out, "objects were left out")

    @cached_property
    def _file(self) -> Path:
        return find_annotation_file(Path(self.path).expanduser(), self.annotations, "object masks")

    @cached_property
    def _listing(self) -> _Listing:
        found = read_annotations(self._file)
        known = [category.name for category in found.categories.values()]
        if missing := sorted(set(self.categories) - set(known)):
            raise SourceError(
                f"{self._file} has no category {missing[0]}, which categories names. It has {', '.join(known[:10])}."
            )
        found = replace(found, images=tuple(sorted(found.images, key=lambda image: image.file_name)))
        left_out: Counter[str] = Counter()
        objects = tuple(self._usable(found, left_out))
        if not objects:
            reasons = " ".join(skipped_note(left_out, "objects were left out")) or "It lists none."
            raise SourceError(f"no object of {self._file} can be used. {reasons} Ask for other categories or sizes.")
        return _Listing(found, objects, left_out)

    def _usable(self, found: CocoAnnotations, left_out: Counter[str]) -> Iterator[_Object]:
        for number, image in enumerate(found.images):
            for annotation in image.annotations:
                if self.categories and found.categories[annotation.category].name not in self.categories:
                    continue
                if annotation.is_crowd:
                    left_out["crowds"] += 1
                    continue
                extent = _extent(annotation, image)
                x0, y0, x1, y1 = whole_box(extent, image.height, image.width)
                if min(x1 - x0, y1 - y0) < self.min_side_px:
                    left_out[f"with a side below {self.min_side_px} px"] += 1
                    continue
                box = whole_box(_widened(extent, self.margin), image.height, image.width)
                yield _Object(number, image.width, image.height, annotation, box)

    @cached_property
    def _images(self) -> LabelledFiles:
        found, objects, _ = self._listing
        root = Path(self.path).expanduser()
        folder, relatives = locate_images(root, self._file, [image.file_name for image in found.images], self.images)
        names = [found.categories[item.annotation.category].name for item in objects]
        present = set(names)
        classes = self.categories or tuple(
            dict.fromkeys(item.name for item in found.categories.values() if item.name in present)
        )
        label_of = {name: label for label, name in enumerate(classes)}
        files = stat_files(folder, relatives)
        parts = [relatives[item.image].rpartition(".") for item in objects]
        named = [
            f"{stem}-{item.annotation.number}.{suffix}" for (stem, _, suffix), item in zip(parts, objects, strict=True)
        ]
        if len(set(named)) < len(named):
            twice = Counter(named).most_common(1)[0][0]
            raise SourceError(f"{self._file} uses an annotation's id twice in one image ({twice}). Give each its own.")
        labels = [label_of[name] for name in names]
        return label_files(folder, classes, [files[item.image] for item in objects], labels, named)


def _extent(annotation: Annotation, image: CocoImage) -> tuple[float, float, float, float]:
    """Return (x0, y0, x1, y1) of an object in pixels; all zero where its run lengths are damaged or empty."""
    if isinstance(annotation.segmentation, list):
        xs = [x for ring in annotation.segmentation for x in ring[::2]]
        ys = [y for ring in annotation.segmentation for y in ring[1::2]]
        return min(xs), min(ys), max(xs), max(ys)
    try:
        mask = rasterise([annotation.segmentation], image.height, image.width)
    except ValueError:
        return 0, 0, 0, 0
    return box_of_mask(mask) if mask.any() else (0, 0, 0, 0)


def _widened(extent: tuple[float, float, float, float], margin: float) -> tuple[float, float, float, float]:
    """Return an extent and its margin on each side."""
    x0, y0, x1, y1 = extent
    across, down = margin * (x1 - x0), margin * (y1 - y0)
    return x0 - across, y0 - down, x1 + across, y1 + down
