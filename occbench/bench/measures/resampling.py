"""The bootstrap over images: draws that are joint over arms and groups, paired differences, and Holm's correction.

One draw gives every image a weight (how often it was drawn, with replacement) and applies it to all conditions of all
arms: cells of an image stay together and arms stay paired. Values are shares in [0, 1]; ``joint_draws`` alone speaks
percentage points, the unit of claims.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.outcomes import AVERAGE, Outcomes, check_paired
from occbench.bench.measures.statistics import Interval
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream

__all__ = [
    "DRAWS", "Difference", "bootstrap_interval", "bootstrap_means", "holm", "image_weights", "joint_draws",
    "paired_difference", "percentiles", "seed_deviations",
]  # fmt: skip

#: Draws in everything that we print.
DRAWS: Final = 10_000
#: Below this many cells of a condition a draw may well contain none of them (the chance is about exp(-cells)).
_MINIMUM_CELLS: Final = 20
#: Image weights made at a time, 32 MB of them.
_CHUNK: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference between two arms, left minus right.

    Attributes:
        value: the difference, a share.
        low: lower end of the confidence interval.
        high: upper end.
        p_value: two-sided, of no difference; not corrected for other comparisons (see ``holm``).
        n_images: images with at least one scored cell.
        n_cells: scored cells of each arm.
    """

    value: float
    low: float
    high: float
    p_value: float
    n_images: int
    n_cells: int


def bootstrap_means(
    arms: Sequence[Outcomes], groups: Sequence[str], seed: int, draws: int = DRAWS
) -> NDArray[np.float64]:
    """Return float64[draws, n_arms, n_groups]: the groups' accuracies on resampled images, the same for all arms.

    Images without any scored cell are not resampled. The draws depend on ``seed`` and on how many images there are,
    on nothing else, so that numbers from separate calls may be compared.

    Raises:
        ConfigError: no such group, or no arm.
        DatasetError: the arms were scored on different cells, or a condition on too few images to resample.
    """
    check_paired(arms)
    first = arms[0]
    columns = [first.columns(group) for group in groups]
    if first.seen is None or bool(first.seen.all()):
        counts = [np.count_nonzero(arm.hits[:, chosen], axis=1) for arm in arms for chosen in columns]
        sums = _resampled_sums(np.stack(counts, axis=1), seed, draws).reshape(draws, len(arms), len(groups))
        cells = len(first.labels) * np.array([len(chosen) for chosen in columns], dtype=np.float64)
        return np.asarray(sums / cells, dtype=np.float64)
    used = np.unique(np.concatenate(columns))
    few = int(first.cells_by_condition[used].min())
    if few < _MINIMUM_CELLS:
        raise DatasetError(
            f"a bootstrap needs {_MINIMUM_CELLS} scored images under every condition, found {few}: score more images."
        )
    present = first.seen[:, used].any(axis=1)
    parts = [matrix[np.ix_(present, used)] for matrix in (first.seen, *(arm.hits for arm in arms))]
    sums = _resampled_sums(np.concatenate(parts, axis=1), seed, draws).reshape(draws, 1 + len(arms), len(used))
    ratios = sums[:, 1:] / sums[:, :1]
    means = [ratios[:, :, np.searchsorted(used, chosen)].mean(axis=2) for chosen in columns]
    return np.stack(means, axis=2)


def bootstrap_interval(
    outcomes: Outcomes, group: str = AVERAGE, *, seed: int = 0, draws: int = DRAWS, confidence: float = 0.95
) -> Interval:
    """Return the percentile interval of a group's accuracy; ``clustered_interval`` is its analytic twin.

    Raises:
        ConfigError: no such group.
        DatasetError: too few scored images under a condition.
    """
    means = bootstrap_means([outcomes], [group], seed, draws)[:, 0, 0]
    columns = outcomes.columns(group)
    value = float(outcomes.accuracy[columns].mean())
    return Interval(value, *percentiles(means, value, confidence), *outcomes.counts(columns))


