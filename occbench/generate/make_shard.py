"""Making one shard: its images rendered, encoded and written, then its report."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from occbench.core.errors import BrokenImageError, SourceError
from occbench.core.files import hash_file, write_json
from occbench.core.interfaces import Source
from occbench.core.prepare import read_prepared
from occbench.core.types import Condition, Example, Overlay
from occbench.data.encode import encode_png_fast
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.layout import CLEAN_FOLDER, OCCLUDED_FOLDER, OVERLAYS_FOLDER
from occbench.data.manifest import FileEntry
from occbench.data.masks import pack_masks
from occbench.data.recipe import Recipe
from occbench.data.render import Renderer
from occbench.data.schema import OVERLAYS, clean_schema, label_values
from occbench.data.shards import CLEAN_ROWS_PER_GROUP, parquet_writer
from occbench.generate.occluded_files import parquet_rows, tar_rows
from occbench.generate.overlays import ShardOverlays
from occbench.generate.shard import Quarantined, Shard, ShardReport

__all__ = ["make_shard"]


def make_shard(shard: Shard) -> ShardReport:
    """Render, encode and write one shard; the same shard always gives the same bytes.

    Raises:
        BrokenImageError: an image cannot be used and the shard is strict.
        StorageError: the disk is full or cannot be written.
        OcclusionError: a condition cannot be made as asked.
        SourceError: the source is no longer the one that was planned with.
    """
    source = _source(shard.recipe, shard.source_path, shard.source_fingerprint)
    overlays = ShardOverlays(shard, source, shard.recipe.build_occlusions(source)) if shard.made_by else None
    if overlays is not None:
        if shard.ready is not None:
            overlays.take(shard.ready)
        overlays.make()
    writer = _ShardWriter(shard, source, overlays)
    with writer.open_files():
        for index in shard.indices:
            writer.add(index)
    report = writer.report()
    write_json(shard.report_file, report.model_dump(mode="json"))
    if overlays is not None:
        overlays.forget()
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
def _encoder(recipe: Recipe, overlays: ShardOverlays | None) -> RowEncoder:
    return RowEncoder(Renderer(recipe.build_occlusions(), recipe.seed, overlays), encoding_of(recipe.storage))


class _ShardWriter:
    """The open files of one shard and the counts for its report."""

    def __init__(self, shard: Shard, source: Source, overlays: ShardOverlays | None) -> None:
        self._shard = shard
        self._source = source
        self._overlays = overlays
        self._encoder = _encoder(shard.recipe, overlays)
        self._clean: list[dict[str, Any]] = []
        self._rows_of_file: dict[Path, int] = {}
        self._quarantined: list[Quarantined] = []
        self._achieved: dict[str, tuple[float, float, float, int]] = {}
        self._images = 0

    @contextmanager
    def open_files(self) -> Iterator[None]:
        with self._open_clean(), self._open_overlays(), self._open_occluded():
            yield

    @contextmanager
    def _open_clean(self) -> Iterator[None]:
        file = self._shard.file(CLEAN_FOLDER, ".parquet")
        schema = clean_schema(self._source.classes, self._source.multi_label)
        with parquet_writer(file, schema, coded=True) as self._clean_writer:
            yield
            self._flush_clean()
        self._rows_of_file[file] = self._clean_writer.rows

    @contextmanager
    def _open_overlays(self) -> Iterator[None]:
        if self._overlays is None:
            yield
            return
        file = self._shard.file(OVERLAYS_FOLDER, ".parquet")
        with parquet_writer(file, OVERLAYS, coded=True) as self._overlay_writer:
            yield
        self._rows_of_file[file] = self._overlay_writer.rows

    @contextmanager
    def _open_occluded(self) -> Iterator[None]:
        recipe, source, suffix = self._shard.recipe, self._source, self._encoder.encoding.suffix
        if not recipe.storage.materialised:
            yield
            return
        if recipe.storage.stores_rows:
            file = self._shard.file(OCCLUDED_FOLDER, ".parquet")
            opened = parquet_rows(file, recipe, list(source.classes), source.multi_label, suffix)
        else:
            file = self._shard.file(OCCLUDED_FOLDER, ".tar")
            opened = tar_rows(file, recipe, suffix)
        with opened as self._occluded:
            yield
        self._rows_of_file[file] = self._occluded.rows

    def add(self, index: int) -> None:
        """Render one image; it is written with all its conditions or not at all."""
        try:
            example = read_prepared(self._source, index, self._shard.recipe.prepare)
            rows = list(self._rows(example))
        except BrokenImageError as error:
            self._quarantined.append(self._shard.set_aside(index, self._source.key(index), error))
            return
        common = {"key": example.key, **label_values(example, self._source.multi_label)}
        if self._shard.recipe.storage.materialised:
            self._occluded.add(rows, common, first_row=index * len(rows))
        if self._overlays is not None:
            self._overlay_writer.write_rows(self._overlays.rows(example.key))
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
        if self._shard.recipe.storage.materialised:
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
            self._clean_writer.write_rows(self._clean)
            self._clean = []
