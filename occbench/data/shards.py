"""Writing and reading the Parquet shards of a dataset.

Clean rows: ``CLEAN_ROWS_PER_GROUP`` images in a row group, so that one image is read without its neighbours.
Occluded rows: all conditions of one clean image are one row group and one page, so zstd removes what they share.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.core.files import whole_file
from occbench.data.recipe import Recipe

__all__ = [
    "CLEAN_ROWS_PER_GROUP",
    "RowGroupReader",
    "RowWriter",
    "ShardIndex",
    "damaged_rows",
    "image_bytes",
    "image_column",
    "parquet_writer",
    "variants_per_group",
]

CLEAN_ROWS_PER_GROUP: Final = 4

#: Pixels in a row group, bytes: below the 200 MiB that the Hub's viewer reads.
_GROUP_BYTES: Final = 160 * 2**20
#: One page for all variants of a clean image, so that zstd sees them together.
_PAGE_BYTES: Final = 2 * _GROUP_BYTES
#: What images that are not resized are taken to measure when row groups are planned.
_LARGEST_UNPREPARED_SIDE_PX: Final = 1024
#: Stored PNG: zstd 3 finds the repetition between variants (150 kB apart at 224 px) within its 2 MiB window; 13.9 kB
#: and 157 us a row, where level 1 needs 29.6 kB and 130 us. Above level 4 the time doubles for a tenth of the size.
_ZSTD_LEVEL: Final = 3
#: JPEG and deflated PNG are coded already: whole segments that variants share are all there is to find, and negative
#: levels look for nothing else. For JPEG 12.6 kB and 41 us a row at -7, 12.0 kB and 60 us at 1, 11.2 kB and 86 us at 3.
_ZSTD_LEVEL_CODED: Final = -7


def variants_per_group(recipe: Recipe) -> int:
    """Return how many conditions of one clean image share a row group: all of them unless the images are very large.

    A function of the recipe alone, so that row groups do not depend on the images met.
    """
    return max(1, min(len(recipe.conditions()), _GROUP_BYTES // image_bytes(recipe)))


def image_bytes(recipe: Recipe) -> int:
    """Return the size of an image's pixels, bytes; of images that are not resized, what is planned with."""
    side_px = _LARGEST_UNPREPARED_SIDE_PX if recipe.prepare.rule == "none" else recipe.prepare.size_px
    return 3 * side_px**2


class RowWriter:
    """Writes row groups to one open Parquet file."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        """Wrap an open writer; made by ``parquet_writer``."""
        self._writer = writer
        self._schema = schema
        self.rows = 0

    def write_group(self, rows: Mapping[str, Sequence[Any] | pa.Array]) -> None:
        """Write columns of equal length as one row group; ``image`` is an ``image_column``, or dicts of its fields."""
        arrays = [_array(rows[field.name], field.type) for field in self._schema]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.rows += table.num_rows

    def write_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, each a mapping of all columns, as one row group."""
        self.write_group({name: [row[name] for row in rows] for name in self._schema.names})


def image_column(files: Sequence[bytes], paths: Sequence[str]) -> pa.StructArray:
    """Return encoded images and their names as a column: 6 us a row, where a dict per row takes 11."""
    return pa.StructArray.from_arrays([pa.array(files, pa.binary()), pa.array(paths, pa.string())], ["bytes", "path"])


def _array(values: Sequence[Any] | pa.Array, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type=kind)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, coded: bool = False) -> Iterator[RowWriter]:
    """Open ``path`` for row groups; the file appears when the block ends without an error.

    Args:
        path: the Parquet file.
        schema: its columns.
        coded: whether most of its bytes are JPEG or deflated PNG files, which decides the compression level.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=_ZSTD_LEVEL_CODED if coded else _ZSTD_LEVEL,
            data_page_size=_PAGE_BYTES,
            use_dictionary=[field.name for field in schema if not pa.types.is_nested(field.type)],
            write_statistics=["key", "label", "condition", "group", "row", "index"],
            write_page_index=True,
            write_page_checksum=True,
        ) as writer,
    ):
        yield RowWriter(writer, schema)


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


@contextmanager
def damaged_rows(what: str) -> Iterator[None]:
    """Turn what a row of other columns, types or values than FORMAT.md's raises while it is read into a clear error.

    Raises:
        DatasetError: in place of it.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
        raise DatasetError(f"{what} is not a row as it was written ({error}). Run `occbench verify`.") from error


class RowGroupReader:
    """Random access to the row groups of a list of Parquet files; keeps open files and the last few groups.

    Picklable: files are opened again in the process that reads them.
    """

    def __init__(self, files: Sequence[Path], cached_groups: int = 4) -> None:
        """Remember the files; nothing is opened yet."""
        self._files = tuple(files)
        self._cached_groups = cached_groups
        self._open_caches()

    def __getstate__(self) -> tuple[tuple[Path, ...], int]:
        return self._files, self._cached_groups

    def __setstate__(self, state: tuple[tuple[Path, ...], int]) -> None:
        self._files, self._cached_groups = state
        self._open_caches()

    def _open_caches(self) -> None:
        self._file = lru_cache(maxsize=64)(self._open)
        self.group = lru_cache(maxsize=self._cached_groups)(self._read)

    def _open(self, file: int) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._files[file], memory_map=True, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise DatasetError(f"{self._files[file]} cannot be read: {error}. Run `occbench verify` on it.") from error

    def _read(self, file: int, group: int) -> pa.Table:
        try:
            return self._file(file).read_row_group(group, use_threads=False)
        except (OSError, IndexError, pa.ArrowException) as error:
            raise DatasetError(f"{self._files[file]}, row group {group}: {error}. Run `occbench verify`.") from error
