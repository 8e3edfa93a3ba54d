"""What a trained model answered on a test set of images with several labels, and the metrics of every column."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.bench.images.object_sizes import SIZES
from occbench.bench.measures.label_metrics import (
    COUNT_METRICS,
    average_precision,
    count_metrics,
    counts,
    decide,
    only_of_size,
)
from occbench.bench.measures.outcomes import Columns
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.types import Condition

__all__ = ["MAP", "TOP", "LabelOutcomes", "Metric", "check_same_images", "split_column"]

#: The headline metric.
MAP: Final = "map"
#: Classes an image that the top-k variants allow.
TOP: Final = 3
_TOP_SUFFIX: Final = f"_top{TOP}"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of images with several labels.

    Attributes:
        name: e.g. ``map``, ``cf1``, ``of1_top3``, ``map_small``.
        kind: ``map``, or one of ``COUNT_METRICS``.
        top: of predictions, the most classes an image; None for any number.
        size: code of the only size of objects that counts; None for all.
    """

    name: str
    kind: str
    top: int | None = None
    size: int | None = None

    @classmethod
    def of(cls, name: str) -> "Metric":
        """Return the metric of a name.

        Raises:
            ConfigError: there is none of that name.
        """
        bare, top, size = name, None, None
        if name.endswith(_TOP_SUFFIX):
            bare, top = name.removesuffix(_TOP_SUFFIX), TOP
        for code, word in SIZES.items():
            if name.endswith(f"_{word}"):
                bare, size = name.removesuffix(f"_{word}"), code
        allowed = (MAP, "cr", "or") if size is not None else COUNT_METRICS if top is not None else (MAP, *COUNT_METRICS)
        if bare not in allowed:
            raise ConfigError(
                f"no metric is called {name!r}: there are {MAP}, {', '.join(COUNT_METRICS)}, the latter "
                f"with {_TOP_SUFFIX}, and {MAP}, cr, or with _{', _'.join(SIZES.values())}."
            )
        return cls(name, bare, top, size)


def split_column(column: str) -> tuple[str, Metric]:
    """Return (condition group, metric) of a column such as ``irregular-high/cf1``; a bare group is of mAP.

    Raises:
        ConfigError: there is no such metric.
    """
    group, slash, name = column.rpartition("/")
    return (group, Metric.of(name)) if slash else (column, Metric.of(MAP))


@dataclass(frozen=True, eq=False)
class LabelOutcomes(Columns):
    """One trained model on one test set; every metric is a share.

    Attributes:
        logits: one float32[N, C] for each condition.
        labels: int8[N, C]: 1 there, 0 not there, -1 unknown.
        conditions: one per column; names are unique.
        sizes: uint8[N, C] of the classes' largest objects, or None where they are not known.
        unknown: what becomes of unknown entries in precision and recall.
    """

    logits: Sequence[NDArray[np.float32]]
    labels: NDArray[np.int8]
    conditions: tuple[Condition, ...]
    sizes: NDArray[np.uint8] | None = None
    unknown: Literal["left_out", "absent"] = "left_out"

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics that these images have, the headline first."""
        there = (
            [] if self.sizes is None else [code for code in SIZES if ((self.sizes == code) & (self.labels == 1)).any()]
        )
        sized = [f"{kind}_{SIZES[code]}" for code in there for kind in (MAP, "cr", "or")]
        return (MAP, *COUNT_METRICS, *(f"{kind}{_TOP_SUFFIX}" for kind in COUNT_METRICS), *sized)

    @cached_property
    def class_precision(self) -> NDArray[np.float64]:
        """float64[n_conditions, C]: every class's average precision."""
        return np.stack([average_precision(logits, self.labels) for logits in self.logits])

    def labels_for(self, metric: Metric) -> NDArray[np.int8]:
        """Return the labels int8[N, C] that a metric is of."""
        if metric.size is None:
            return self.labels
        if self.sizes is None:
            raise ConfigError(
                f"{metric.name} needs the areas of objects, which the source of these images does not tell."
            )
        return only_of_size(self.labels, self.sizes, metric.size)

    def predicted(self, condition: int, metric: Metric) -> NDArray[np.bool_]:
        """Return bool[N, C], the predictions under a condition that a metric counts."""
        return decide(self.logits[condition], metric.top)

    def by_condition(self, metric: Metric) -> NDArray[np.float64]:
        """Return float64[n_conditions], the metric under each condition; nan where it is not defined."""
        if metric.kind == MAP and metric.size is None:
            return _mean_over_classes(self.class_precision)
        labels = self.labels_for(metric)
        if metric.kind == MAP:
            return _mean_over_classes(np.stack([average_precision(logits, labels) for logits in self.logits]))
        found = [
            counts(self.predicted(place, metric), labels, unknown=self.unknown) for place in range(len(self.logits))
        ]
        return np.array([count_metrics(one)[COUNT_METRICS.index(metric.kind)] for one in found])

    def value(self, column: str) -> float:
        """Return a column's value: the mean over its group's conditions.

        Raises:
            ConfigError: no such group or metric.
        """
        group, metric = split_column(column)
        return float(self.by_condition(metric)[self.columns(group)].mean())


def check_same_images(outcomes: Sequence[LabelOutcomes]) -> None:
    """Refuse to compare models that were not scored on the same images and conditions.

    Raises:
        DatasetError: labels or conditions differ.
    """
    first = outcomes[0]
    for other in outcomes[1:]:
        names = [[item.name for item in one.conditions] for one in (first, other)]
        if names[0] != names[1] or not np.array_equal(first.labels, other.labels):
            raise DatasetError(
                "models scored on different images or conditions were to be compared: score all of them on the same "
                "test set first."
            )


def _mean_over_classes(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64[n_conditions] of float64[n_conditions, C]; nan where no image has any class."""
    known = ~np.isnan(precision)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, precision, 0.0).sum(axis=1) / known.sum(axis=1), dtype=np.float64)
