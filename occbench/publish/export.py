"""`occbench export`: a dataset as plain files, for programs that read nothing else.

``folder``: ``OUT/CONDITION/NNN-CLASS/KEY.png``, one class-folder tree for each condition, ``clean`` among them, as
torchvision's ImageFolder and FiftyOne's ImageClassificationDirectoryTree read it; folders sort in label order.
``fiftyone``: ``OUT/data/KEY-CONDITION.png`` and ``OUT/labels.json``, FiftyOne's FiftyOneImageClassificationDataset.
Both have ``OUT/rows.csv`` with every file's columns, written last. Images are PNG: the dataset's very pixels.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError, DatasetError, StorageError
from occbench.core.files import remove_partial_files, storage_errors, write_bytes
from occbench.core.types import CLEAN, KEY_PATTERN, slug
from occbench.data.clean import CleanImages
from occbench.data.datasets import OccludedDataset, load
from occbench.data.encode import encode_png_fast

__all__ = ["Form", "export"]

Form = Literal["folder", "fiftyone"]

_ROWS: Final = "rows.csv"
_LABELS: Final = "labels.json"
_MARK: Final = ".occbench-export.json"
_COLUMNS: Final = ("file", "key", "label", "class", "condition", "group", "achieved")
#: Of multi-label datasets, last: indices of the classes that are neither claimed nor denied of the image.
_IGNORED: Final = "ignored"


@dataclass(frozen=True)
class _Row:
    """One image to write, and how to get its pixels."""

    key: str
    labels: tuple[int, ...]
    condition: str
    group: str
    achieved: float
    pixels: NDArray[np.uint8]
    ignored: tuple[int, ...]


def export(
    directory: str | Path,
    out: str | Path,
    form: Form = "folder",
    conditions: Sequence[str] = (),
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Write a dataset as plain files; an interrupted call goes on when it is repeated.

    Args:
        directory: a finished dataset.
        out: a folder that is absent, empty, or of the same export.
        form: see the module.
        conditions: names of the conditions to write, ``clean`` among them; all where none is named.
        on_progress: called with the images written and the images in all.

    Returns:
        How many images are there.

    Raises:
        ConfigError: no such condition.
        DatasetError: no finished dataset, or it stores what is no name.
        StorageError: the folder holds something else, or cannot be written.
    """
    dataset, out = load(directory), Path(out)
    chosen = _choose(dataset, conditions)
    _claim(out, {"dataset": dataset.manifest.pixels_fingerprint, "form": form, "conditions": chosen})
    total = dataset.manifest.images * len(chosen)
    names = _class_folders(dataset.classes)
    multi_label = dataset.manifest.multi_label
    lines: list[tuple[str, ...]] = [(*_COLUMNS, _IGNORED) if multi_label else _COLUMNS]
    labels = {}
    for done, row in enumerate(_rows(dataset, chosen)):
        path = _path(row, form, names, multi_label)
        if not (out / path).is_file():
            write_bytes(out / path, encode_png_fast(row.pixels))
        line = _line(path, row, dataset.classes)
        lines.append((*line, _indices(row.ignored)) if multi_label else line)
        labels[Path(path).stem] = list(row.labels) if multi_label else row.labels[0]
        on_progress(done + 1, total)
    if form == "fiftyone":
        content = {"classes": list(dataset.classes), "labels": labels}
        write_bytes(out / _LABELS, (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode())
    write_bytes(out / _ROWS, _csv(lines))
    return total


def _choose(dataset: OccludedDataset, asked: Sequence[str]) -> list[str]:
    known = [CLEAN.name, *(condition.name for condition in dataset.conditions)]
    if unknown := [name for name in asked if name not in known]:
        raise ConfigError(
            f"the dataset has no condition {unknown[0]!r}. It has {', '.join(known[:6])}{', ...' if known[6:] else ''}."
        )
    return [name for name in known if not asked or name in asked]


def _claim(out: Path, content: dict[str, Any]) -> None:
    """Make the folder ours: it is absent, empty, or holds the same export."""
    mark = out / _MARK
    with storage_errors(out):
        found = json.loads(mark.read_bytes()) if mark.is_file() else None
        if found is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise StorageError(f"{out} is not empty and holds no export. Choose another folder; nothing was touched.")
    if found not in (None, content):
        raise StorageError(f"{out} holds the export of another dataset, form or choice of conditions. Choose another.")
    write_bytes(mark, json.dumps(content).encode())
    remove_partial_files(out)


def _class_folders(classes: Sequence[str]) -> list[str]:
    """Return a folder name for each class: safe on any system, and in label order when sorted."""
    digits = len(str(max(0, len(classes) - 1)))
    return [f"{number:0{digits}d}-{slug(name)[:80]}" for number, name in enumerate(classes)]


def _rows(dataset: OccludedDataset, chosen: Sequence[str]) -> Iterator[_Row]:
    numbers = [number for number, condition in enumerate(dataset.conditions) if condition.name in chosen]
    clean = CleanImages(dataset.directory, dataset.manifest) if CLEAN.name in chosen else None
    for position in range(dataset.manifest.images):
        if clean is not None:
            example = clean.example(position)
            facts = (CLEAN.name, CLEAN.group, 0.0, example.image, example.ignored)
            yield _Row(example.key, example.labels, *facts)
        for number in numbers:
            sample = dataset.sample(position * len(dataset.conditions) + number)
            facts = (sample.condition, sample.group, sample.achieved, sample.image, sample.ignored)
            yield _Row(sample.key, sample.labels, *facts)


def _path(row: _Row, form: Form, folders: Sequence[str], multi_label: bool) -> str:
    if not KEY_PATTERN.fullmatch(row.key) or not KEY_PATTERN.fullmatch(row.condition):
        raise DatasetError(f"{row.key!r} under {row.condition!r} is no name for a file. Run `occbench verify`.")
    if form == "fiftyone":
        return f"data/{row.key}-{row.condition}.png"
    folder = "images" if multi_label else folders[row.labels[0]]
    return f"{row.condition}/{folder}/{row.key}.png"


def _line(path: str, row: _Row, classes: Sequence[str]) -> tuple[str, ...]:
    names = "; ".join(classes[label] for label in row.labels)
    return path, row.key, _indices(row.labels), names, row.condition, row.group, f"{row.achieved:.6f}"


def _indices(labels: Sequence[int]) -> str:
    return " ".join(str(label) for label in labels)


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue().encode()
