"""Reading the clean images of a dataset directory."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from occbench.core.types import Example
from occbench.data.encode import decode
from occbench.data.manifest import Manifest
from occbench.data.masks import unpack_masks
from occbench.data.shards import CLEAN_ROWS_PER_GROUP, RowGroupReader

__all__ = ["CleanImages", "ShardIndex"]


class ShardIndex:
    """Where item ``i`` of a list of shards lies."""

    def __init__(self, counts: Sequence[int]) -> None:
        """Take the number of items in every shard."""
        self._ends = list(accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def find(self, position: int) -> tuple[int, int]:
        """Return (shard, position within it); negative positions count from the end.

        Raises:
            IndexError: no such item.
        """
        if not -len(self) <= position < len(self):
            raise IndexError(f"there is no item {position} among {len(self)}")
        position %= len(self)
        shard = bisect_right(self._ends, position)
        return shard, position - (self._ends[shard - 1] if shard else 0)


class CleanImages:
    """The clean images of a dataset, by position; picklable, safe in data-loader workers."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        """Find the shards; nothing is opened yet."""
        files = manifest.files_in("clean")
        self._index = ShardIndex([file.rows for file in files])
        self._reader = RowGroupReader([directory / file.path for file in files])
        self._multi_label = manifest.multi_label
        self._classes = manifest.classes

    def __len__(self) -> int:
        return len(self._index)

    def row(self, position: int) -> dict[str, Any]:
        """Return the stored columns of one clean image (``data.schema.clean_schema``)."""
        shard, within = self._index.find(position)
        table = self._reader.group(shard, within // CLEAN_ROWS_PER_GROUP)
        row: dict[str, Any] = table.slice(within % CLEAN_ROWS_PER_GROUP, 1).to_pylist()[0]
        return row

    def example(self, position: int) -> Example:
        """Decode one clean image with its labels and masks."""
        return self.to_example(self.row(position))

    def to_example(self, row: dict[str, Any]) -> Example:
        """Decode the columns of ``row``."""
        object_mask, parts = unpack_masks(row["masks"])
        labels = tuple(row["labels"]) if self._multi_label else (row["label"],)
        return Example(
            key=row["key"],
            image=decode(row["image"]["bytes"]),
            labels=labels,
            object_mask=object_mask,
            parts=parts,
            class_names=tuple(self._classes[label] for label in labels),
        )
