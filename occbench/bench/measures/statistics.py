"""Intervals of accuracies, clustered by image, and the spread over seeds. All values are shares in [0, 1].

The images are a sample and the conditions are fixed: an interval is about the accuracy on all images like these, under
these conditions. The cells of one image are right or wrong together, so they count as one draw (or all images of a
class do, with ``cluster="class"``); treating cells as independent gives intervals several times too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.outcomes import AVERAGE, Outcomes, check_paired
from occbench.core.errors import ConfigError

__all__ = ["Interval", "SeedSpread", "clustered_interval", "combined_half_width", "seed_spread", "wilson"]

Cluster = Literal["image", "class"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An accuracy with its confidence interval.

    Attributes:
        value: the estimate, a share.
        low: lower end, a share.
        high: upper end, a share.
        n_images: images with at least one scored cell.
        n_cells: scored (image, condition) cells.
    """

    value: float
    low: float
    high: float
    n_images: int
    n_cells: int


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """The mean over training seeds, with the two sources of doubt apart and together.

    Attributes:
        sampling: the seeds' mean, and the interval for other images but these very models.
        between_seeds: standard deviation of the seeds' values (n - 1 in the denominator), a share; on these images.
        combined: the same mean, and the interval for other images and other seeds: Student's t, with
            Satterthwaite's degrees of freedom. Three seeds have two, so it is wide, and rightly so.
        n_seeds: how many seeds.
    """

    sampling: Interval
    between_seeds: float
    combined: Interval
    n_seeds: int


def wilson(hits: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion whose trials are independent: one cell per image.

    Raises:
        ConfigError: no trial, or more hits than trials.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not 0 <= hits <= trials or trials == 0:
        raise ConfigError(f"a proportion needs 0 <= hits <= trials and a trial, found {hits} of {trials}.")
    low, high = proportion_confint(hits, trials, alpha=1 - confidence, method="wilson")
    share = hits / trials
    # the library's rounding may leave an end on the wrong side of a share of 0 or 1
    return Interval(share, min(share, float(low)), max(share, float(high)), trials, trials)


def clustered_interval(
    outcomes: Outcomes, group: str = AVERAGE, *, cluster: Cluster = "image", confidence: float = 0.95
) -> Interval:
    """Return the mean over a group's conditions of their accuracies, with the cluster-robust t interval.

    With missing cells each condition's accuracy is a ratio, sum(hits) / sum(scored), and the variance is its
    linearisation (Cochran, "Sampling Techniques", 6.3); with a full matrix that is the plain variance of the images'
    means. The interval is cut to [0, 1]. At accuracies so close to 0 or 1 that a handful of images decide, use
    ``wilson`` for a single condition.

    Raises:
        ConfigError: no such group, or fewer than two clusters.
    """
    columns = outcomes.columns(group)
    influence = _clusters(outcomes, columns, _influence(outcomes, columns), cluster)
    value = float(outcomes.accuracy[columns].mean())
    half_width = _student(confidence, len(influence) - 1) * _standard_error(influence)
    return _interval(value, half_width, outcomes, columns)


def seed_spread(
    per_seed: Sequence[Outcomes], group: str = AVERAGE, *, cluster: Cluster = "image", confidence: float = 0.95
) -> SeedSpread:
    """Return the mean over seeds of a group's accuracy with sampling error and seed variation reported apart.

    The combined variance is that of the seeds' mean over images plus between_seeds**2 / n_seeds. What images and
    seeds do together is in both terms, so the combined interval errs on the wide side.

    Args:
        per_seed: one entry per seed; all scored on the same cells.
        group: a condition group or ``avg``.
        cluster: what is sampled together.
        confidence: of both intervals.

    Raises:
        ConfigError: fewer than two seeds.
        DatasetError: the seeds were scored on different cells.
    """
    if len(per_seed) < 2:
        raise ConfigError(f"a spread over seeds needs at least 2 of them, found {len(per_seed)}: train another.")
    check_paired(per_seed)
    first = per_seed[0]
    columns = first.columns(group)
    values = np.array([outcomes.accuracy[columns].mean() for outcomes in per_seed])
    mean_influence = np.mean([_influence(outcomes, columns) for outcomes in per_seed], axis=0)
    influence = _clusters(first, columns, mean_influence, cluster)
    sampling = _standard_error(influence) ** 2
    value = float(values.mean())
    return SeedSpread(
        sampling=_interval(value, _student(confidence, len(influence) - 1) * math.sqrt(sampling), first, columns),
        between_seeds=float(values.std(ddof=1)),
        combined=_interval(value, combined_half_width(sampling, len(influence), values, confidence), first, columns),
        n_seeds=len(values),
    )


def combined_half_width(sampling: float, clusters: int, values: NDArray[np.float64], confidence: float = 0.95) -> float:
    """Return the half-width of the interval of a mean over seeds, for other images and other seeds.

    Args:
        sampling: variance of the mean over the images of these very seeds.
        clusters: how many images (or classes) that variance rests on.
        values: float64[n_seeds], the seeds' values; two or more.
        confidence: of the interval.
    """
    seeds = float(values.var(ddof=1)) / len(values)
    total = sampling + seeds
    freedom = total**2 / (sampling**2 / (clusters - 1) + seeds**2 / (len(values) - 1)) if total > 0 else len(values) - 1
    return _student(confidence, freedom) * math.sqrt(total)


def _influence(outcomes: Outcomes, columns: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return float64[n_images]: each image's share of the estimate's deviation; sums to zero."""
    weights = 1.0 / (len(columns) * outcomes.cells_by_condition[columns])
    accuracy = outcomes.accuracy[columns]
    hits = outcomes.hits[:, columns] @ weights
    if outcomes.seen is None:
        return np.asarray(hits - weights @ accuracy, dtype=np.float64)
    return np.asarray(hits - outcomes.seen[:, columns] @ (weights * accuracy), dtype=np.float64)


def _clusters(
    outcomes: Outcomes, columns: NDArray[np.intp], influence: NDArray[np.float64], cluster: Cluster
) -> NDArray[np.float64]:
    """Sum the influence over each cluster; images without a scored cell are no clusters."""
    present = outcomes.present(columns)
    influence = influence[present]
    if cluster == "class":
        _, member = np.unique(outcomes.labels[present], return_inverse=True)
        influence = np.asarray(np.bincount(member, weights=influence), dtype=np.float64)
    if len(influence) < 2:
        raise ConfigError(f"an interval needs at least 2 {cluster} clusters, found {len(influence)}: score more.")
    return influence


def _standard_error(influence: NDArray[np.float64]) -> float:
    count = len(influence)
    return math.sqrt(count / (count - 1) * float(influence @ influence))


def _student(confidence: float, freedom: float) -> float:
    """Return the two-sided quantile of Student's t."""
    from scipy.stats import t

    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence is a share in (0, 1), such as 0.95; found {confidence}.")
    return float(t.ppf(0.5 + confidence / 2, freedom))


def _interval(value: float, half_width: float, outcomes: Outcomes, columns: NDArray[np.intp]) -> Interval:
    low, high = max(0.0, value - half_width), min(1.0, value + half_width)
    return Interval(value, low, high, *outcomes.counts(columns))
