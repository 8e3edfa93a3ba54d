"""Predictions of single image x condition cells on disk, so that no cell of a test matrix is ever scored twice.

``cells-<number>.parquet``, each written whole, hold the columns of ``scoring.predictions`` and the condition's name.
They stand beside the blocks until every block is there, and then go: the blocks hold the same numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.scoring.precision import CellDesign
from occbench.bench.scoring.predictions import block_file, read_outcomes, write_block
from occbench.core.errors import DatasetError
from occbench.core.files import whole_file
from occbench.core.types import CLEAN, Condition

__all__ = ["PartialMatrix", "cell_files", "read_part"]

_ANSWERS: Final = {"top1": np.int32, "top5": np.bool_, "p_label": np.float32, "margin": np.float32}
_SCHEMA: Final = pa.schema(
    [
        ("image", pa.int32()),
        ("condition", pa.string()),
        ("label", pa.int32()),
        ("top1", pa.int32()),
        ("top5", pa.bool_()),
        ("p_label", pa.float32()),
        ("margin", pa.float32()),
    ]
)

Indices = NDArray[np.int64]


class PartialMatrix:
    """What is known of an images x conditions matrix, from blocks and from cells (13 bytes a cell in memory).

    Attributes:
        seen: bool[n_images, n_conditions], which cells are known.
        labels: int64[n_images].
        conditions: the columns.
    """

    def __init__(self, folder: Path, labels: Tensor, conditions: Sequence[Condition]) -> None:
        """Read what the folder holds.

        Raises:
            DatasetError: a file that is damaged or of another test set.
        """
        self.labels = labels
        self.conditions = tuple(conditions)
        self._folder = folder
        shape = (len(labels), len(self.conditions))
        self.seen = np.zeros(shape, dtype=np.bool_)
        self._answers: dict[str, NDArray[Any]] = {name: np.zeros(shape, dtype) for name, dtype in _ANSWERS.items()}
        column_of = {condition.name: column for column, condition in enumerate(self.conditions)}
        for path in cell_files(folder):
            table = self._read(path, ["image", "condition", "label", *_ANSWERS])
            names = table["condition"].to_pylist()
            if unknown := set(names) - set(column_of):
                raise DatasetError(f"{path} has the condition {unknown.pop()}, the test set has not: delete the file.")
            self._take(path, table, np.array([column_of[name] for name in names], dtype=np.int64))
        for name, column in column_of.items():
            if (path := block_file(folder, self.conditions[column])).is_file():
                table = self._read(path, ["image", "label", *_ANSWERS])
                self._take(path, table, np.full(len(table), column_of[name]))

    def matrix(self, metric: str) -> NDArray[np.bool_]:
        """Return bool[n_images, n_conditions], right or wrong by ``top1`` or ``top5``; False where unknown."""
        if metric == "top5":
            return np.asarray(self._answers["top5"] & self.seen)
        return np.asarray((self._answers["top1"] == self.labels.numpy()[:, None]) & self.seen)

    def outcomes(self, seen: NDArray[np.bool_], metric: str) -> Outcomes:
        """Return what is known as outcomes, the clean column first, whose block must be there.

        Args:
            seen: bool[n_images, n_conditions], the known cells to tell of.
            metric: ``top1`` or ``top5``.

        Raises:
            DatasetError: the clean column's block is missing or damaged, or a condition has no such cell.
        """
        clean = read_outcomes(self._folder, (CLEAN,), metric)
        told = seen & self.seen
        return Outcomes(
            np.concatenate([clean.correct, self.matrix(metric)], axis=1),
            clean.labels,
            (CLEAN, *self.conditions),
            np.concatenate([np.ones((len(told), 1), dtype=np.bool_), told], axis=1),
        )

    def hits(self, images: Indices, columns: Indices) -> NDArray[np.bool_]:
        """Return bool[K], top-1 right or wrong, of K known cells."""
        return np.asarray(self._answers["top1"][images, columns] == self.labels.numpy()[images])

    def record(self, images: Indices, columns: Indices, found: Sequence[Tensor]) -> None:
        """Keep the answers of cells: on disk first, whole or not at all, then in memory.

        Args:
            images: int64[K].
            columns: int64[K].
            found: as ``predictions.answers`` returns it, K each.
        """
        held = dict(zip(_ANSWERS, (value.cpu().numpy() for value in found), strict=True))
        written = cell_files(self._folder)
        number = int(written[-1].stem.partition("-")[2]) + 1 if written else 0
        values = {
            "image": images,
            "condition": [self.conditions[column].name for column in columns],
            "label": self.labels.numpy()[images],
            **held,
        }
        table = pa.table({field.name: pa.array(values[field.name], field.type) for field in _SCHEMA}, schema=_SCHEMA)
        with whole_file(self._folder / f"cells-{number:06}.parquet") as temporary:
            pq.write_table(table, temporary, compression="zstd")
        self._keep(images, columns, held)

    def write_blocks(self) -> None:
        """Write the block of every condition that has none, then remove the cells; the matrix must be full.

        Raises:
            DatasetError: a cell is unknown.
        """
        if not self.seen.all():
            raise DatasetError(f"{np.count_nonzero(~self.seen)} cells of {self._folder} are not scored: score them.")
        for column, condition in enumerate(self.conditions):
            if not (path := block_file(self._folder, condition)).is_file():
                found = [torch.from_numpy(held[:, column].copy()) for held in self._answers.values()]
                write_block(path, condition, self.labels, found)
        for path in cell_files(self._folder):
            path.unlink()

    def _read(self, path: Path, columns: list[str]) -> pa.Table:
        try:
            return pq.read_table(path, columns=columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(f"{path} cannot be read: {error}. Delete it and run again.") from error

    def _take(self, path: Path, table: pa.Table, columns: Indices) -> None:
        images = table["image"].to_numpy().astype(np.int64)
        fits = len(images) == 0 or (images.min() >= 0 and images.max() < len(self.labels))
        if not fits or not np.array_equal(table["label"].to_numpy(), self.labels.numpy()[images]):
            raise DatasetError(f"{path} was scored on other images than this test set's: delete the folder.")
        self._keep(images, columns, {name: table[name].to_numpy() for name in _ANSWERS})

    def _keep(self, images: Indices, columns: Indices, held: dict[str, NDArray[Any]]) -> None:
        self.seen[images, columns] = True
        for name, values in held.items():
            self._answers[name][images, columns] = values


def cell_files(folder: Path) -> list[Path]:
    """Return the files of cells in a folder, in the order they were written."""
    return sorted(folder.glob("cells-*.parquet"))


def read_part(folder: Path, conditions: Sequence[Condition], n_cells: int, metric: str) -> Outcomes:
    """Read the part of a test set that was scored to meet a precision, the clean column first.

    Cells that a later, interrupted call added are left out: they are no random part.

    Args:
        folder: of blocks and cells.
        conditions: the occluded ones, in the order in which they were scored.
        n_cells: how many cells the part has.
        metric: ``top1`` or ``top5``.

    Raises:
        DatasetError: a file is missing or damaged.
    """
    labels = read_outcomes(folder, (CLEAN,)).labels
    matrix = PartialMatrix(folder, torch.from_numpy(labels.astype(np.int64)), conditions)
    seen = CellDesign(*matrix.seen.shape).prefix(n_cells)
    if missing := int(np.count_nonzero(seen & ~matrix.seen)):
        raise DatasetError(f"{folder} lacks {missing} of {n_cells} scored cells: run the benchmark again.")
    return matrix.outcomes(seen, metric)
