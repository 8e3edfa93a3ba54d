"""COCO as a multi-label data set: whole photographs, every category that an object of theirs has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.core.rle import rasterise
from occbench.core.types import Example
from occbench.sources.coco_annotations import CocoAnnotations, CocoImage, check_size, read_annotations, skipped_note
from occbench.sources.coco_layout import find_annotation_file, locate_images
from occbench.sources.folder_scan import stat_files, unique_keys
from occbench.sources.labelled_files import LabelledFiles, MultiLabelFileSource, check_index

__all__ = ["Coco"]


class _Listing(NamedTuple):
    """The annotation file, those of its images that are used, by file name, and how many have no label."""

    annotations: CocoAnnotations
    images: tuple[CocoImage, ...]
    unlabelled: int


@dataclass(frozen=True)
class Coco(MultiLabelFileSource):
    """Microsoft COCO (2014, 2017 or any file of its form), multi-label: the categories of an image's objects.

    Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Classes are all categories in the order of
    their ids (COCO's 80 ids have gaps, labels do not). Images are in the order of their file names. Layouts: COCO's own
    (``annotations/instances_train2014.json`` beside ``train2014/``), or one annotation file beside its images.

    An object counts whatever its size, and whether or not its mask can be used; as in published multi-label work,
    crowds (``iscrowd``) count as well, and images without any object are left out (82,081 of 82,783 in train2014 and
    40,137 of 40,504 in val2014 remain). The object mask is the union of all objects.

    Attributes:
        path: the folder of the data set.
        split: ``train2014``, ``val2014``, ``train2017`` or ``val2017`` in COCO's own layout; empty where the folder has
            one annotation file.
        annotations: the annotation file, below ``path`` or absolute; empty takes that of ``split``, or
            ``annotations.json``, ``instances.json`` or the only JSON file of the folder.
        images: the folder that the listed file names start from; empty takes that of the split, or ``JPEGImages``,
            ``images`` or ``path`` itself, whichever has them.
        empty: what becomes of an image without a label: ``drop`` leaves it out, ``keep`` takes it with none.
        crowds: whether a category that only crowds have is a ``label`` of the image or ``ignored``.

    Raises:
        ConfigError: no path, or an option that is not one of its values.
        SourceError: on first use: a file or folder is missing or not COCO's, or no image has a label.
    """

    terms: ClassVar[str] = "annotations CC BY 4.0; photographs under their Flickr licences (COCO terms of use)"
    sharing = "gated"

    path: str
    split: str = ""
    annotations: str = ""
    images: str = ""
    empty: Literal["drop", "keep"] = "drop"
    crowds: Literal["label", "ignored"] = "label"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("coco needs path: the folder of the annotation file and its images.")
        settle_options(self)

    def areas_of(self, index: int) -> Mapping[int, tuple[float, ...]]:
        """Return label -> the areas that the file states of its single objects, pixels of the photograph.

        Crowds are left out, as in COCO's own breakdown, and so is an object whose area is not stated.
        """
        areas: dict[int, tuple[float, ...]] = {}
        for found in self._listing.images[check_index(index, len(self))].annotations:
            if found.area is not None and not found.is_crowd:
                label = self._label_of[found.category]
                areas[label] = (*areas.get(label, ()), found.area)
        return dict(sorted(areas.items()))

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index`` and rasterise its objects.

        Raises:
            BrokenImageError: the file cannot be used or has another size than was annotated, or run lengths of a mask
                are damaged.
            IndexError: no such index.
        """
        example, listed = self._images.example(index), self._listing.images[index]
        height, width = example.image.shape[:2]
        name = self._images.files[index].relative
        check_size(name, example.image, listed.width, listed.height)
        try:
            found = [item.segmentation for item in listed.annotations if item.segmentation]
            mask = rasterise(found, height, width)
        except ValueError as error:
            raise BrokenImageError(f"{name}: {error}") from error
        return replace(example, object_mask=mask) if mask.any() else example

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of the annotation file."""
        return fingerprint([self._images.labelled_fingerprint, self._listing.annotations.sha256])

    def notes(self) -> tuple[str, ...]:
        """Return how many segments were skipped, and images left out."""
        annotations, images, unlabelled = self._listing
        notes = skipped_note(annotations.skipped)
        if unlabelled and self.empty == "drop":
            notes += (f"{unlabelled} of {len(images) + unlabelled} images have no label and were left out.",)
        return notes

    @cached_property
    def _file(self) -> Path:
        asked = self.annotations or (f"annotations/instances_{self.split}.json" if self.split else "")
        return find_annotation_file(Path(self.path).expanduser(), asked, "objects")

    @cached_property
    def _listing(self) -> _Listing:
        found = read_annotations(self._file, keep_maskless=True)
        listed = sorted(found.images, key=lambda image: image.file_name)
        kept = [image for image in listed if self.empty == "keep" or self._labels(image)]
        if not kept:
            raise SourceError(f"no image of {self._file}, which lists {len(listed)}, has a label. Give another file.")
        unlabelled = sum(not self._labels(image) for image in listed)
        return _Listing(found, tuple(kept), unlabelled)

    @cached_property
    def _label_of(self) -> Mapping[int, int]:
        """Category id -> label."""
        return {number: label for label, number in enumerate(sorted(self._listing.annotations.categories))}

    @cached_property
    def _images(self) -> LabelledFiles:
        found, listed, _ = self._listing
        root = Path(self.path).expanduser()
        folder, relatives = locate_images(root, self._file, [image.file_name for image in listed], self._folder(root))
        label_of = self._label_of
        labels = [{label_of[number] for number in self._labels(image)} for image in listed]
        present = [{label_of[item.category] for item in image.annotations} for image in listed]
        return LabelledFiles(
            root=folder,
            classes=_names(found, self._file),
            files=tuple(stat_files(folder, relatives)),
            keys=unique_keys(relatives),
            labels=tuple(tuple(sorted(own)) for own in labels),
            ignored=tuple(tuple(sorted(all_of - own)) for all_of, own in zip(present, labels, strict=True)),
        )

    def _labels(self, image: CocoImage) -> set[int]:
        """Return the ids of the categories that are claimed of an image."""
        return {item.category for item in image.annotations if self.crowds == "label" or not item.is_crowd}

    def _folder(self, root: Path) -> str:
        """Return the folder that is asked for, or that of the split where there is one."""
        split = self.split or self._file.stem.removeprefix("instances_")
        found = (folder for folder in (split, f"images/{split}") if (root / folder).is_dir())
        return self.images or next(found, "")


def _names(found: CocoAnnotations, file: Path) -> tuple[str, ...]:
    names = tuple(found.categories[number].name for number in sorted(found.categories))
    if len(set(names)) < len(names) or "" in names:
        raise SourceError(f"{file} has categories without a name, or two of one name. Give each its own.")
    return names
