"""OccludedPASCAL3D+ and the occluded COCO vehicles: objects hidden in four levels, as they were released."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np

from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.core.types import Example
from occbench.sources.decode import decode_image
from occbench.sources.folder_scan import FoundFile, fingerprint_files, scan_images, stat_files
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files
from occbench.sources.pascal3d_layouts import (
    CLASSES,
    VEHICLES,
    Layout,
    find_layout,
    occluded_folders,
)
from occbench.sources.side_files import read_text

__all__ = ["Pascal3D"]

#: Grey level of an annotated mask above which a pixel is the object's.
_MASK_ABOVE: Final = 10


@dataclass(frozen=True)
class Pascal3D(LabelledFileSource):
    """Twelve rigid classes of PASCAL3D+ under artificial occlusion, and COCO's vehicles under real occlusion.

    ``classification``: A. Kortylewski, J. He, Q. Liu, A. Yuille, "Compositional Convolutional Neural Networks", CVPR
    2020; object crops with 0, 20-40, 40-60 and 60-80 % of the object hidden (``zero``, ``one``, ``five``, ``nine``) by
    white, noise, texture or other objects; all 12 classes are for training, 6 vehicles for the test. ``coco``: the real
    counterpart, vehicles of COCO, other photographs at every level. ``detection``: A. Wang, Y. Sun, A. Kortylewski,
    A. Yuille, "Robust object detection under occlusion with context-aware CompositionalNets", CVPR 2020; whole
    photographs with the object's mask and box, hidden shares of object and background both controlled (``FGL1_BGL1`` to
    ``FGL3_BGL3``).

    Layouts, as published (images are those that the lists name)::

        pascal3d+_occ/<class>_imagenet_train.txt   TRAINING_DATA/<class>_imagenet/<image>.JPEG
        pascal3d+_occ/<class>_imagenet_occ.txt     <class>LEVEL<LEVEL>[_white|_noise|_texture]/<image>_<object>.JPEG
        coco_occ/<class>_ZERO_{train,test}.txt     <class>_zero/<image>.jpg
        coco_occ/<class>_<LEVEL>.txt               <class>_occ/<image>.jpg
        lists/<class><LEVEL>.txt                   images/<class><LEVEL>/<image>.JPEG, annotations/.../<image>.npz

    Opened at level ``zero``, the test images of ``classification`` carry their occluded versions as photographs named
    like the conditions of the family ``levels`` (``l1-white`` to ``l3-object``), for the family ``photographed``. The
    same image has the same key at every level.

    Attributes:
        path: the folder that holds ``pascal3d+_occ``, ``coco_occ`` or ``images``, or one of the first two itself.
        data: which of the three.
        split: ``train`` or ``test``; only ``zero`` of ``classification`` and ``coco`` has images to train on.
        level: ``zero``, ``one``, ``five`` or ``nine``; of ``detection`` ``FGL1_BGL1`` or another.
        occluder: of ``classification`` above ``zero``: ``white``, ``noise``, ``texture`` or ``object``.
        vehicles_only: only the six classes that have test images; what trains on ``coco`` has no others.

    Raises:
        ConfigError: no path, or a combination that was not released.
        SourceError: on first use: no list of any class, or one that cannot be read.
    """

    terms: ClassVar[str] = "non-commercial research; images belong to their owners (PASCAL3D+, ImageNet, COCO)"
    sharing = "gated"

    path: str
    data: Literal["classification", "coco", "detection"] = "classification"
    split: Literal["train", "test"] = "test"
    level: str = "zero"
    occluder: Literal["object", "white", "noise", "texture"] = "object"
    vehicles_only: bool = False

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("pascal3d needs path: the folder that holds pascal3d+_occ, coco_occ or images.")
        settle_options(self)
        # asking for the layout refuses what was not released
        if not self._layout.has_types and self.occluder != "object":
            raise ConfigError(
                f"pascal3d: {self.data} at level {self.level} has no occluder {self.occluder}. Leave it out."
            )

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``; of ``detection`` with its mask and box, where they are annotated.

        Raises:
            BrokenImageError: the image or its annotation cannot be used.
            IndexError: no such index.
        """
        example = self._images.example(index)
        name, listed = self._listed[index]
        if annotation := self._layout.annotation_file(name, listed):
            return _annotated(example, self._root, annotation)
        photographs = {
            condition: partial(decode_image, self._root / file, file)
            for condition, folder in occluded_folders(name).items()
            if (file := f"{folder}/{listed}.JPEG") in self._occluded
        }
        return replace(example, photographs=photographs)

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, occluded versions among them."""
        return fingerprint([self._images.fingerprint, fingerprint_files(list(self._occluded.values()))])

    def notes(self) -> tuple[str, ...]:
        """Return which classes have no list."""
        missing = set(self._names).difference(name for name, _ in self._listed)
        return (f"There is no list of {', '.join(sorted(missing))}.",) if missing else ()

    @property
    def _names(self) -> tuple[str, ...]:
        return VEHICLES if self.vehicles_only else CLASSES

    @property
    def _layout(self) -> Layout:
        return find_layout(self.data, self.split, self.level, self.occluder)

    @cached_property
    def _root(self) -> Path:
        root = Path(self.path).expanduser()
        return root / self._layout.folder if (root / self._layout.folder).is_dir() else root

    @cached_property
    def _listed(self) -> tuple[tuple[str, str], ...]:
        """(Class, name in its list) of every image, class by class, in the lists' order."""
        files = {name: self._root / self._layout.list_file(name) for name in self._names}
        found = [(name, listed) for name, file in files.items() for listed in _lines(file)]
        if not found:
            first, last = files[self._names[0]], files[self._names[-1]].name
            raise SourceError(
                f"there is no list of images, {first} to {last}. Give the folder of the unpacked archive."
            )
        if len(set(found)) < len(found):
            (name, listed), _ = Counter(found).most_common(1)[0]
            raise SourceError(f"{files[name]} lists {listed} more than once. List every image once.")
        return tuple(found)

    @cached_property
    def _images(self) -> LabelledFiles:
        files = stat_files(self._root, [self._layout.image_file(name, listed) for name, listed in self._listed])
        labels = [self._names.index(name) for name, _ in self._listed]
        named = [f"{name}/{listed}.JPEG" for name, listed in self._listed]
        return label_files(self._root, self._names, files, labels, named)

    @cached_property
    def _occluded(self) -> Mapping[str, FoundFile]:
        """Path -> file of the occluded versions that lie beside clean images."""
        if not self._layout.drop:
            return {}
        names = dict.fromkeys(name for name, _ in self._listed)
        folders = [folder for name in names for folder in occluded_folders(name).values()]
        files = [
            FoundFile(f"{folder}/{file.relative}", file.size_bytes)
            for folder in folders
            if (self._root / folder).is_dir()
            for file in scan_images(self._root / folder)
        ]
        return {file.relative: file for file in files}


