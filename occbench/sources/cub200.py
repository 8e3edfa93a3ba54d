"""CUB-200-2011: 200 bird species, 11,788 photographs with the bird's box."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Literal

from occbench.core.boxes import whole_box
from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.core.types import Example
from occbench.sources.folder_scan import stat_files
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files
from occbench.sources.side_files import read_text

__all__ = ["CUB200"]

_FOLDER: Final = "CUB_200_2011"
_SPLITS: Final = {"all": ("0", "1"), "train": ("1",), "test": ("0",)}


@dataclass(frozen=True)
class CUB200(LabelledFileSource):
    """Caltech-UCSD Birds-200-2011, with boxes for the resize rule ``bbox``.

    C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie, "The Caltech-UCSD Birds-200-2011 dataset", California
    Institute of Technology, CNS-TR-2011-001, 2011 (doi 10.22002/D1.20098).

    Layout, as published: ``images/<class>/<image>.jpg`` beside the tables ``images.txt``, ``image_class_labels.txt``,
    ``train_test_split.txt``, ``bounding_boxes.txt`` and ``classes.txt``, each with one number and its values a line.
    Images are those that ``images.txt`` lists, in its order; a file that is missing is reported when it is decoded.

    Attributes:
        path: the folder ``CUB_200_2011`` or the one that contains it.
        split: ``all``, or the official ``train`` (5,994 images) or ``test`` (5,794).

    Raises:
        ConfigError: no path, or no such split.
        SourceError: on first use: a table that is missing, cannot be read or does not fit the others.
    """

    terms: ClassVar[str] = "non-commercial research and education; images belong to their owners (CUB-200-2011)"
    sharing = "gated"

    path: str
    split: Literal["all", "train", "test"] = "all"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError(f"cub200 needs path: the folder {_FOLDER} or the one that contains it.")
        settle_options(self)

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``; its box is the smallest one of whole pixels that holds the published box."""
        example = self._images.example(index)
        return replace(example, box=whole_box(self._boxes[index], *example.image.shape[:2]))

    @cached_property
    def _root(self) -> Path:
        root = Path(self.path).expanduser()
        return root / _FOLDER if (root / _FOLDER).is_dir() else root

    @cached_property
    def _listed(self) -> dict[str, str]:
        """Number -> path of every image of the split, in the order of ``images.txt``."""
        files = _table(self._root / "images.txt", 1)
        part_of = _column(self._root / "train_test_split.txt", files)
        listed = {number: path for number, (path,) in files.items() if part_of[number] in _SPLITS[self.split]}
        if not listed:
            raise SourceError(f"{self._root} has no image of the split {self.split}. Unpack {_FOLDER}.tgz again.")
        return listed

    @cached_property
    def _images(self) -> LabelledFiles:
        names = {number: name for number, (name,) in _table(self._root / "classes.txt", 1).items()}
        class_of = _column(self._root / "image_class_labels.txt", self._listed)
        if foreign := sorted(set(class_of.values()) - set(names)):
            raise SourceError(f"{self._root / 'classes.txt'} has no class {foreign[0]}. Unpack {_FOLDER}.tgz again.")
        label_of = {number: label for label, number in enumerate(names)}
        files = stat_files(self._root / "images", self._listed.values())
        labels = [label_of[class_of[number]] for number in self._listed]
        return label_files(self._root / "images", tuple(names.values()), files, labels)

    @cached_property
    def _boxes(self) -> tuple[tuple[float, float, float, float], ...]:
        """(x0, y0, x1, y1) in pixels of every image; the file has x, y, width and height."""
        file = self._root / "bounding_boxes.txt"
        table = _table(file, 4)
        boxes = []
        for number in self._listed:
            if number not in table:
                raise SourceError(f"{file} has no box of image {number}. Unpack {_FOLDER}.tgz again.")
            try:
                x0, y0, width, height = map(float, table[number])
            except ValueError as error:
                raise SourceError(f"{file}: the box of image {number} is not made of numbers.") from error
            boxes.append((x0, y0, x0 + width, y0 + height))
        return tuple(boxes)


def _column(file: Path, numbers: Collection[str]) -> dict[str, str]:
    """Return number -> value of a table that must have a line for every one of ``numbers``."""
    table = _table(file, 1)
    if missing := [number for number in numbers if number not in table]:
        raise SourceError(f"{file} has no line for image {missing[0]}. Unpack {_FOLDER}.tgz again.")
    return {number: table[number][0] for number in numbers}


def _table(file: Path, columns: int) -> dict[str, tuple[str, ...]]:
    """Return number -> values of a text table, in its order."""
    return dict(_rows(file, columns))


def _rows(file: Path, columns: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    text = read_text(file, "table", f"Give the folder {_FOLDER} of the unpacked archive.")
    for place, line in enumerate(text.splitlines(), start=1):
        number, *values = line.split()[: columns + 1] or [""]
        if len(values) == columns:
            yield number, tuple(values)
        elif number:
            raise SourceError(f"{file}, line {place}: expected a number and {columns} values, found {line!r}.")
