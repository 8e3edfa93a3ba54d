"""The bootstrap over images for metrics of several labels: cells of an image stay together, and arms stay paired.

A draw gives every image a weight, the same as in ``measures.resampling``, for all conditions, classes and arms. A
weighted average precision takes an image drawn twice as two images at one threshold; precision and recall are those of
weighted counts. A class that no image of a draw has is left out of that draw's means.

An average precision is greater on fewer different images, so the draws of a small test set lie above its estimate, by
several points for some ten images of a class. ``centred`` moves them back: they tell how much the estimate varies, not
where it is.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.label_metrics import COUNT_METRICS, Counts, count_metrics
from occbench.bench.measures.label_outcomes import MAP, LabelOutcomes, Metric
from occbench.bench.measures.resampling import DRAWS, image_weights

__all__ = ["affordable_draws", "centred", "resampled_metrics"]

#: Draws made at a time: as many columns as the processor's cache holds for some hundred images.
_CHUNK: Final = 256
#: Entries (images x classes x conditions x draws) that may be resampled for one model, some minutes of one core.
_AFFORDABLE: Final = 2 * 10**10
_LEAST_DRAWS: Final = 500


def affordable_draws(outcomes: LabelOutcomes, most: int = DRAWS) -> int:
    """Return how many draws these images allow: all of them but for test sets as large as COCO's."""
    entries = outcomes.labels.size * len(outcomes.conditions)
    return min(most, max(_LEAST_DRAWS, _AFFORDABLE // max(1, entries)))


def resampled_metrics(outcomes: LabelOutcomes, metrics: Sequence[Metric], seed: int, draws: int) -> NDArray[np.float64]:
    """Return float64[draws, n_metrics, n_conditions]: the metrics on resampled images, shares.

    Args:
        outcomes: of one model.
        metrics: which ones.
        seed: of the draws.
        draws: how many.
    """
    found = np.empty((draws, len(metrics), len(outcomes.conditions)))
    plans = [[_plan(outcomes, metric, place) for place in range(len(outcomes.conditions))] for metric in metrics]
    start = 0
    for weights in _chunks(len(outcomes.labels), seed, draws):
        rows = slice(start, start + weights.shape[1])
        for number, by_condition in enumerate(plans):
            for place, plan in enumerate(by_condition):
                found[rows, number, place] = plan.resampled(weights)
        start = rows.stop
    return found


def centred(draws: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return draws [n, ...] moved so that their mean is the estimate; a draw that is not defined is the estimate.

    Args:
        draws: of ``resampled_metrics``.
        values: [...], the estimates.
    """
    known = np.isfinite(draws)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, draws, 0.0).sum(axis=0) / count
    return np.asarray(np.where(known, draws - mean + values, values), dtype=np.float64)


def _chunks(count: int, seed: int, draws: int) -> Iterator[NDArray[np.float32]]:
    """Yield float32[N, D] weights: an image's weights lie side by side, and sums of whole numbers are exact in them."""
    for block in image_weights(count, seed, draws):
        for start in range(0, len(block), _CHUNK):
            yield np.ascontiguousarray(block[start : start + _CHUNK].T, dtype=np.float32)


def _plan(outcomes: LabelOutcomes, metric: Metric, condition: int) -> "_Ranking | _Counting":
    labels = outcomes.labels_for(metric)
    if metric.kind == MAP:
        return _Ranking(outcomes.logits[condition], labels)
    return _Counting(outcomes.predicted(condition, metric), labels, metric, absent=outcomes.unknown == "absent")


class _Ranking:
    """The mean average precision of weighted images; the order of the images is found once."""

    def __init__(self, logits: NDArray[np.float32], labels: NDArray[np.int8]) -> None:
        self._orders: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
        for label in range(labels.shape[1]):
            known = np.flatnonzero(labels[:, label] >= 0)
            order = known[np.argsort(-logits[known, label], kind="stable")]
            places = np.flatnonzero(labels[order, label] == 1)
            if len(places):
                self._orders.append((order[: places[-1] + 1], places))  # what stands behind the last one does not count

    def resampled(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64[D] for weights float32[N, D]."""
        total = np.zeros(weights.shape[1])
        classes = np.zeros(weights.shape[1])
        for order, places in self._orders:
            seen = np.cumsum(weights[order], axis=0)[places]
            own = weights[order[places]]
            hits = np.cumsum(own, axis=0)
            there = hits[-1]
            precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)
            drawn = there > 0
            total += np.divide((own * precision).sum(axis=0), there, out=np.zeros_like(there), where=drawn)
            classes += drawn
        with np.errstate(invalid="ignore"):
            return np.asarray(total / classes, dtype=np.float64)


class _Counting:
    """A metric of weighted counts."""

    def __init__(self, predicted: NDArray[np.bool_], labels: NDArray[np.int8], metric: Metric, *, absent: bool) -> None:
        counted = predicted if absent else predicted & (labels >= 0)
        there = labels == 1
        self._parts = [part.astype(np.float32) for part in (counted & there, counted, there)]
        self._which = COUNT_METRICS.index(metric.kind)

    def resampled(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64[D] for weights float32[N, D]."""
        sums = [(weights.T @ part).astype(np.float64) for part in self._parts]
        return np.asarray(count_metrics(Counts(*sums))[:, self._which], dtype=np.float64)
