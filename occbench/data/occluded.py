"""Reading the stored occluded rows of a dataset directory, by clean image and condition."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from occbench.core.errors import DatasetError
from occbench.data.layout import OCCLUDED_FOLDER
from occbench.data.manifest import Manifest
from occbench.data.shards import RowGroupReader, ShardIndex, damaged_rows, variants_per_group

__all__ = ["OccludedRows", "occluded_index"]


class OccludedRows:
    """The rows of ``occluded/*.parquet``; picklable, safe in data-loader workers."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        """Find the shards; nothing is opened yet.

        Raises:
            DatasetError: the shards have not the rows of the dataset's images.
        """
        self._index = occluded_index(directory, manifest)
        self._reader = RowGroupReader([directory / file.path for file in manifest.files_in(OCCLUDED_FOLDER)])
        self._variants = variants_per_group(manifest.recipe)
        self._groups_per_image = -(-manifest.conditions // self._variants)

    def row(self, position: int, number: int) -> dict[str, Any]:
        """Return the stored columns (``data.schema.occluded_schema``) of a clean image under condition ``number``.

        Raises:
            DatasetError: the row cannot be read.
        """
        shard, within = self._index.find(position)
        table = self._reader.group(shard, within * self._groups_per_image + number // self._variants)
        with damaged_rows(f"image {position} under condition {number}"):
            row: dict[str, Any] = table.slice(number % self._variants, 1).to_pylist()[0]
        return row

    def rows(self, position: int) -> Iterator[dict[str, Any]]:
        """Yield the stored columns of a clean image under every condition, in row order.

        Raises:
            DatasetError: a row cannot be read.
        """
        shard, within = self._index.find(position)
        for group in range(within * self._groups_per_image, (within + 1) * self._groups_per_image):
            table = self._reader.group(shard, group)
            with damaged_rows(f"a row of image {position}"):
                rows: list[dict[str, Any]] = table.to_pylist()
            yield from rows


def occluded_index(directory: Path, manifest: Manifest) -> ShardIndex:
    """Return in which occluded shard the rows of each clean image lie.

    Raises:
        DatasetError: the shards have not the rows of the dataset's images.
    """
    index = ShardIndex([file.rows // manifest.conditions for file in manifest.files_in(OCCLUDED_FOLDER)])
    if len(index) != manifest.images:
        raise DatasetError(f"{directory}: the manifest's files have not the rows of its images. Get it again.")
    return index
