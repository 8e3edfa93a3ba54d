"""The unit of work: one shard, a run of consecutive clean images under every condition.

A shard's files are written whole, then its report (``.work/shard-NNNNN.json``); the report's presence means that the
shard is finished, and it carries what the manifest needs: hashes, rows, achieved ratios, quarantined images.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from occbench.core.errors import BrokenImageError, SourceError
from occbench.core.files import hash_file, write_json
from occbench.core.interfaces import Source
from occbench.core.prepare import prepare
from occbench.core.types import Condition, Example, Overlay
from occbench.data.encode import encode_png_fast
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.manifest import WORK_FOLDER, FileEntry
from occbench.data.masks import pack_masks
from occbench.data.recipe import Recipe
from occbench.data.render import Renderer
from occbench.data.schema import clean_schema, occluded_schema
from occbench.data.shards import CLEAN_ROWS_PER_GROUP, RowWriter, image_column, parquet_writer, variants_per_group
from occbench.data.webdataset import TarShard, tar_writer

__all__ = ["Quarantined", "Shard", "ShardReport", "make_shard"]


@dataclass(frozen=True)
class Shard:
    """One piece of work, small enough to send to any process.

    Attributes:
        number: position among the shards.
        indices: source indices of its clean images.
        directory: the dataset's directory.
        recipe: what to make.
        source_path: where the clean images are.
        source_fingerprint: of the source that ``indices`` count in.
        strict: stop at the first image that cannot be used.
    """

    number: int
    indices: tuple[int, ...]
    directory: Path
    recipe: Recipe
    source_path: str
    source_fingerprint: str
    strict: bool = False

    def __str__(self) -> str:
        return f"shard {self.number} (images {self.indices[0]} to {self.indices[-1]})"

    @property
    def report_file(self) -> Path:
        """Written last; its presence means that the shard is finished."""
        return self.directory / WORK_FOLDER / f"shard-{self.number:05d}.json"

    def file(self, folder: str, suffix: str) -> Path:
        """Return the path of this shard's file in ``folder``."""
        return self.directory / folder / f"shard-{self.number:05d}{suffix}"


class Quarantined(BaseModel):
    """An image that could not be used, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: int
    key: str
    reason: str


class ShardReport(BaseModel):
    """What a finished shard holds.

    Attributes:
        images: clean images in it.
        files: its files.
        quarantined: images left out.
        achieved: condition group -> (least, sum, greatest, rows) of the achieved ratios.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int
    files: tuple[FileEntry, ...]
    quarantined: tuple[Quarantined, ...]
    achieved: dict[str, tuple[float, float, float, int]]


def make_shard(shard: Shard) -> ShardReport:
    """Render, encode and write one shard; the same shard always gives the same bytes.

    Raises:
        BrokenImageError: an image cannot be used and the shard is strict.
        StorageError: the disk is full or cannot be written.
        OcclusionError: a condition cannot be made as asked.
        SourceError: the source is no longer the one that was planned with.
    """
    source = _source(shard.recipe, shard.source_path, shard.source_fingerprint)
    writer = _ShardWriter(shard, source)
    with writer.open_files():
        for index in shard.indices:
            writer.add(index)
    report = writer.report()
    write_json(shard.report_file, report.model_dump(mode="json"))
    return report


@lru_cache(maxsize=2)
def _source(recipe: Recipe, path: str, planned_fingerprint: str) -> Source:
    """Open a source once per process; the fingerprint keeps a folder that has changed from being taken for the old."""
    source = recipe.open_source(path)
    if source.fingerprint != planned_fingerprint:
        raise SourceError(
            f"the source {recipe.source.name} at {path or 'its default'} changed while it was read (its fingerprint "
            f"was {planned_fingerprint}, now {source.fingerprint}). Leave it alone during a run, then run again."
        )
    return source


@lru_cache(maxsize=2)
def _encoder(recipe: Recipe) -> RowEncoder:
    return RowEncoder(Renderer(recipe.build_occlusions(), recipe.seed), encoding_of(recipe.storage))


class _OccludedFile(Protocol):
    """Where a shard's occluded rows go."""

    def add(self, rows: list[tuple[Condition, Overlay, bytes]], common: dict[str, Any], first_row: int) -> None: ...


