"""From a model's answers to its records, where images have several labels: every metric with its bootstrap interval."""

from dataclasses import asdict
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.label_outcomes import MAP, LabelOutcomes, Metric
from occbench.bench.measures.label_resampling import affordable_draws, centred, resampled_metrics
from occbench.bench.measures.outcomes import AVERAGE
from occbench.bench.measures.records import Record
from occbench.bench.measures.resampling import percentiles
from occbench.bench.measures.summary import Origin

__all__ = ["summarise_labels"]

_CONFIDENCE = 0.95


def summarise_labels(origin: Origin, outcomes: LabelOutcomes, classes: tuple[str, ...]) -> list[Record]:
    """Return every metric of every condition group, and every class's average precision.

    A metric that is not defined on these images (objects of a size that none has) has no record.

    Args:
        origin: whose numbers they are.
        outcomes: of one model.
        classes: names in label order.
    """
    metrics = [Metric.of(name) for name in outcomes.metrics]
    points = np.stack([outcomes.by_condition(metric) for metric in metrics])
    draws = centred(resampled_metrics(outcomes, metrics, 0, affordable_draws(outcomes)), points)
    groups = list(dict.fromkeys([*outcomes.groups, outcomes.headline]))
    records = []
    for number, metric in enumerate(metrics):
        for group in groups:
            columns = outcomes.columns(group)
            made = _record(origin, outcomes, group, metric.name, points[number, columns], draws[:, number, columns])
            records += [made] if made is not None else []
    if len(outcomes.conditions) > len(outcomes.groups):
        names = [condition.name for condition in outcomes.conditions]
        by_condition = outcomes.by_condition(Metric.of(MAP))
        records += [
            _point(origin, outcomes, *item)
            for item in zip(names, ["map_condition"] * len(names), by_condition, strict=True)
        ]
    return records + _of_classes(origin, outcomes, classes)


def _of_classes(origin: Origin, outcomes: LabelOutcomes, classes: tuple[str, ...]) -> list[Record]:
    """Return the average precision of every class in every group; of a class that no image has there is none."""
    groups = [*outcomes.groups, *([AVERAGE] if outcomes.headline == AVERAGE else [])]
    found = []
    for group in groups:
        means = outcomes.class_precision[outcomes.columns(group)].mean(axis=0)
        found += [
            _point(origin, outcomes, group, f"ap/{name}", value)
            for name, value in zip(classes, means, strict=True)
            if isfinite(value)
        ]
    return found


def _record(
    origin: Origin,
    outcomes: LabelOutcomes,
    group: str,
    metric: str,
    values: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> Record | None:
    value = float(values.mean())
    if not isfinite(value):
        return None
    low, high = percentiles(draws.mean(axis=1), value, _CONFIDENCE)
    rounded = [round(100 * number, 6) for number in (value, max(0.0, low), min(1.0, high))]
    return Record(
        **asdict(origin), group=group, metric=metric, value=rounded[0], low=rounded[1], high=rounded[2],
        n=len(outcomes.labels),
    )  # fmt: skip


def _point(origin: Origin, outcomes: LabelOutcomes, group: str, metric: str, value: float) -> Record:
    number = round(100 * float(value), 6)
    return Record(
        **asdict(origin), group=group, metric=metric, value=number, low=number, high=number, n=len(outcomes.labels)
    )
