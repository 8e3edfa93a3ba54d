"""The Hub's limits on files, folders and row groups, checked before anything is sent."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.publish.bundle import HubFile

__all__ = ["check_limits"]

_FOLDER_FILES: Final = 10_000
_FILE_BYTES: Final = 20 * 10**9
#: The Hub's viewer reads no larger row group.
_GROUP_BYTES: Final = 200 * 2**20


def check_limits(files: Iterable[HubFile]) -> tuple[str, ...]:
    """Check files against the Hub's limits; return a sentence for each that only its viewer will mind.

    Raises:
        DatasetError: a folder with 10,000 files or more, a file of 20 GB or more, or a Parquet file that is none.
    """
    files = list(files)
    folders = Counter(str(PurePosixPath(file.path).parent) for file in files)
    for folder, count in folders.items():
        if count >= _FOLDER_FILES:
            raise DatasetError(
                f"{folder} has {count:,} files, the Hub takes fewer than {_FOLDER_FILES:,} in a folder. Generate the "
                "dataset again with a larger storage.rows_per_shard."
            )
    for file in files:
        if file.bytes >= _FILE_BYTES:
            raise DatasetError(
                f"{file.path} has {file.bytes / 10**9:.1f} GB, the Hub wants fewer than 20 in a file. Generate the "
                "dataset again with a smaller storage.rows_per_shard."
            )
    return tuple(_large_groups(files))


def _large_groups(files: Iterable[HubFile]) -> Iterator[str]:
    tables = {file.path: file.origin for file in files if file.path.endswith(".parquet")}
    large = [
        path for path, origin in tables.items() if isinstance(origin, Path) and _largest_group(origin) >= _GROUP_BYTES
    ]
    if large:
        yield (
            f"{len(large)} files, {large[0]} among them, have row groups above 200 MiB, which the Hub's viewer does "
            "not show; everything else reads them."
        )


def _largest_group(file: Path) -> int:
    try:
        metadata = pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{file} is no Parquet file: {error}. Run `occbench verify` on the dataset.") from error
    return max((metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)), default=0)
