"""Overlays that are stored: made in batches, each a file at once, so that a killed run loses a batch and no more.

The batches of a shard are fixed by its images and the family's batch size, whatever was finished before, so a run that
was interrupted makes the same bytes as one that was not.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import BrokenImageError
from occbench.core.interfaces import Occlusion, Source
from occbench.core.prepare import read_prepared
from occbench.core.types import Condition, Example, Overlay
from occbench.data.overlays import StoredOverlays, made_by_text, overlay_columns, to_overlay
from occbench.data.schema import OVERLAYS
from occbench.data.shards import parquet_writer
from occbench.generate.shard import ReadyOverlays, Shard

__all__ = ["ShardOverlays"]

#: A batch's rows, the images that the family refused among them.
_BATCH: Final = OVERLAYS.append(pa.field("error", pa.string()))


class ShardOverlays:
    """What the images of one shard get from the families whose overlays are stored."""

    def __init__(self, shard: Shard, source: Source, families: Sequence[Occlusion]) -> None:
        """Lay out the batches; nothing is made yet."""
        self._shard = shard
        self._source = source
        self._stored = [family for family in families if not family.recomputable]
        names = [condition.name for family in families for condition in family.conditions]
        self._number_of = {name: number for number, name in enumerate(names)}
        self._family_of = {condition.name: family for family in self._stored for condition in family.conditions}
        self._position_of = {source.key(index): position for position, index in enumerate(shard.indices)}
        self._read = lru_cache(maxsize=2 * len(self._family_of))(_read_batch)

    def make(self) -> None:
        """Make every batch that an earlier run has not finished.

        Raises:
            OcclusionError: as the families' ``overlays``.
            BrokenImageError: an image is refused and the shard is strict.
        """
        for family, provenance in zip(self._stored, self._shard.made_by, strict=True):
            for condition in family.conditions:
                made_by = made_by_text(condition, provenance)
                for start in range(0, len(self._shard.indices), family.batch_size):
                    file = self._file(condition.name, start)
                    if not file.is_file():
                        indices = self._shard.indices[start : start + family.batch_size]
                        rows = list(self._rows(indices, family, condition, made_by))
                        _write_batch(file, rows)

    def take(self, ready: ReadyOverlays) -> None:
        """Lay down overlays that are there already, so that ``make`` finds nothing left to do.

        Raises:
            DatasetError: they are damaged.
        """
        stored, refused = StoredOverlays(ready.files), dict(ready.refused)
        for condition, family in self._family_of.items():
            for start in range(0, len(self._shard.indices), family.batch_size):
                indices = self._shard.indices[start : start + family.batch_size]
                rows = [_taken(self._source.key(index), condition, stored, refused) for index in indices]
                _write_batch(self._file(condition, start), rows)

    def __call__(self, key: str, condition: str) -> Overlay:
        """Return a finished overlay, as ``Renderer`` asks for it.

        Raises:
            BrokenImageError: the family refused the image.
        """
        return to_overlay(self._row(key, condition))

    def rows(self, key: str) -> list[dict[str, Any]]:
        """Return at least the columns of ``data.schema.OVERLAYS`` of an image's overlays, in the conditions' order."""
        return [self._row(key, condition) for condition in self._family_of]

    def forget(self) -> None:
        """Remove the batches, after the shard is written."""
        shutil.rmtree(self._shard.overlay_folder, ignore_errors=True)

    def _row(self, key: str, condition: str) -> dict[str, Any]:
        size = self._family_of[condition].batch_size
        start = self._position_of[key] // size * size
        row = self._read(self._file(condition, start))[key]
        if row["error"] is not None:
            raise BrokenImageError(row["error"])
        return row

    def _rows(
        self, indices: Sequence[int], family: Occlusion, condition: Condition, made_by: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of one batch; images that cannot be decoded are left out, the shard meets them again."""
        examples = dict(self._examples(indices))
        made = family.overlays(list(examples.values()), condition, self._shard.recipe.seed)
        conditions = len(self._number_of)
        for (index, example), overlay in zip(examples.items(), made, strict=True):
            facts: dict[str, Any] = {"key": example.key, "condition": condition.name, "made_by": made_by}
            facts |= {"row": index * conditions + self._number_of[condition.name]}
            if isinstance(overlay, BrokenImageError):
                reason = self._shard.set_aside(index, example.key, overlay).reason
                yield dict.fromkeys(_BATCH.names) | facts | {"error": reason}
            else:
                columns = overlay_columns(overlay, f"{example.key}-{condition.name}")
                yield facts | columns | {"error": None}

    def _examples(self, indices: Sequence[int]) -> Iterator[tuple[int, Example]]:
        for index in indices:
            try:
                yield index, read_prepared(self._source, index, self._shard.recipe.prepare)
            except BrokenImageError as error:
                self._shard.set_aside(index, self._source.key(index), error)  # only a strict shard stops here

    def _file(self, condition: str, start: int) -> Path:
        return self._shard.overlay_folder / f"{condition}-{start:06d}.parquet"


def _taken(key: str, condition: str, stored: StoredOverlays, refused: Mapping[str, str]) -> dict[str, Any]:
    if key in refused:
        return dict.fromkeys(_BATCH.names) | {"key": key, "condition": condition, "error": refused[key]}
    return stored.row(key, condition) | {"error": None}


def _write_batch(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with parquet_writer(file, _BATCH, coded=True) as writer:
        writer.write_rows(rows)


def _read_batch(file: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in pq.read_table(file).to_pylist()}
