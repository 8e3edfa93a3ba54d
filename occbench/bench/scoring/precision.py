"""Scoring only as many cells as a promised precision needs, for ``--half-width 0.25`` (half-width in points).

The promise is about the **full matrix**, a finite population: with the stated confidence (95 %) the estimate lies
within the half-width of the pattern average that scoring every image under every occluded condition would give. It is
not about other images; for that, use ``measures.statistics`` on what was scored.

Design. Images are put in random order and cut into squads of L = ceil(conditions / conditions_per_image). Each squad
deals the conditions, in its own random order, into L hands. In round r image l of a squad is scored under hand
(l + r) mod L: a Latin square, so that a whole squad scores every condition exactly once a round, an image never meets a
condition twice, and after L rounds the matrix is full. A block is a run of squads in one round. All models scored by
the same design see prefixes of the same sequence, so they stay paired on the shorter one.

Estimator. With p_c the accuracy of condition c on its scored cells, the estimate is mean_c(p_c) plus the mean over
scored images of the image's mean residual y_ic - p_c: images weigh the same however many of their cells were scored.
Its variance is that of two-stage sampling (Cochran, "Sampling Techniques", 10.3): images, then conditions of an image,
with both finite-population corrections, so it is zero when the matrix is full.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream

__all__ = ["CellDesign", "Estimate", "check_half_width", "estimate", "score_until"]

Images = NDArray[np.int64]
Conditions = NDArray[np.int64]

#: No decision to stop on fewer images than this: the variance of a few images is too uncertain to trust.
_MINIMUM_IMAGES: Final = 200


def check_half_width(half_width: float | None) -> None:
    """Refuse a promise that makes no sense.

    Raises:
        ConfigError: a half-width, a share, that is not above 0 and below 1; None, which scores everything, is none.
    """
    if half_width is not None and not 0 < half_width < 1:
        raise ConfigError(
            f"--half-width asks for a half-width above 0 and below 100 percentage points, found {100 * half_width:g}."
        )


@dataclass(frozen=True)
class CellDesign:
    """A random order of all cells of an images x conditions matrix, in balanced blocks. Leave the clean column out.

    Attributes:
        n_images: rows of the matrix.
        n_conditions: columns, the occluded conditions.
        conditions_per_image: how many conditions an image is scored under in one round, at most.
        images_per_block: how many images a block holds, rounded to whole squads.
        seed: names the random order.

    Raises:
        ConfigError: a number below one, or fewer than two conditions per image.
    """

    n_images: int
    n_conditions: int
    conditions_per_image: int = 4
    images_per_block: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_images", "n_conditions", "images_per_block"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, found {getattr(self, name)}.")
        if self.conditions_per_image < 2:
            raise ConfigError(
                f"conditions_per_image must be at least 2, found {self.conditions_per_image}: "
                "one cell of an image cannot tell how much its conditions differ."
            )

    @property
    def rounds(self) -> int:
        """L: images in a squad, hands, and rounds until the matrix is full."""
        return math.ceil(self.n_conditions / self.conditions_per_image)

    @property
    def n_blocks(self) -> int:
        """How many blocks the full matrix has."""
        return self.rounds * self._blocks_per_round

    def block(self, index: int) -> tuple[Images, Conditions]:
        """Return the cells of block ``index`` as two int64 arrays of equal length, image by image.

        Raises:
            IndexError: no such block.
        """
        if not 0 <= index < self.n_blocks:
            raise IndexError(f"block {index} of {self.n_blocks} was asked")
        turn, part = divmod(index, self._blocks_per_round)
        images: list[Images] = []
        conditions: list[Conditions] = []
        squads = range(part * self._squads_per_block, min((part + 1) * self._squads_per_block, self._squads))
        for squad in squads:
            hands = self._hands(squad)
            members = self._order[squad * self.rounds : (squad + 1) * self.rounds]
            for place, image in enumerate(members):
                hand = hands[(place + turn) % self.rounds]
                images.append(np.full(len(hand), image))
                conditions.append(hand)
        return np.concatenate(images), np.concatenate(conditions)

    def prefix(self, n_cells: int) -> NDArray[np.bool_]:
        """Return bool[n_images, n_conditions]: the cells of the first blocks that hold ``n_cells`` cells together."""
        seen = np.zeros((self.n_images, self.n_conditions), dtype=np.bool_)
        held = 0
        for index in range(self.n_blocks):
            if held >= n_cells:
                break
            images, conditions = self.block(index)
            seen[images, conditions] = True
            held += len(images)
        return seen

    def _hands(self, squad: int) -> list[Conditions]:
        dealt = stream(self.seed, "precision", self.n_images, squad, "conditions").permutation(self.n_conditions)
        return np.array_split(dealt, self.rounds)

    @cached_property
    def _order(self) -> Images:
        return stream(self.seed, "precision", self.n_images, "images").permutation(self.n_images)

    @property
    def _squads(self) -> int:
        return math.ceil(self.n_images / self.rounds)

    @property
    def _squads_per_block(self) -> int:
        return max(1, round(self.images_per_block / self.rounds))

    @property
    def _blocks_per_round(self) -> int:
        return math.ceil(self._squads / self._squads_per_block)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What part of the matrix says about the whole of it.

    Attributes:
        value: the estimated pattern average of the full matrix, a share.
        half_width: of its confidence interval, a share; 0 when the matrix is full, infinite when nothing can be said.
        n_images: images with a scored cell.
        n_cells: scored cells.
    """

    value: float
    half_width: float
    n_images: int
    n_cells: int