def _lines(file: Path) -> Iterator[str]:
    """Yield the names that a list has, without an ending; nothing where there is no such list."""
    if file.exists():
        lines = read_text(file, "list", "Unpack the archive again.").splitlines()
        yield from (name.removesuffix(".JPEG") for line in lines if (name := line.strip()))


def _annotated(example: Example, root: Path, annotation: str) -> Example:
    """Return the example with its object's mask and box; as it is where it has no annotation.

    The mask is of the object above 10 of 255, as the release measures it; the box is (y0, y1, x0, x1, height, width).

    Raises:
        BrokenImageError: the annotation is damaged, or of another size.
    """
    try:
        # opened here, because numpy leaves a damaged file open; never unpickles
        with (root / annotation).open("rb") as file, np.load(file) as content:
            grey, box = np.asarray(content["mask"]), [int(edge) for edge in np.asarray(content["box"])[:4]]
    except FileNotFoundError:
        return example
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise BrokenImageError(f"{annotation}: not an annotation with mask and box ({error})") from error
    if grey.shape != example.image.shape[:2] or len(box) < 4:
        raise BrokenImageError(f"{annotation}: its mask is {grey.shape}, the image {example.image.shape[:2]}")
    y0, y1, x0, x1 = box
    return replace(example, object_mask=grey > _MASK_ABOVE, box=(x0, y0, x1, y1))
