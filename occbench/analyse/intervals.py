"""Means over images with their intervals: cells of one image stand or fall together, so the image is the unit.

With complete predictions this is the cluster-robust interval of ``measures.statistics``, for any value an image has: a
share of right answers, a difference of two such shares, a squared error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.outcomes import Outcomes
from occbench.core.errors import ConfigError

__all__ = ["Estimate", "over_images", "shares_by_image"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over images with its 95 % interval for other images; in the unit of what was averaged.

    Attributes:
        value: the mean.
        low: lower end.
        high: upper end.
        n_images: images averaged.
    """

    value: float
    low: float
    high: float
    n_images: int

    def scaled(self, factor: float) -> "Estimate":
        """Return the estimate in another unit (100 for percentage points)."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Estimate(self.value * factor, low, high, self.n_images)

    def as_share(self) -> "Estimate":
        """Return the estimate of a share: its interval cut to [0, 1]."""
        return Estimate(self.value, max(0.0, self.low), min(1.0, self.high), self.n_images)

    def as_json(self) -> dict[str, float]:
        """Return it as JSON values, rounded to what is worth keeping."""
        return {
            "value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6),
            "images": self.n_images,
        }  # fmt: skip


def over_images(values: NDArray[np.floating]) -> Estimate:
    """Return the mean of one value per image with Student's t interval.

    Args:
        values: float[n_images].

    Raises:
        ConfigError: fewer than two images.
    """
    from scipy.stats import t

    count = len(values)
    if count < 2:
        raise ConfigError(f"an interval over images needs 2 of them, found {count}: take more images.")
    mean = float(np.mean(values))
    half = float(t.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def shares_by_image(per_seed: Sequence[Outcomes], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return float64[n_images]: every image's share of right answers over some conditions, and over seeds.

    Args:
        per_seed: one entry per training seed, all scored on the same complete test set.
        columns: indices of conditions.

    Raises:
        ConfigError: predictions that are not complete (``--half-width``).
    """
    if any(model.seen is not None and not model.seen.all() for model in per_seed):
        raise ConfigError(
            "the analysis needs every prediction, and a run was scored in part: run the benchmark again without "
            "--half-width, which scores the others."
        )
    means = [model.hits[:, columns].mean(axis=1) for model in per_seed]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)
