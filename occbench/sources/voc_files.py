"""The files of a PASCAL VOC devkit: classification lists and object annotations."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from xml.etree import ElementTree

from occbench.core.errors import SourceError
from occbench.sources.side_files import read_text

__all__ = ["CLASSES", "VocObject", "read_lists", "read_names", "read_objects"]

#: The twenty classes, in the order of the challenge.
CLASSES: Final = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
#: Image names become file names, so nothing that could lead out of the folder is one.
_NAME: Final = re.compile(r"[A-Za-z0-9_]+")


class VocObject(NamedTuple):
    """An annotated object: its class, its box (x0, y0, x1, y1) in pixels, half-open, and whether it is difficult."""

    label: int
    box: tuple[float, float, float, float]
    difficult: bool


def read_names(file: Path) -> list[str]:
    """Return the images that a list names, in its order; a second column is passed over.

    Raises:
        SourceError: it is missing, no text, empty, or names an image twice or one that is none of VOC's.
    """
    names = [line.split()[0] for line in _lines(file)]
    twice, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise SourceError(f"{file} names {twice} twice. List every image once.")
    if odd := [name for name in names if not _NAME.fullmatch(name)]:
        raise SourceError(f"{file} names {odd[0][:60]!r}, which is no image of VOC (letters, digits and _). Mend it.")
    return names


def read_lists(files: Sequence[Path]) -> dict[str, list[int]]:
    """Return image -> flag for each file, in the files' order, from classification lists (``<class>_<split>.txt``).

    Raises:
        SourceError: a list cannot be read, has a line that is no image and flag (1, 0 or -1), or names other images
            than the first.
    """
    flags: dict[str, list[int]] = {name: [] for name in read_names(files[0])}
    for file in files:
        own = dict(_flag(line, file) for line in _lines(file))
        if other := set(read_names(file)) ^ flags.keys():
            raise SourceError(
                f"{file} and {files[0].name} do not list the same images, e.g. {min(other)}. Unpack the devkit again."
            )
        for name, flag in own.items():
            flags[name].append(flag)
    return flags


def read_objects(file: Path) -> tuple[VocObject, ...]:
    """Return the objects of an annotation file; their parts (heads, hands, feet) are passed over.

    VOC counts pixels from 1 and includes the last: the box 1, 1, 10, 10 is 10 pixels wide.

    Raises:
        SourceError: it is missing or not VOC's.
    """
    try:
        root = ElementTree.parse(file).getroot()
    except FileNotFoundError as error:
        raise SourceError(f"there is no annotation file {file}. Unpack the devkit again.") from error
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise SourceError(f"the annotation file {file} cannot be read ({error}). Unpack the devkit again.") from error
    return tuple(_object(found, file) for found in root.findall("object"))


def _object(found: ElementTree.Element, file: Path) -> VocObject:
    name = (found.findtext("name") or "").strip()
    edges = {edge: _number(found.findtext(f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax")}
    difficult = (found.findtext("difficult") or "0").strip()
    if name not in CLASSES or difficult not in ("0", "1"):
        raise SourceError(f"{file} has an object {name!r}, difficult {difficult!r}: not one of VOC's. Mend the file.")
    box = (edges["xmin"] - 1, edges["ymin"] - 1, edges["xmax"], edges["ymax"])
    if not (all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]):
        raise SourceError(f"{file} has a {name} without a box, or with an empty one. Mend the file.")
    return VocObject(CLASSES.index(name), box, difficult == "1")


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _flag(line: str, file: Path) -> tuple[str, int]:
    name, *rest = line.split()
    if len(rest) != 1 or rest[0] not in ("1", "0", "-1"):
        raise SourceError(f"{file} has the line {line[:60]!r}: an image and 1, 0 or -1 are needed. Mend the line.")
    return name, int(rest[0])


def _lines(file: Path) -> list[str]:
    """Return the lines that are not empty."""
    text = read_text(file, "list", "Unpack the devkit of this split, or choose another.")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise SourceError(f"{file} lists no image. Unpack the devkit again.")
    return lines