def joint_draws(
    arms: Mapping[str, Sequence[Outcomes]], groups: Sequence[str], *, seed: int = 0, draws: int = DRAWS
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return the jointly resampled accuracy of every (arm, group), float64[draws], in percentage points: for claims.

    An arm's value is the mean over its training seeds. Images are resampled together for all arms; where an arm has
    several seeds, resampled deviations of its seeds from their mean are added, scaled by sqrt(s / (s - 1)) for s seeds,
    so that the draws' variance is the images' plus that of a mean over s seeds. Seeds of different arms are taken for
    independent. With one seed the draws speak of that one model.

    Args:
        arms: name -> one entry per training seed.
        groups: condition groups, or ``avg``.
        seed: of the draws.
        draws: how many.

    Raises:
        ConfigError: no such group, or no arm.
        DatasetError: the arms were scored on different cells, or a condition on too few images.
    """
    models = [model for trained in arms.values() for model in trained]
    means = 100.0 * bootstrap_means(models, groups, seed, draws)
    joint: dict[tuple[str, str], NDArray[np.float64]] = {}
    start = 0
    for arm, trained in arms.items():
        points = np.array(
            [[100.0 * model.accuracy[model.columns(group)].mean() for group in groups] for model in trained]
        )
        values = means[:, start : start + len(trained)].mean(axis=1) + seed_deviations(arm, points, seed, draws)
        joint.update({(arm, group): values[:, index] for index, group in enumerate(groups)})
        start += len(trained)
    return joint


def paired_difference(
    left: Outcomes,
    right: Outcomes,
    group: str = AVERAGE,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    confidence: float = 0.95,
) -> Difference:
    """Return left minus right on the same images, with the percentile interval of the paired bootstrap.

    The p-value is twice the smaller share of draws on either side of zero, counting one draw more than there are
    (Davison and Hinkley, "Bootstrap Methods and their Application", 4.2), so it is at least 2 / (draws + 1).

    Raises:
        ConfigError: no such group.
        DatasetError: the two were scored on different cells, or a condition on too few images.
    """
    means = bootstrap_means([left, right], [group], seed, draws)[:, :, 0]
    differences = means[:, 0] - means[:, 1]
    columns = left.columns(group)
    smaller_side = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    value = float((left.accuracy[columns] - right.accuracy[columns]).mean())
    return Difference(
        value,
        *percentiles(differences, value, confidence),
        min(1.0, 2 * (1 + smaller_side) / (draws + 1)),
        *left.counts(columns),
    )


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's corrected p-value of every comparison of a family; the family-wise error stays below the level.

    Raises:
        ConfigError: a value that is no probability.
    """
    from statsmodels.stats.multitest import multipletests

    wrong = [name for name, p_value in p_values.items() if not 0 <= p_value <= 1]
    if wrong:
        raise ConfigError(f"a p-value lies in [0, 1], {wrong[0]} has {p_values[wrong[0]]}.")
    if not p_values:
        return {}
    corrected = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, corrected), strict=True))


def _resampled_sums(counts: NDArray[np.generic], seed: int, draws: int) -> NDArray[np.float64]:
    """Return float64[draws, k]: the sums of the columns of ``counts`` [n, k] over resampled images."""
    # float32 holds integers below 2**24 exactly, at twice the speed: the sums then do not depend on the BLAS
    largest = len(counts) * int(counts.max(initial=1))
    columns = counts.astype(np.float32 if largest < 2**24 else np.float64)
    blocks = [weights.astype(columns.dtype) @ columns for weights in image_weights(len(counts), seed, draws)]
    return np.concatenate(blocks).astype(np.float64)


def image_weights(count: int, seed: int, draws: int) -> Iterator[NDArray[np.int64]]:
    """Yield int64[rows, count] blocks of ``draws`` rows in all: how often each image was drawn in ``count`` draws."""
    random = stream(seed, "bench", count, "bootstrap")
    rows = max(1, _CHUNK // count)
    for start in range(0, draws, rows):
        size = min(rows, draws - start)
        drawn = random.integers(count, size * count).reshape(size, count)
        drawn += np.arange(size)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)


def seed_deviations(arm: str, points: NDArray[np.float64], seed: int, draws: int) -> NDArray[np.float64]:
    """Return float64[draws, n], in the unit of the points: resampled deviations of the mean over training seeds.

    Args:
        arm: names the draws: seeds of different arms are independent.
        points: float64[n_seeds, n], the values of every seed.
        seed: of the draws.
        draws: how many.
    """
    count = len(points)
    if count == 1:
        return np.zeros((draws, points.shape[1]))
    deviations = (points - points.mean(axis=0)) * math.sqrt(count / (count - 1))
    chosen = stream(seed, "bench", arm, count, "seeds").integers(count, draws * count).reshape(draws, count)
    return np.asarray(deviations[chosen].mean(axis=1), dtype=np.float64)


def percentiles(draws: NDArray[np.float64], value: float, confidence: float) -> tuple[float, float]:
    """Return the percentile interval, which holds the estimate itself whatever the rounding."""
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return min(value, float(low)), max(value, float(high))