class _ShardWriter:
    """The open files of one shard and the counts for its report."""

    def __init__(self, shard: Shard, source: Source) -> None:
        self._shard = shard
        self._source = source
        self._encoder = _encoder(shard.recipe)
        self._clean: list[dict[str, Any]] = []
        self._rows_of_file: dict[Path, int] = {}
        self._quarantined: list[Quarantined] = []
        self._achieved: dict[str, tuple[float, float, float, int]] = {}
        self._images = 0

    @contextmanager
    def open_files(self) -> Iterator[None]:
        shard, storage = self._shard, self._shard.recipe.storage
        clean_file = shard.file("clean", ".parquet")
        schema = clean_schema(self._source.classes, self._source.multi_label)
        with parquet_writer(clean_file, schema, coded=True) as self._clean_writer:
            if storage.layout == "virtual":
                yield
            elif storage.format == "webdataset":
                tar_file = shard.file("occluded", ".tar")
                with tar_writer(tar_file, self._encoder.encoding.suffix) as tar:
                    self._occluded: _OccludedFile = _TarRows(tar)
                    yield
                self._rows_of_file[tar_file] = tar.rows
            else:
                parquet_file = shard.file("occluded", ".parquet")
                schema = occluded_schema(self._source.classes, self._source.multi_label)
                with parquet_writer(parquet_file, schema, coded=storage.occluded == "jpeg") as rows:
                    suffix = self._encoder.encoding.suffix
                    self._occluded = _ParquetRows(rows, suffix, variants_per_group(shard.recipe))
                    yield
                self._rows_of_file[parquet_file] = rows.rows
            self._flush_clean()
        self._rows_of_file[clean_file] = self._clean_writer.rows

    def add(self, index: int) -> None:
        """Render one image; it is written with all its conditions or not at all."""
        try:
            example = prepare(self._source[index], self._shard.recipe.prepare)
            rows = list(self._rows(example))
        except BrokenImageError as error:
            key = self._source.key(index)
            if self._shard.strict:
                raise BrokenImageError(
                    f"{key}: {error}. Without --strict it would be set aside in quarantine.jsonl."
                ) from error
            # file names that are not UTF-8 come as lone surrogates, which no JSON file can hold
            reason = str(error).encode("utf-8", "backslashreplace").decode()
            self._quarantined.append(Quarantined(index=index, key=key, reason=reason))
            return
        labels: dict[str, Any] = (
            {"labels": list(example.labels)} if self._source.multi_label else {"label": example.labels[0]}
        )
        common = {"key": example.key, **labels}
        if self._shard.recipe.storage.layout == "materialised":
            self._occluded.add(rows, common, first_row=index * len(rows))
        for condition, overlay, _ in rows:
            self._count(condition.group, overlay.achieved)
        self._add_clean(example, common, index)
        self._images += 1

    def report(self) -> ShardReport:
        return ShardReport(
            images=self._images,
            files=tuple(
                FileEntry(
                    path=path.relative_to(self._shard.directory).as_posix(),
                    rows=rows,
                    bytes=path.stat().st_size,
                    sha256=hash_file(path),
                )
                for path, rows in sorted(self._rows_of_file.items())
            ),
            quarantined=tuple(self._quarantined),
            achieved=dict(sorted(self._achieved.items())),
        )

    def _rows(self, example: Example) -> Iterator[tuple[Condition, Overlay, bytes]]:
        if self._shard.recipe.storage.layout == "materialised":
            return self._encoder.encode(example)
        # a virtual dataset stores no occluded image, but what cannot be occluded must be found now
        return ((condition, overlay, b"") for condition, overlay in self._encoder.overlays(example))

    def _count(self, group: str, achieved: float) -> None:
        least, total, greatest, rows = self._achieved.get(group, (1.0, 0.0, 0.0, 0))
        self._achieved[group] = (min(least, achieved), total + achieved, max(greatest, achieved), rows + 1)

    def _add_clean(self, example: Example, common: dict[str, Any], index: int) -> None:
        self._clean.append(
            {
                "image": {"bytes": encode_png_fast(example.image), "path": f"{example.key}.png"},
                **common,
                "index": index,
                "sha256": sha256(example.image.tobytes()).hexdigest(),
                "masks": pack_masks(example),
            }
        )
        if len(self._clean) == CLEAN_ROWS_PER_GROUP:
            self._flush_clean()

    def _flush_clean(self) -> None:
        if self._clean:
            self._clean_writer.write_group({name: [row[name] for row in self._clean] for name in self._clean[0]})
            self._clean = []


@dataclass(frozen=True)
class _ParquetRows:
    """Writes all conditions of one clean image as one row group, or several where the images are very large."""

    writer: RowWriter
    suffix: str
    rows_per_group: int

    def add(self, rows: list[tuple[Condition, Overlay, bytes]], common: dict[str, Any], first_row: int) -> None:
        for start in range(0, len(rows), self.rows_per_group):
            part = rows[start : start + self.rows_per_group]
            self.writer.write_group(
                {
                    "image": image_column(
                        [image for _, _, image in part],
                        [f"{common['key']}-{condition.name}{self.suffix}" for condition, _, _ in part],
                    ),
                    **{name: [value] * len(part) for name, value in common.items()},
                    "condition": [condition.name for condition, _, _ in part],
                    "group": [condition.group for condition, _, _ in part],
                    "achieved": [overlay.achieved for _, overlay, _ in part],
                    "row": list(range(first_row + start, first_row + start + len(part))),
                }
            )


@dataclass(frozen=True)
class _TarRows:
    """Writes every row as the members of one tar sample."""

    tar: TarShard

    def add(self, rows: list[tuple[Condition, Overlay, bytes]], common: dict[str, Any], first_row: int) -> None:
        for number, (condition, overlay, image) in enumerate(rows):
            row = {"condition": condition.name, "group": condition.group, "achieved": overlay.achieved}
            self.tar.write(image, {**common, **row, "row": first_row + number})
