"""The files that a shard's occluded rows go to: Parquet row groups or tar samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from occbench.core.types import Condition, Overlay
from occbench.data.recipe import Recipe
from occbench.data.schema import occluded_schema
from occbench.data.shards import RowWriter, image_column, parquet_writer, variants_per_group
from occbench.data.webdataset import TarShard, tar_writer

__all__ = ["OccludedFile", "parquet_rows", "tar_rows"]


class OccludedFile(Protocol):
    """Where a shard's occluded rows go."""

    @property
    def rows(self) -> int:
        """How many have gone there."""

    def add(self, rows: list[tuple[Condition, Overlay, bytes]], common: dict[str, Any], first_row: int) -> None:
        """Write all conditions of one clean image.

        Args:
            rows: (condition, overlay, encoded image), in row order.
            common: the columns in which they agree: key and label or labels.
            first_row: row id of the first.
        """


@contextmanager
def parquet_rows(
    path: Path, recipe: Recipe, classes: list[str], multi_label: bool, suffix: str
) -> Iterator[OccludedFile]:
    """Open a Parquet file of occluded rows; it appears when the block ends without an error."""
    measures = recipe.measures()
    schema = occluded_schema(classes, multi_label, measures)
    with parquet_writer(path, schema, coded=recipe.storage.occluded == "jpeg") as writer:
        yield _ParquetRows(writer, suffix, variants_per_group(recipe), measures)


@contextmanager
def tar_rows(path: Path, recipe: Recipe, suffix: str) -> Iterator[OccludedFile]:
    """Open a tar file of occluded rows; it appears when the block ends without an error."""
    with tar_writer(path, suffix) as tar:
        yield _TarRows(tar, recipe.measures())


@dataclass(frozen=True)
class _ParquetRows:
    """Writes all conditions of one clean image as one row group, or several where the images are very large."""

    writer: RowWriter
    suffix: str
    rows_per_group: int
    measures: tuple[str, ...]

    @property
    def rows(self) -> int:
        return self.writer.rows

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
                    **{name: [overlay.measured.get(name) for _, overlay, _ in part] for name in self.measures},
                    "row": list(range(first_row + start, first_row + start + len(part))),
                }
            )


@dataclass(frozen=True)
class _TarRows:
    """Writes every row as the members of one tar sample."""

    tar: TarShard
    measures: tuple[str, ...]

    @property
    def rows(self) -> int:
        return self.tar.rows

    def add(self, rows: list[tuple[Condition, Overlay, bytes]], common: dict[str, Any], first_row: int) -> None:
        for number, (condition, overlay, image) in enumerate(rows):
            row = {"condition": condition.name, "group": condition.group, "achieved": overlay.achieved}
            row |= {name: overlay.measured.get(name) for name in self.measures}
            self.tar.write(image, {**common, **row, "row": first_row + number})
