"""PASCAL VOC as a multi-label data set: the classification task of 2007 and 2012, difficult objects ignored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from occbench.core.boxes import whole_box
from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.core.types import Example
from occbench.sources.folder_scan import fingerprint_files, stat_files, unique_keys
from occbench.sources.labelled_files import LabelledFiles, MultiLabelFileSource, check_index
from occbench.sources.voc_files import CLASSES, VocObject, read_lists, read_names, read_objects

__all__ = ["Voc"]


@dataclass(frozen=True)
class Voc(MultiLabelFileSource):
    """PASCAL VOC, whole photographs of 20 classes; a class that only difficult objects show is ignored.

    Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", IJCV 2010. Layout of the devkit::

        VOCdevkit/VOC2007/ImageSets/Main/<class>_<split>.txt   image and 1 (there), 0 (only difficult ones), -1 (not)
        VOCdevkit/VOC2007/ImageSets/Main/<split>.txt           the images, where there are no lists of classes
        VOCdevkit/VOC2007/Annotations/<image>.xml              objects: class, box, difficult
        VOCdevkit/VOC2007/JPEGImages/<image>.jpg

    Labels are those of the classification lists; where those are missing, of the annotated objects, by the same rule: a
    class is there when one of its objects is not difficult. The example's box is the smallest around all its objects.

    Attributes:
        path: the folder that holds ``VOCdevkit`` or ``VOC2007``, or one of these itself.
        year: 2007 or 2012 (or another year of that layout): which of several years is taken.
        split: ``train``, ``val``, ``trainval`` or ``test``; of 2012, ``test`` was published without labels.

    Raises:
        ConfigError: no path, or no such split.
        SourceError: on first use: the devkit, its lists or annotations are missing or not VOC's.
    """

    terms: ClassVar[str] = "photographs from Flickr under its terms of use (PASCAL VOC)"
    sharing = "gated"

    path: str
    year: int = 2007
    split: Literal["train", "val", "trainval", "test"] = "trainval"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("voc needs path: the folder that holds VOCdevkit or VOC2007.")
        settle_options(self)

    def areas_of(self, index: int) -> Mapping[int, tuple[float, ...]]:
        """Return label -> the areas of its objects' boxes, pixels of the photograph; difficult ones left out.

        Empty where the image has no annotation file.

        Raises:
            IndexError: no such index.
            SourceError: the annotation is damaged.
        """
        areas: dict[int, tuple[float, ...]] = {}
        labels = self.labels_of(index)
        for label, (x0, y0, x1, y1), difficult in self._objects(index):
            if label in labels and not difficult:
                areas[label] = (*areas.get(label, ()), (x1 - x0) * (y1 - y0))
        return dict(sorted(areas.items()))

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``.

        Raises:
            BrokenImageError: the image or its annotation cannot be used.
            IndexError: no such index.
        """
        example = self._images.example(index)
        try:
            boxes = [found.box for found in self._objects(index)]
        except SourceError as error:
            raise BrokenImageError(f"{self._images.files[index].relative}: {error}") from error
        if not boxes:
            return example
        left, top, right, bottom = zip(*boxes, strict=True)
        around = (min(left), min(top), max(right), max(bottom))
        return replace(example, box=whole_box(around, *example.image.shape[:2]))

    @property
    def fingerprint(self) -> str:
        """A hash of every image's path, size and labels, and of the annotations' sizes."""
        names = [f"Annotations/{name}.xml" for name in self._flags]
        return fingerprint([self._images.labelled_fingerprint, fingerprint_files(stat_files(self._root, names))])

    @cached_property
    def _root(self) -> Path:
        path, year = Path(self.path).expanduser(), f"VOC{self.year}"
        tried = [path / "VOCdevkit" / year, path / year, path]
        for root in tried:
            if (root / "ImageSets" / "Main").is_dir():
                return root
        raise SourceError(
            f"there is no VOC devkit of {self.year}: none of {', '.join(map(str, tried))} has ImageSets/Main. "
            "Give the folder that holds VOCdevkit, or another year."
        )

    @cached_property
    def _flags(self) -> Mapping[str, list[int]]:
        """Image -> 1, 0 or -1 for each class."""
        lists = [self._root / "ImageSets" / "Main" / f"{name}_{self.split}.txt" for name in CLASSES]
        missing = [file for file in lists if not file.is_file()]
        if not missing:
            return read_lists(lists)
        if len(missing) < len(lists):
            raise SourceError(f"there is no list {missing[0]}, but those of other classes. Unpack the devkit again.")
        names = read_names(self._root / "ImageSets" / "Main" / f"{self.split}.txt")
        return {name: _flags_of(read_objects(self._annotation(name))) for name in names}

    @cached_property
    def _images(self) -> LabelledFiles:
        relatives = [f"JPEGImages/{name}.jpg" for name in self._flags]
        there, unsure = (
            tuple(tuple(label for label, flag in enumerate(flags) if flag == value) for flags in self._flags.values())
            for value in (1, 0)
        )
        return LabelledFiles(
            root=self._root,
            classes=CLASSES,
            files=tuple(stat_files(self._root, relatives)),
            keys=unique_keys([f"{name}.jpg" for name in self._flags]),
            labels=there,
            ignored=unsure,
        )

    def _objects(self, index: int) -> tuple[VocObject, ...]:
        name = Path(self._images.files[check_index(index, len(self))].relative).stem
        file = self._annotation(name)
        return read_objects(file) if file.is_file() else ()

    def _annotation(self, name: str) -> Path:
        return self._root / "Annotations" / f"{name}.xml"


def _flags_of(objects: tuple[VocObject, ...]) -> list[int]:
    """Return the flag of each class: 1 where one of its objects is not difficult, 0 where all are, -1 without any."""
    flags = [-1] * len(CLASSES)
    for found in objects:
        flags[found.label] = max(flags[found.label], 0 if found.difficult else 1)
    return flags
