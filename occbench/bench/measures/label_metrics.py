"""Metrics of images with several labels: pure functions of scores and labels. All results are shares in [0, 1].

Labels are int8[N, C]: 1 the class is there, 0 it is not, -1 nothing is known. As in published multi-label work
[Zunair, Ben Hamza, WACV 2024; METHODS, section 4.5]:

    AP_c = (1 / positives) * sum over positives of the precision at their rank (all points, not VOC's eleven)
    mAP  = mean over classes of AP_c
    CP   = mean over classes of TP_c / predicted_c (0 where nothing is predicted),   CR = mean over classes of TP_c /
    there_c CF1  = 2 CP CR / (CP + CR), of the two means; OP, OR, OF1 the same of sums over classes

A class is predicted where its probability is at least one half; by the top-k variants only where it is among the
image's k largest, too. What is unknown never enters an average precision. A class that no image has, has no average
precision and no recall, and is left out of those means.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNT_METRICS", "Counts", "average_precision", "count_metrics", "counts", "decide", "only_of_size"]

Scores = NDArray[np.floating]
Labels = NDArray[np.int8]
Unknown = Literal["left_out", "absent"]

#: The metrics of counts, in the order of ``count_metrics``.
COUNT_METRICS: Final = ("cp", "cr", "cf1", "op", "or", "of1")


def average_precision(
    scores: Scores, labels: Labels, *, ties: Literal["in_order", "together"] = "in_order"
) -> NDArray[np.float64]:
    """Return float64[C], each class's average precision over all points; nan for a class that no image has.

    Args:
        scores: [N, C], greater where a class is more likely: logits or probabilities.
        labels: int8[N, C].
        ties: images of equal scores stand ``in_order`` of the test set (a stable sort, the definition above), or
            ``together`` at one threshold, as scikit-learn and torchmetrics have it. Without ties both are the same.
    """
    found = np.full(scores.shape[1], np.nan)
    for label in range(scores.shape[1]):
        known = np.flatnonzero(labels[:, label] >= 0)
        order = known[np.argsort(-scores[known, label], kind="stable")]
        there = labels[order, label] == 1
        if not there.any():
            continue
        hits, ranks = np.cumsum(there), np.arange(1, len(order) + 1)
        if ties == "together":
            ordered = scores[order, label]
            last = np.searchsorted(-ordered, -ordered, side="right") - 1
            hits, ranks = hits[last], ranks[last]
        found[label] = (hits[there] / ranks[there]).mean()
    return found


def decide(logits: Scores, top: int | None = None) -> NDArray[np.bool_]:
    """Return bool[N, C], which classes are predicted.

    Args:
        logits: [N, C].
        top: at most so many classes an image, those of the largest logits; of equal ones the first. None takes all.
    """
    predicted = np.asarray(logits >= 0)
    if top is not None and top < logits.shape[1]:
        order = np.argsort(-logits, axis=1, kind="stable")
        among = np.zeros_like(predicted)
        np.put_along_axis(among, order[:, :top], values=True, axis=1)
        predicted &= among
    return predicted


@dataclass(frozen=True, eq=False)
class Counts:
    """What precision and recall are made of; each float64[..., C].

    Attributes:
        right: images of which a class is predicted, and is there.
        predicted: images of which it is predicted.
        there: images that have it.
    """

    right: NDArray[np.float64]
    predicted: NDArray[np.float64]
    there: NDArray[np.float64]


def counts(predicted: NDArray[np.bool_], labels: Labels, *, unknown: Unknown = "left_out") -> Counts:
    """Count a set of images.

    Args:
        predicted: bool[N, C].
        labels: int8[N, C].
        unknown: whether an entry of which nothing is known is ``left_out`` or counts as ``absent``.
    """
    counted = predicted & (labels >= 0) if unknown == "left_out" else predicted
    there = labels == 1
    parts = (counted & there, counted, there)
    return Counts(*(part.sum(axis=0).astype(np.float64) for part in parts))


def count_metrics(found: Counts) -> NDArray[np.float64]:
    """Return float64[..., 6]: CP, CR, CF1, OP, OR and OF1; nan where no image has any class."""
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = found.right / np.maximum(found.predicted, 1)
        recall = found.right / found.there  # nan for a class that no image has
        per_class = precision.mean(axis=-1), _mean_of_known(recall)
        overall = (
            found.right.sum(axis=-1) / np.maximum(found.predicted.sum(axis=-1), 1),
            found.right.sum(axis=-1) / found.there.sum(axis=-1),
        )
    parts = [value for pair in (per_class, overall) for value in (*pair, _harmonic(*pair))]
    return np.stack(parts, axis=-1)


def only_of_size(labels: Labels, sizes: NDArray[np.uint8], size: int) -> Labels:
    """Return the labels with objects of other sizes unknown: a metric of them speaks of one size of objects alone.

    Args:
        labels: int8[N, C].
        sizes: uint8[N, C], as ``images.object_sizes`` has them.
        size: which one stays.
    """
    return np.where((labels == 1) & (sizes != size), np.int8(-1), labels)


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(total / known.sum(axis=-1), dtype=np.float64)


def _harmonic(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.asarray(precision + recall)
    twice = 2 * precision * recall
    return np.asarray(np.divide(twice, total, out=np.where(np.isnan(total), np.nan, 0.0), where=total > 0))
