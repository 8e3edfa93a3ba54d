"""Reading the clean images of a dataset directory."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.core.types import KEY_PATTERN, Example
from occbench.data.encode import decode
from occbench.data.layout import CLEAN_FOLDER
from occbench.data.manifest import Manifest
from occbench.data.masks import unpack_masks
from occbench.data.shards import CLEAN_ROWS_PER_GROUP, RowGroupReader, ShardIndex, damaged_rows

__all__ = ["CleanImages", "row_ignored", "row_labels", "stores_ignored"]


def row_labels(row: dict[str, Any], manifest: Manifest) -> tuple[int, ...]:
    """Return the labels of a stored row.

    Raises:
        ValueError: they are no class indices.
    """
    labels = tuple(row["labels"]) if manifest.multi_label else (row["label"],)
    if not all(isinstance(label, int) and 0 <= label < len(manifest.classes) for label in labels):
        raise ValueError(f"its labels are {labels}, there are {len(manifest.classes)} classes")
    return labels


def row_ignored(row: dict[str, Any], labels: tuple[int, ...], manifest: Manifest) -> tuple[int, ...]:
    """Return the ignored classes of a stored row; none where the dataset is older than the column.

    Raises:
        ValueError: they are no class indices, or some are labels.
    """
    ignored = tuple(row.get("ignored", ()))
    if not all(isinstance(label, int) and 0 <= label < len(manifest.classes) for label in ignored):
        raise ValueError(f"its ignored classes are {ignored}, there are {len(manifest.classes)} classes")
    if both := sorted(set(ignored) & set(labels)):
        raise ValueError(f"class {both[0]} is among its labels and ignored")
    return ignored


def stores_ignored(directory: Path, manifest: Manifest) -> bool:
    """Return whether the tables have the column ``ignored``: multi-label datasets do unless they are older than it.

    Raises:
        DatasetError: a shard cannot be read.
    """
    files = manifest.files_in(CLEAN_FOLDER)
    if not (manifest.multi_label and files):
        return manifest.multi_label
    try:
        return "ignored" in pq.read_schema(directory / files[0].path).names
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{directory / files[0].path} cannot be read: {error}. Run `occbench verify`.") from error


def _check(row: dict[str, Any]) -> None:
    """Raise ValueError or KeyError for a row whose key, number or hash cannot be one."""
    if not KEY_PATTERN.fullmatch(row["key"]):
        raise ValueError(f"its key is {row['key'][:40]!r}")
    if not isinstance(row["index"], int) or not 0 <= row["index"] < 2**53 or not isinstance(row["sha256"], str):
        raise ValueError(f"its number is {str(row['index'])[:40]}, its hash {str(row['sha256'])[:16]}")


class CleanImages:
    """The clean images of a dataset, by position; picklable, safe in data-loader workers."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        """Find the shards; nothing is opened yet."""
        files = manifest.files_in(CLEAN_FOLDER)
        self._index = ShardIndex([file.rows for file in files])
        self._reader = RowGroupReader([directory / file.path for file in files])
        self._manifest = manifest
        if len(self._index) != manifest.images:
            raise DatasetError(f"{directory}: the manifest's files have not the rows of its images. Get it again.")

    def __len__(self) -> int:
        return len(self._index)

    def row(self, position: int) -> dict[str, Any]:
        """Return the stored columns of one clean image (``data.schema.clean_schema``)."""
        shard, within = self._index.find(position)
        table = self._reader.group(shard, within // CLEAN_ROWS_PER_GROUP)
        with damaged_rows(f"clean image {position}"):
            row: dict[str, Any] = table.slice(within % CLEAN_ROWS_PER_GROUP, 1).to_pylist()[0]
            _check(row)
        return row

    def example(self, position: int) -> Example:
        """Decode one clean image with its labels and masks."""
        return self.to_example(self.row(position))

    def to_example(self, row: dict[str, Any]) -> Example:
        """Decode the columns of ``row``."""
        with damaged_rows(f"clean image {row.get('key')}"):
            object_mask, parts = unpack_masks(row["masks"])
            labels = row_labels(row, self._manifest)
            return Example(
                key=row["key"],
                image=decode(row["image"]["bytes"]),
                labels=labels,
                object_mask=object_mask,
                parts=parts,
                class_names=tuple(self._manifest.classes[label] for label in labels),
                ignored=row_ignored(row, labels, self._manifest),
            )
