"""Any COCO-style part annotation: a JSON file beside a folder of images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.sources.coco_annotations import CocoAnnotations, CocoImage, read_annotations
from occbench.sources.coco_layout import find_annotation_file, locate_images
from occbench.sources.folder_scan import SPLIT_NAMES, class_order, stat_files, unique_keys
from occbench.sources.labelled_files import LabelledFiles
from occbench.sources.part_images import PartImages, PartSource, PartUnit, Region

__all__ = ["CocoParts"]


@dataclass(frozen=True)
class CocoParts(PartSource):
    """Photographs with part masks from one COCO-style annotation file; categories are parts.

    Attributes:
        path: the folder of the data set.
        annotations: the annotation file, below ``path`` or absolute; empty takes ``annotations.json``,
            ``instances.json`` or the only JSON file of the folder.
        images: the folder that the listed file names start from; empty takes ``JPEGImages``, ``images`` or ``path``
            itself, whichever has them.
        part_unit: ``category`` makes all regions of a category one part (four wheels are *the wheels*), ``instance``
            keeps them apart.
        label: what names an image's class. ``folder``: the last folder in its file name. ``supercategory``: that of its
            parts' categories. ``single``: all images are of one class. ``auto``: ``folder`` if file names have several
            that do not look like splits, else ``supercategory`` if there are several, else ``single``.
        class_name: the one class of ``single``; empty takes the only supercategory, else the name of the folder.
        objects: categories that show the whole object; their masks make the object mask. Without them it is the union
            of the parts.
        exclude: categories that are neither parts nor objects.

    Raises:
        ConfigError: no path, an unknown rule, or a category both object and excluded.
        SourceError: on first use: a file or folder is missing or not COCO's, or a named category is not in it.
    """

    path: str
    annotations: str = ""
    images: str = ""
    part_unit: PartUnit = "category"
    label: Literal["auto", "folder", "supercategory", "single"] = "auto"
    class_name: str = ""
    objects: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ("_background_", "background")

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("coco_parts needs path: the folder of the annotation file and its images.")
        settle_options(self)
        if both := sorted(set(self.objects) & set(self.exclude)):
            raise ConfigError(f"coco_parts has {both[0]} in objects and in exclude. Take it out of one of them.")

    @cached_property
    def _annotated(self) -> PartImages:
        root = Path(self.path).expanduser()
        file = find_annotation_file(root, self.annotations, "part masks")
        found = read_annotations(file)
        if not found.images:
            raise SourceError(f"{file} lists no images. Give the annotation file of the images.")
        parts = self._part_names(file, found)
        listed = sorted(found.images, key=lambda image: image.file_name)
        regions = tuple(tuple(_regions(image, parts)) for image in listed)
        classes, labels, unlabelled = self._labels(listed, found, regions)
        folder, relatives = locate_images(root, file, [image.file_name for image in listed], self.images)
        return PartImages(
            files=LabelledFiles(folder, classes, tuple(stat_files(folder, relatives)), labels, unique_keys(relatives)),
            sizes=tuple((image.width, image.height) for image in listed),
            regions=regions,
            unlabelled=unlabelled,
            digests=(found.sha256,),
            skipped=found.skipped,
        )

    def _part_names(self, file: Path, found: CocoAnnotations) -> dict[int, str]:
        """Return category id -> the part's name, empty for an object; without excluded categories."""
        known = {category.name for category in found.categories.values()}
        if missing := sorted(set(self.objects) - known):
            raise SourceError(
                f"{file} has no category {missing[0]}, which objects names. It has {', '.join(sorted(known)[:10])}."
            )
        names = [category.name for category in found.categories.values()]
        parts: dict[int, str] = {}
        for number, (name, supercategory) in found.categories.items():
            if name in self.exclude:
                continue
            unique = name if name and names.count(name) == 1 else f"{supercategory} {name} {number}".strip()
            parts[number] = "" if name in self.objects else unique
        return parts

    def _labels(
        self, listed: Sequence[CocoImage], found: CocoAnnotations, regions: Sequence[Sequence[Region]]
    ) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...], dict[int, str]]:
        """Return (classes, labels of each image, one or none, index -> why an image has none)."""
        supercategories = {category.supercategory for category in found.categories.values()} - {""}
        folders = [PurePosixPath(image.file_name).parent.name for image in listed]
        rule = self.label
        if rule == "auto":
            rule = "folder" if _are_classes(folders) else "supercategory" if len(supercategories) > 1 else "single"
        if rule == "single":
            only = supercategories.pop() if len(supercategories) == 1 else Path(self.path).expanduser().resolve().name
            return (self.class_name or only or "object",), ((0,),) * len(listed), {}
        if rule == "folder":
            return _classify([{folder} - {""} for folder in folders], "its file name has no folder")
        return _classify(
            [{found.categories[region.annotation.category].supercategory for region in own} - {""} for own in regions],
            "no part with a supercategory",
        )


def _regions(image: CocoImage, parts: Mapping[int, str]) -> Iterator[Region]:
    for annotation in image.annotations:
        if annotation.category in parts:
            yield Region(parts[annotation.category], annotation)


def _are_classes(folders: Sequence[str]) -> bool:
    names = set(folders)
    return len(names) > 1 and "" not in names and not names <= SPLIT_NAMES


def _classify(
    named: Sequence[set[str]], missing: str
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...], dict[int, str]]:
    """Number the classes; an image needs exactly one."""
    classes = tuple(class_order({name for names in named for name in names}))
    if not classes:
        raise SourceError(f"none of the {len(named)} images has a class: {missing}. Use another rule as label.")
    label_of = {name: (label,) for label, name in enumerate(classes)}
    labels = tuple(label_of[next(iter(names))] if len(names) == 1 else () for names in named)
    unlabelled = {
        index: f"its parts are of {len(names)} classes ({', '.join(sorted(names))}), one label cannot name them"
        if names
        else missing
        for index, names in enumerate(named)
        if len(names) != 1
    }
    return classes, labels, unlabelled
