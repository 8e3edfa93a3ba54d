"""What is left to do of a cell, read from its directory: epochs to train and predictions to make."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.bench.images.materials import Materials
from occbench.bench.protocol.cell import Cell
from occbench.bench.scoring.partial import cell_files
from occbench.bench.scoring.score import missing_conditions
from occbench.bench.scoring.test_set import test_set
from occbench.core.run_folder import RunFolder

__all__ = ["Left", "left_of", "sum_of"]


@dataclass(frozen=True)
class Left:
    """Work that no earlier run has done.

    Attributes:
        epochs: to train.
        predictions: to make at most; a precision may need fewer.
    """

    epochs: int = 0
    predictions: int = 0

    def __bool__(self) -> bool:
        return bool(self.epochs or self.predictions)


def left_of(cell: Cell, materials: Materials, runs: Path, *, scored: bool = True) -> Left:
    """Return what is left of a cell.

    Args:
        cell: which one.
        materials: images of its benchmark.
        runs: folder of all runs.
        scored: whether the cell is scored after its training; a warm-up is not.
    """
    home = RunFolder(runs / cell.fingerprint)
    if not scored:
        return Left(_epochs_left(cell, home))
    test = test_set(materials)
    scores = home.scores(test.fingerprint)
    missing = len(missing_conditions(test.conditions, scores))
    finished = not missing and home.finished
    kept = sum(map(_rows, cell_files(scores))) if missing else 0
    predictions = max(0, missing * len(test.images) - kept)
    return Left(0 if finished else _epochs_left(cell, home), predictions)


def sum_of(parts: Iterable[Left]) -> Left:
    """Return all of it together."""
    found = list(parts)
    return Left(sum(part.epochs for part in found), sum(part.predictions for part in found))


def _epochs_left(cell: Cell, home: RunFolder) -> int:
    if home.checkpoint.is_file() or not cell.arm.build().has_epochs:
        return 0
    done = len(home.curves.read_text(encoding="utf-8").splitlines()) - 1 if home.curves.is_file() else 0
    return max(0, cell.benchmark.train.epochs - done)


def _rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowInvalid):
        return 0  # whoever reads its content will complain
