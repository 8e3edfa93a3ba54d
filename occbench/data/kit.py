"""What rebuilds a dataset without its photographs: its manifest, the hashes of its clean images, its overlays.

Such a folder has ``rebuild.json`` (the dataset's manifest, under another name: the files it lists are not there),
``keys.parquet`` and ``patterns.parquet``, and ``overlays/`` where overlays are stored; see FORMAT.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.core.messages import one_line
from occbench.data.clean import stores_ignored
from occbench.data.layout import CLEAN_FOLDER, KEYS_FILE, REBUILD_FILE
from occbench.data.manifest import Manifest, read_manifest_file
from occbench.data.schema import keys_schema

__all__ = ["CleanImage", "clean_images", "keys_file", "read_kit"]


@dataclass(frozen=True, slots=True)
class CleanImage:
    """What a clean image must be.

    Attributes:
        index: its number in the source.
        key: its key.
        labels: its class indices.
        ignored: class indices neither claimed nor denied of it; None where the kit is older than that column.
        sha256: hash of its pixels after the resize rule, uint8[H, W, 3], C order.
    """

    index: int
    key: str
    labels: tuple[int, ...]
    ignored: tuple[int, ...] | None
    sha256: str


def keys_file(directory: Path, manifest: Manifest) -> bytes:
    """Return ``keys.parquet`` of a finished dataset: what ``data.schema.keys_schema`` has of every clean image.

    Raises:
        DatasetError: a shard cannot be read.
    """
    schema = keys_schema(manifest.classes, manifest.multi_label, with_ignored=stores_ignored(directory, manifest))
    shards = [_read(directory / file.path, schema.names) for file in manifest.files_in(CLEAN_FOLDER)]
    buffer = BytesIO()
    pq.write_table(pa.concat_tables(shards).cast(schema), buffer, compression="zstd")
    return buffer.getvalue()


def read_kit(folder: Path) -> tuple[Manifest, list[CleanImage]]:
    """Read the manifest and the clean images that a folder's ``rebuild.json`` and ``keys.parquet`` describe.

    Raises:
        DatasetError: they are not there, damaged, or do not belong together.
    """
    manifest = read_manifest_file(folder / REBUILD_FILE)
    images = list(clean_images(folder / KEYS_FILE, manifest.multi_label))
    if len(images) != manifest.images:
        raise DatasetError(
            f"{folder / KEYS_FILE} has {len(images)} images, {REBUILD_FILE} beside it says {manifest.images}."
        )
    return manifest, images


def clean_images(file: Path, multi_label: bool) -> Iterator[CleanImage]:
    """Yield the rows of ``keys.parquet``.

    Raises:
        DatasetError: it cannot be read or lacks a column.
    """
    label = "labels" if multi_label else "label"
    for row in _read(file, ["index", "key", label, "sha256"], ["ignored"]).to_pylist():
        yield _image(row, label, file)


def _image(row: dict[str, Any], label: str, file: Path) -> CleanImage:
    labels = row[label] if label == "labels" else [row[label]]
    if None in row.values() or not all(isinstance(item, int) for item in (row["index"], *labels)):
        raise DatasetError(f"{file} has a row without index, key, label or hash. Get it again.")
    ignored = tuple(row["ignored"]) if "ignored" in row else None
    return CleanImage(row["index"], str(row["key"]), tuple(labels), ignored, str(row["sha256"]))


def _read(file: Path, columns: list[str], where_present: Sequence[str] = ()) -> pa.Table:
    try:
        with pq.ParquetFile(file) as opened:
            table = opened.read([*columns, *set(where_present).intersection(opened.schema_arrow.names)])
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{file} cannot be read: {one_line(error)}. Get it again.") from error
    if missing := sorted(set(columns) - set(table.column_names)):
        raise DatasetError(f"{file} has no column {missing[0]}. Get it again.")
    return table
