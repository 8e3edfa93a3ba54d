"""WIDER Attribute: persons cut out of photographs, fourteen attributes each, unspecified ones ignored."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, NamedTuple

import numpy as np

from occbench.core.boxes import whole_box
from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.core.types import Example
from occbench.sources.folder_scan import stat_files, unique_keys
from occbench.sources.labelled_files import LabelledFiles, MultiLabelFileSource
from occbench.sources.side_files import read_bytes

__all__ = ["WiderAttribute"]

_FOLDER: Final = "wider_attribute_annotation"
#: The attributes in the order of the release.
_CLASSES: Final = (
    *("Male", "longHair", "sunglass", "Hat", "Tshirt", "longSleeve", "formal"),
    *("shorts", "jeans", "longPants", "skirt", "faceMask", "logo", "stripe"),
)
_PRESENT: Final = 1
_UNSPECIFIED: Final = 0
_ABSENT: Final = -1


class _Person(NamedTuple):
    """A person: the photograph, the number among its persons, the box (x0, y0, x1, y1) in pixels, the attributes."""

    file_name: str
    number: int
    box: tuple[float, float, float, float]
    attributes: tuple[int, ...]


@dataclass(frozen=True)
class WiderAttribute(MultiLabelFileSource):
    """Persons of WIDER Attribute, cropped to their boxes; multi-label, 14 attributes.

    Li et al., "Human Attribute Recognition by Deep Hierarchical Contexts", ECCV 2016. An attribute is 1 (a label), -1
    (denied) or 0 (unspecified: ignored). Layout of the release::

        wider_attribute_annotation/wider_attribute_<split>.json   photographs with persons: attribute, bbox
        Image/<split>/<event>/<photograph>.jpg

    A person is an image of its own; a photograph is decoded for each of its persons. Boxes are cut at the border of the
    photograph.

    Attributes:
        path: the folder that holds both.
        split: ``train``, ``val``, ``trainval`` or ``test``.
        images: the folder that the listed file names start from, below ``path`` or absolute.

    Raises:
        ConfigError: no path, or no such split.
        SourceError: on first use: the annotation file is missing or not of this form, or none of its images is there.
    """

    terms: ClassVar[str] = "research only; photographs belong to their owners (WIDER Attribute)"
    sharing = "gated"

    path: str
    split: Literal["train", "val", "trainval", "test"] = "trainval"
    images: str = "Image"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"wider_attribute needs path: the folder that holds {_FOLDER} and Image.")
        settle_options(self)

    def __getitem__(self, index: int) -> Example:
        """Decode the photograph of person ``index`` and cut the person out.

        Raises:
            BrokenImageError: the photograph cannot be used, or the box has no pixel in it.
            IndexError: no such index.
        """
        example = self._images.example(index)
        person, (height, width) = self._persons[index], example.image.shape[:2]
        x0, y0, x1, y1 = whole_box(person.box, height, width)
        if x0 >= x1 or y0 >= y1:
            raise BrokenImageError(
                f"person {person.number} of {person.file_name}: the box {list(person.box)} is not in its "
                f"{width} x {height} px"
            )
        return replace(example, image=np.ascontiguousarray(example.image[y0:y1, x0:x1]))

    @property
    def fingerprint(self) -> str:
        """A hash of every photograph's relative path and size in bytes, and of the annotation file."""
        return fingerprint([self._images.labelled_fingerprint, sha256(self._content).hexdigest()])

    @cached_property
    def _file(self) -> Path:
        root, name = Path(self.path).expanduser(), f"wider_attribute_{self.split}.json"
        return root / _FOLDER / name if (root / _FOLDER).is_dir() else root / name

    @cached_property
    def _content(self) -> bytes:
        return read_bytes(self._file, "annotation file", f"Give the folder that holds {_FOLDER} and Image.")

    @cached_property
    def _persons(self) -> tuple[_Person, ...]:
        try:
            persons = tuple(_persons(json.loads(self._content)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            found = f"{type(error).__name__}: {error}".replace("\n", " ")[:150]
            raise SourceError(
                f"{self._file} is not WIDER Attribute's: it needs images with file_name and targets, each with bbox "
                f"and {len(_CLASSES)} attributes of 1, 0 or -1 ({found}). Download it again."
            ) from error
        if not persons:
            raise SourceError(f"{self._file} lists no person. Download it again.")
        twice, count = Counter((person.file_name, person.number) for person in persons).most_common(1)[0]
        if count > 1:
            raise SourceError(f"{self._file} lists {twice[0]} {count} times. List every photograph once.")
        return persons

    @cached_property
    def _images(self) -> LabelledFiles:
        root, persons = Path(self.path).expanduser() / Path(self.images).expanduser(), self._persons
        files = {file.relative: file for file in stat_files(root, dict.fromkeys(item.file_name for item in persons))}
        if not any(file.size_bytes for file in files.values()):
            raise SourceError(
                f"none of the {len(files)} photographs of {self._file} is below {root}, e.g. {persons[0].file_name}. "
                "Name the folder they start from as images."
            )
        return LabelledFiles(
            root=root,
            classes=_CLASSES,
            files=tuple(files[person.file_name] for person in persons),
            keys=unique_keys([_named(person) for person in persons]),
            labels=tuple(_having(person, _PRESENT) for person in persons),
            ignored=tuple(_having(person, _UNSPECIFIED) for person in persons),
        )


def _persons(content: dict[str, Any]) -> Iterator[_Person]:
    """Yield every person of every photograph, in the file's order.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the content has another form.
    """
    for image in content["images"]:
        name = image["file_name"].replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"the file name {name[:60]!r} leads out of the folder")
        for number, target in enumerate(image["targets"]):
            x, y, width, height = (float(value) for value in target["bbox"])
            attributes = tuple(target["attribute"])
            if len(attributes) != len(_CLASSES) or not set(attributes) <= {_PRESENT, _UNSPECIFIED, _ABSENT}:
                raise ValueError(f"person {number} of {name[:60]} has the attributes {list(attributes)[:20]}")
            if not math.isfinite(x + y + width + height):
                raise ValueError(f"person {number} of {name[:60]} has a box that is not finite")
            yield _Person(name, number, (x, y, x + width, y + height), attributes)


def _having(person: _Person, value: int) -> tuple[int, ...]:
    return tuple(label for label, found in enumerate(person.attributes) if found == value)


def _named(person: _Person) -> str:
    """Return a path that is the person's own: the photograph's with its number before the ending."""
    stem, _, suffix = person.file_name.rpartition(".")
    return f"{stem}-{person.number}.{suffix}"
