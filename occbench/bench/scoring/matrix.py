"""Scoring a matrix of images x conditions wholly, or as much of it as a promised precision needs."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.batches.augment import Geometry
from occbench.bench.batches.batch import ImageBatch, silhouettes
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.scoring.classify import Answer, Pixels, classify, logits_of
from occbench.bench.scoring.partial import PartialMatrix, cell_files
from occbench.bench.scoring.precision import CellDesign, Estimate, score_until
from occbench.bench.scoring.score import Predict, image_name, score
from occbench.bench.scoring.test_set import TestSet
from occbench.core.errors import ConfigError
from occbench.core.tasks import MULTI_LABEL
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
        by_condition: whether ``scoring.score`` may render whole conditions instead, which makes no copies of overlays.
        folder: of blocks and cells.
        batch_size: images in a forward pass.
        on_progress: told how many more predictions were made.
        predict: how a batch is classified; the bare model by default.
        mixed: as for ``scoring.score.score``.
        on_column: called before every column that is scored as a whole.
        cache: activations of frozen stages, shared between models that have the same ones.
    """

    pipeline: Pipeline
    test: TestSet
    pixels: Pixels
    by_condition: bool
    folder: Path
    batch_size: int
    on_progress: Callable[[int], None]
    predict: Predict | None = None
    mixed: bool = False
    on_column: Callable[[], None] = lambda: None
    cache: ActivationCache = field(default_factory=lambda: ActivationCache(0))

    def score_all(self) -> int:
        """Write the block of every condition; return how many images were classified now."""
        if self.by_condition and not cell_files(self.folder):
            return self._score(self.test)
        if self.test.images.task is MULTI_LABEL:
            raise ConfigError("stored images with several labels are scored as they are rendered: leave --stored out.")
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
            ConfigError: a half-width outside (0, 1), or a test set without a clean column.
        """
        if self.test.images.task is MULTI_LABEL:
            raise ConfigError(
                "--half-width is of accuracies, and mAP is no mean over images: leave it out where images have several "
                "labels."
            )
        if CLEAN not in self.test.conditions:
            raise ConfigError(
                "--half-width needs a clean column beside the part, and this test set has none: leave it out."
            )
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
        return ScoredPart(matrix.outcomes(seen, "top1"), matrix.outcomes(seen, "top5"), estimate), classified

    def score_clean(self) -> int:
        """Write the block of the clean column; return how many images were classified now."""
        return self._score(replace(self.test, conditions=(CLEAN,)))

    def _score(self, test: TestSet) -> int:
        return score(
            self.predict or (lambda inputs, _: logits_of(self.pipeline, inputs)), self.pipeline, test, self.folder,
            cache=self.cache, batch_size=self.batch_size, mixed=self.mixed, on_start=self.on_column,
            on_images=self.on_progress,
        )  # fmt: skip

    def _matrix(self) -> PartialMatrix:
        return PartialMatrix(self.folder, self.test.images.labels, self.test.occluded)

    def _classify(self, matrix: PartialMatrix, images: Indices, columns: Indices) -> None:
        answer = None if self.predict is None else self._answer(self.predict)
        found = classify(
            self.pipeline, self.pixels, matrix.labels, (images, columns), batch_size=self.batch_size, answer=answer
        )
        matrix.record(images, columns, found)
        self.on_progress(len(images))

    def _answer(self, predict: Predict) -> Answer:
        """Return ``predict`` for mixed batches, with the images behind the inputs as ``scoring.score`` shows them."""
        shown, conditions, device = self.test.images, self.test.occluded, self.pipeline.device

        def answer(inputs: Tensor, pixels: Tensor, images: Indices, columns: Indices) -> Tensor:
            cells = zip(images.tolist(), columns.tolist(), strict=True)
            batch = ImageBatch(
                lambda: pixels.to(device).float(),
                lambda: silhouettes(shown, images.tolist(), Geometry(), device),
                [image_name(shown.keys[image], conditions[column]) for image, column in cells],
            )
            return predict(inputs, batch)

        return answer
