"""Scoring a matrix of images x conditions wholly, or as much of it as a promised precision needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.classify import Pixels, classify, logits_of
from occbench.bench.outcomes import Outcomes
from occbench.bench.partial import PartialMatrix, cell_files
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.precision import CellDesign, Estimate, score_until
from occbench.bench.predictions import read_outcomes
from occbench.bench.score import TestSet, score
from occbench.core.types import CLEAN

__all__ = ["MatrixScorer", "ScoredPart"]

Indices = NDArray[np.int64]

#: Cells in a file of partial predictions: as much as a killed run may lose.
_CELLS_PER_FILE: Final = 8192


@dataclass(frozen=True, eq=False)
class ScoredPart:
    """Part of a matrix: its outcomes with ``seen``, and what they say about the occluded average of all of it."""

    top1: Outcomes
    top5: Outcomes
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class MatrixScorer:
    """One model on one test set; predictions that are in the folder already are never made again.

    Attributes:
        pipeline: the model's input side.
        test: clean images and conditions, ``clean`` first.
        pixels: of occluded cells that are classified in mixed batches.
        by_condition: whether ``bench.score`` may render whole conditions instead, which makes no copies of overlays.
        folder: of blocks and cells.
        batch_size: images in a forward pass.
        on_progress: told how many more predictions were made.
    """

    pipeline: Pipeline
    test: TestSet
    pixels: Pixels
    by_condition: bool
    folder: Path
    batch_size: int
    on_progress: Callable[[int], None]

    def score_all(self) -> int:
        """Write the block of every condition; return how many images were classified now."""
        if self.by_condition and not cell_files(self.folder):
            return self._score(self.test)
        classified = self.score_clean()
        matrix = self._matrix()
        todo = np.argwhere(~matrix.seen)  # image by image, the order in which stored rows lie
        for start in range(0, len(todo), _CELLS_PER_FILE):
            images, columns = todo[start : start + _CELLS_PER_FILE].T
            self._classify(matrix, images, columns)
        matrix.write_blocks()
        return classified + len(todo)

    def score_until(self, half_width: float) -> tuple[ScoredPart | None, int]:
        """Score balanced parts until the occluded average of the whole is known as well as asked.

        Args:
            half_width: at 95 %, a share.

        Returns:
            The part, None where it came to be the whole and every block is there, and how many images were classified.

        Raises:
            ConfigError: a half-width outside (0, 1).
        """
        classified = self.score_clean()
        matrix = self._matrix()
        known = np.count_nonzero(matrix.seen)

        def hits(images: Indices, columns: Indices) -> NDArray[np.bool_]:
            new = ~matrix.seen[images, columns]
            if new.any():
                self._classify(matrix, images[new], columns[new])
            return matrix.hits(images, columns)

        _, seen, estimate = score_until(CellDesign(*matrix.seen.shape), hits, half_width)
        classified += int(np.count_nonzero(matrix.seen) - known)
        if matrix.seen.all():
            matrix.write_blocks()
            return None, classified
        top1, top5 = (self._outcomes(matrix, seen, metric) for metric in ("top1", "top5"))
        return ScoredPart(top1, top5, estimate), classified

    def score_clean(self) -> int:
        """Write the block of the clean column; return how many images were classified now."""
        return self._score(replace(self.test, conditions=(CLEAN,)))

    def _outcomes(self, matrix: PartialMatrix, seen: NDArray[np.bool_], metric: str) -> Outcomes:
        clean = read_outcomes(self.folder, (CLEAN,), metric)
        correct = np.concatenate([clean.correct, matrix.matrix(metric)], axis=1)
        scored = np.concatenate([np.ones((len(seen), 1), dtype=np.bool_), seen], axis=1)
        return Outcomes(correct, clean.labels, self.test.conditions, scored)

    def _score(self, test: TestSet) -> int:
        return score(
            lambda inputs: logits_of(self.pipeline, inputs), self.pipeline, test, self.folder, cache=ActivationCache(0),
            batch_size=self.batch_size, on_block=lambda _: self.on_progress(len(test.images)),
        )  # fmt: skip

    def _matrix(self) -> PartialMatrix:
        return PartialMatrix(self.folder, self.test.images.labels, self.test.conditions[1:])

    def _classify(self, matrix: PartialMatrix, images: Indices, columns: Indices) -> None:
        cells = images, columns
        matrix.record(images, columns, classify(self.pipeline, self.pixels, matrix.labels, cells, self.batch_size))
        self.on_progress(len(images))
