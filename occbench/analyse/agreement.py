"""Do methods rank on synthetic occlusion as they do on real occlusion? Rank correlations of two sets of finished runs.

Kendall's tau-b and Spearman's rho of the methods' accuracies, with percentile intervals of the bootstrap over the test
images of both sets: ranks of methods that lie close together change from draw to draw, and the interval shows it. It
does not show how other methods would rank; with few methods even a perfect correlation may be luck, so the share of
orders that are as good by chance stands beside it.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.outcomes import AVERAGE
from occbench.bench.measures.resampling import joint_draws
from occbench.bench.tables.comparable import Comparable, TrainedArm
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["Agreement", "RankCorrelation", "agreement", "rank_correlations"]

_DRAWS: Final = 2000
_MINIMUM: Final = 3
#: Above so many methods the orders are drawn instead of counted.
_COUNTED: Final = 7


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """A rank correlation in [-1, 1].

    Attributes:
        value: of the accuracies as measured.
        low: 2.5th percentile over resampled test images.
        high: 97.5th percentile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two rankings of the same methods.

    Attributes:
        methods: labels of the arms that both sets have, best on the real set first.
        synthetic: float64[n_methods], accuracy in percentage points.
        real: the same of the real set.
        intervals: float64[n_methods, 4]: low and high of the synthetic, low and high of the real accuracy.
        kendall: tau-b.
        spearman: rho.
        chance: share of all orders of the methods whose tau-b is at least as large.
    """

    methods: tuple[str, ...]
    synthetic: NDArray[np.float64]
    real: NDArray[np.float64]
    intervals: NDArray[np.float64]
    kendall: RankCorrelation
    spearman: RankCorrelation
    chance: float


def rank_correlations(
    left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (Kendall's tau-b, Spearman's rho), float64[...] each, of float64[..., n] along the last axis.

    Both are correlations of what is left of the values: of the signs of all pairs' differences, and of the ranks (ties
    share their mean rank). 0 where one side is constant.
    """
    from scipy.stats import rankdata

    upper = np.triu_indices(left.shape[-1], k=1)
    signs = [np.sign(values[..., upper[0]] - values[..., upper[1]]) for values in (left, right)]
    ranks = [rankdata(values, axis=-1) for values in (left, right)]
    centred = [values - values.mean(axis=-1, keepdims=True) for values in ranks]
    return _cosine(signs[0], signs[1]), _cosine(centred[0], centred[1])


def _cosine(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    return np.asarray((left * right).sum(axis=-1) / np.where(lengths == 0, 1.0, lengths), dtype=np.float64)


def agreement(
    synthetic: Comparable, real: Comparable, groups: tuple[str, str] = (AVERAGE, AVERAGE), seed: int = 0
) -> Agreement:
    """Correlate the ranks of the methods that two tables have in common.

    Args:
        synthetic: runs scored on synthetic occlusion.
        real: runs scored on real occlusion.
        groups: condition group to rank by, of each.
        seed: of the bootstrap.

    Raises:
        ConfigError: fewer than three common methods, or no such condition group.
    """
    ours, theirs = ({arm.label: arm for arm in table.arms} for table in (synthetic, real))
    common = [name for name in ours if name in theirs]
    if len(common) < _MINIMUM:
        raise ConfigError(
            f"a rank correlation needs {_MINIMUM} methods or more that both sets of runs have, found {len(common)}: "
            f"the synthetic set has {', '.join(ours)}, the real one {', '.join(theirs)}. Run the same arms on both."
        )
    left, right = (
        _draws({name: arms[name] for name in common}, group, seed + number)
        for number, (arms, group) in enumerate(zip((ours, theirs), groups, strict=True))
    )
    values = [
        _values([arms[name] for name in common], group) for arms, group in zip((ours, theirs), groups, strict=True)
    ]
    order = np.argsort(-values[1], kind="stable")
    drawn = rank_correlations(left, right)
    kendall, spearman = map(float, rank_correlations(*values))
    ends = [np.percentile(draws, (2.5, 97.5), axis=0).T for draws in (left, right)]
    return Agreement(
        tuple(common[place] for place in order),
        values[0][order],
        values[1][order],
        np.concatenate(ends, axis=1)[order],
        RankCorrelation(kendall, *map(float, np.percentile(drawn[0], (2.5, 97.5)))),
        RankCorrelation(spearman, *map(float, np.percentile(drawn[1], (2.5, 97.5)))),
        _chance(values[0], values[1], kendall, seed),
    )


def _draws(arms: Mapping[str, TrainedArm], group: str, seed: int) -> NDArray[np.float64]:
    """Return float64[draws, n_methods]: resampled accuracies in percentage points, the same images for all methods."""
    drawn = joint_draws({name: arm.top1 for name, arm in arms.items()}, [group], seed=seed, draws=_DRAWS)
    return np.stack([drawn[name, group] for name in arms], axis=1)


def _values(arms: Sequence[TrainedArm], group: str) -> NDArray[np.float64]:
    return np.asarray(
        [100 * np.mean([outcomes.accuracy[outcomes.columns(group)].mean() for outcomes in arm.top1]) for arm in arms]
    )


def _chance(left: NDArray[np.float64], right: NDArray[np.float64], tau: float, seed: int) -> float:
    """Return the share of orders of the methods that correlate at least as well."""
    count = len(left)
    if count <= _COUNTED:
        orders = [list(order) for order in itertools.permutations(range(count))]
    else:
        draws = stream(seed, "analyse", "orders")
        orders = [draws.permutation(count).tolist() for _ in range(_DRAWS)]
    taus, _ = rank_correlations(left[np.asarray(orders)], np.broadcast_to(right, (len(orders), count)))
    return float(np.mean(taus >= tau - 1e-12))