def estimate(correct: NDArray[np.bool_], seen: NDArray[np.bool_], confidence: float = 0.95) -> Estimate:
    """Estimate the full matrix's mean from the cells that a ``CellDesign`` had scored.

    Args:
        correct: bool[n_images, n_conditions]; unseen cells are not read.
        seen: bool[n_images, n_conditions].
        confidence: of the half-width, in (0, 1).

    Raises:
        DatasetError: a condition without a scored cell.
    """
    per_condition = np.count_nonzero(seen, axis=0)
    if not per_condition.all():
        raise DatasetError(
            f"{np.count_nonzero(per_condition == 0)} of {len(per_condition)} conditions have no scored image: "
            "score at least one whole block."
        )
    rows = np.flatnonzero(seen.any(axis=1))
    seen_rows = seen[rows]
    accuracy = np.count_nonzero(correct & seen, axis=0) / per_condition
    residuals = np.where(seen_rows, correct[rows] - accuracy, 0.0)
    cells = np.count_nonzero(seen_rows, axis=1)
    image_means = residuals.sum(axis=1) / cells
    return Estimate(
        value=float(accuracy.mean() + image_means.mean()),
        half_width=NormalDist().inv_cdf(0.5 + confidence / 2)
        * math.sqrt(_two_stage_variance(residuals, image_means, cells, len(seen))),
        n_images=len(rows),
        n_cells=int(cells.sum()),
    )


def score_until(
    design: CellDesign,
    score: Callable[[Images, Conditions], NDArray[np.bool_]],
    half_width: float,
    confidence: float = 0.95,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Estimate]:
    """Score block after block until the promise is kept; at the latest when the matrix is full.

    Args:
        design: the order of the cells.
        score: (images, conditions) of a block -> bool, right or wrong, for each of its cells.
        half_width: what is promised, a share: 0.0025 for ``--half-width 0.25``.
        confidence: of the promise.

    Returns:
        correct: bool[n_images, n_conditions], False where unseen.
        seen: bool[n_images, n_conditions].
        estimate: its half-width is at most what was asked.

    Raises:
        ConfigError: a half-width outside (0, 1).
    """
    if not 0 < half_width < 1:
        raise ConfigError(
            f"a precision is a half-width in (0, 1) as a share (0.0025 is 0.25 points), found {half_width}."
        )
    correct = np.zeros((design.n_images, design.n_conditions), dtype=np.bool_)
    seen = np.zeros_like(correct)
    for index in range(design.n_blocks):
        images, conditions = design.block(index)
        correct[images, conditions] = score(images, conditions)
        seen[images, conditions] = True
        enough = np.count_nonzero(seen.any(axis=1)) >= min(_MINIMUM_IMAGES, design.n_images)
        if enough and seen.any(axis=0).all():
            found = estimate(correct, seen, confidence)
            if found.half_width <= half_width:
                return correct, seen, found
    return correct, seen, estimate(correct, seen, confidence)


def _two_stage_variance(
    residuals: NDArray[np.float64], image_means: NDArray[np.float64], cells: NDArray[np.int64], population: int
) -> float:
    """Return the variance of the mean of ``image_means``: images drawn from ``population``, then conditions of each."""
    n_images, n_conditions = residuals.shape
    n_cells = int(cells.sum())
    if n_cells == population * n_conditions:
        return 0.0
    if n_images < 2 or n_cells <= n_conditions:
        return math.inf
    drawn = n_images / population
    between = float(image_means.var(ddof=1))
    within = (float((residuals**2).sum()) - float(cells @ image_means**2)) / max(1, n_cells - n_images)
    unscored = float(((1 - cells / n_conditions) / cells).mean())
    # the residuals are from fitted condition means, which took n_conditions degrees of freedom
    fitted = n_cells / (n_cells - n_conditions)
    # Chow and Robbins (1965): the 1 / n keeps a sequence of looks from stopping on a variance that is small by luck
    variance = fitted * ((1 - drawn) * (between + 1 / n_images) + drawn * within * unscored) / n_images
    return float(variance)
