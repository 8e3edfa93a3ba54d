"""Tables of images with several labels: mAP by condition group, and precision and recall in tables of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.images.object_sizes import SIZES
from occbench.bench.measures.label_metrics import COUNT_METRICS
from occbench.bench.measures.label_outcomes import MAP, TOP, LabelOutcomes, Metric, check_same_images, split_column
from occbench.bench.measures.label_resampling import affordable_draws, centred, resampled_metrics
from occbench.bench.measures.outcomes import AVERAGE
from occbench.bench.measures.resampling import percentiles, seed_deviations
from occbench.bench.measures.statistics import combined_half_width
from occbench.bench.protocol.claims import Claim
from occbench.bench.protocol.reference import ReferenceRow
from occbench.bench.tables.breakdowns import Regroup, heat_maps, share_of, shares_of
from occbench.bench.tables.comparable import TrainedArm
from occbench.bench.tables.comparisons import Resampled
from occbench.bench.tables.measured import Measured, group_columns
from occbench.core.errors import ConfigError
from occbench.core.results.breakdowns import ClassAccuracy, Curve, HeatMap, MetricTable
from occbench.core.results.rows import Number, TableCell
from occbench.core.types import CLEAN

__all__ = ["LabelTable"]

_CONFIDENCE: Final = 0.95
_NAMES: Final = {MAP: "mAP", "cp": "CP", "cr": "CR", "cf1": "CF1", "op": "OP", "or": "OR", "of1": "OF1"}


@dataclass(frozen=True, eq=False)
class _Row:
    """One arm: its metrics under every condition, for every seed, on these images and on resampled ones.

    Attributes:
        points: float64[n_seeds, n_metrics, n_conditions], percentage points.
        draws: the mean over seeds on resampled images, float64[draws, n_metrics, n_conditions], percentage points.
    """

    points: NDArray[np.float64]
    draws: NDArray[np.float64]


class LabelTable(Measured):
    """Rows measured by mAP; other metrics are columns such as ``clean/cf1``, where the paper or a claim has them."""

    metric = MAP
    metric_title = "mean average precision"

    def __init__(
        self, arms: Sequence[TrainedArm], rows: Sequence[ReferenceRow], claims: Sequence[Claim], draws: int
    ) -> None:
        """Resample the images.

        Args:
            arms: in table order.
            rows: the paper's table.
            claims: whose columns are resampled, too.
            draws: of the bootstrap, at most.

        Raises:
            DatasetError: arms that were not scored on the same images.
        """
        check_same_images([outcomes for arm in arms for outcomes in arm.labelled])
        self.arms = arms
        self._first = arms[0].labelled[0]
        self.images = len(self._first.labels)
        self._metrics = [Metric.of(name) for name in self._first.metrics]
        self._place = {metric.name: place for place, metric in enumerate(self._metrics)}
        self._draws = affordable_draws(self._first, draws)
        self._rows = {arm.label: self._measure(arm) for arm in arms}
        groups = group_columns(self._first, rows, claims)
        papers = dict.fromkeys(column for row in rows for column in row.values if self._has(column))
        self.columns = (*groups, *(column for column in papers if column not in groups))
        claimed = dict.fromkeys(column for claim in claims for _, column in claim.terms if self._has(column))
        self.resampled = self._resample((*self.columns, *(column for column in claimed if column not in self.columns)))

    def conditions(self, column: str) -> int:
        """Return how many conditions a column averages."""
        return len(self._first.columns(split_column(column)[0]))

    def cell(self, arm: TrainedArm, column: str, paper: float | None) -> TableCell:
        """Return one number of the table; see ``Measured.cell``."""
        group, metric = split_column(column)
        number, spread = self._estimate(arm, metric, self._first.columns(group))
        return TableCell(number, spread, paper, None if paper is None else number.value - paper)

    def summaries(self, arm: TrainedArm, baseline: TrainedArm) -> tuple[tuple[str, float], ...]:
        """Return what the groups do not show."""
        found: list[tuple[str, float]] = []
        own = self._means(arm)
        if CLEAN.group in self._first.groups:
            found.append(
                ("clean drop against the baseline", self._mean(baseline, CLEAN.group) - own[self._clean].mean())
            )
        if self._first.headline == AVERAGE:
            found.append(("worst condition", float(own[self._first.columns(AVERAGE)].min())))
            if found[0][0].startswith("clean"):
                found.append(("drop under occlusion", float(own[self._clean].mean()) - self._mean(arm, AVERAGE)))
        return tuple((name, float(value)) for name, value in found)

    def curves(self) -> tuple[Curve, ...]:
        """Return mAP against what is hidden; nothing where a condition does not say how much."""
        conditions, metric = self._first.conditions, self._metrics[0]
        known = shares_of(conditions)
        if known is None:
            return ()
        columns = {
            share: np.array([place for place, item in enumerate(conditions) if share_of(item) == share])
            for share in known.values
        }
        return tuple(
            Curve(
                arm.label,
                tuple((share, self._estimate(arm, metric, places)[0]) for share, places in columns.items()),
                known.of,
            )
            for arm in self.arms
        )

    def heat_maps(self) -> tuple[HeatMap, ...]:
        """Return mAP by occluder and place."""

        def by_seed(arm: TrainedArm, group: Regroup) -> list[dict[str, float]]:
            names = [group(condition) for condition in self._first.conditions]
            points = self._rows[arm.label].points[:, 0] / 100
            return [
                {name: float(seed[[other == name for other in names]].mean()) for name in dict.fromkeys(names)}
                for seed in points
            ]

        return heat_maps(self.arms, by_seed)

    def classes(self, names: Sequence[str]) -> tuple[ClassAccuracy, ...]:
        """Return every class's average precision under occlusion (clean where nothing is occluded), worst first."""
        columns = self._first.columns(self._first.headline)
        by_arm = [
            100 * np.mean([outcomes.class_precision[columns].mean(axis=0) for outcomes in arm.labelled], axis=0)
            for arm in self.arms
        ]
        there = (self._first.labels == 1).sum(axis=0)
        rows = [
            ClassAccuracy(
                names[label] if label < len(names) else f"class {label}",
                int(count),
                tuple(float(values[label]) for values in by_arm),
            )
            for label, count in enumerate(there)
            if count
        ]
        return tuple(sorted(rows, key=lambda row: sum(row.values)))

    def metric_tables(self) -> tuple[MetricTable, ...]:
        """Return precision and recall, those of the top 3, and metrics by size of the object where areas are known."""
        sizes = [metric for metric in self._metrics if metric.size is not None]
        tables = [
            ("Precision and recall", [Metric.of(name) for name in COUNT_METRICS]),
            (
                f"Precision and recall of at most {TOP} classes an image",
                [metric for metric in self._metrics if metric.top is not None],
            ),
        ]
        tables += [("By size of the object", sizes)] if sizes else []
        return tuple(self._metric_table(title, metrics) for title, metrics in tables)

    def _metric_table(self, title: str, metrics: Sequence[Metric]) -> MetricTable:
        groups = [*self._first.groups, *([AVERAGE] if self._first.headline == AVERAGE else [])]
        rows = []
        for arm in self.arms:
            for group in groups:
                columns = self._first.columns(group)
                numbers = (self._estimate(arm, metric, columns)[0] for metric in metrics)
                rows.append((arm.label, group, tuple(one if np.isfinite(one.value) else None for one in numbers)))
        return MetricTable(title, tuple(_shown(metric) for metric in metrics), tuple(rows))

    def _measure(self, arm: TrainedArm) -> _Row:
        points = 100 * np.array(
            [[outcomes.by_condition(metric) for metric in self._metrics] for outcomes in arm.labelled]
        )
        # the same weights for all seeds and arms
        seeds = [resampled_metrics(outcomes, self._metrics, 0, self._draws) for outcomes in arm.labelled]
        return _Row(points, centred(100 * np.mean(seeds, axis=0), points.mean(axis=0)))

    def _resample(self, columns: Sequence[str]) -> list[Resampled]:
        found = []
        for backbone in dict.fromkeys(arm.backbone for arm in self.arms):
            own = [arm for arm in self.arms if arm.backbone == backbone]
            points: dict[tuple[str, str], float] = {}
            draws: dict[tuple[str, str], NDArray[np.float64]] = {}
            for arm in own:
                by_seed = np.array([self._values(self._rows[arm.label].points, column) for column in columns]).T
                spread = seed_deviations(arm.label, by_seed, 0, self._draws)
                for place, column in enumerate(columns):
                    points[arm.label, column] = float(by_seed[:, place].mean())
                    draws[arm.label, column] = self._values(self._rows[arm.label].draws, column) + spread[:, place]
            found.append(Resampled(own, columns, points, draws))
        return found

    def _values(self, values: NDArray[np.float64], column: str) -> NDArray[np.float64]:
        """Return float64[n], a column of values float64[n, n_metrics, n_conditions]."""
        group, metric = split_column(column)
        return np.asarray(values[:, self._place[metric.name]][:, self._first.columns(group)].mean(axis=1))

    def _estimate(self, arm: TrainedArm, metric: Metric, columns: NDArray[np.intp]) -> tuple[Number, float | None]:
        """Return the mean over seeds with its interval, and the seeds' standard deviation where there are several."""
        row, place = self._rows[arm.label], self._place[metric.name]
        seeds, draws = row.points[:, place][:, columns].mean(axis=1), row.draws[:, place][:, columns].mean(axis=1)
        value = float(seeds.mean())
        if not np.isfinite(value):
            return Number(value), None
        if len(seeds) == 1:
            low, high = percentiles(draws, value, _CONFIDENCE)
            return Number(value, max(0.0, low), min(100.0, high)), None
        half_width = combined_half_width(float(draws.var()), self.images, seeds, _CONFIDENCE)
        return Number(value, max(0.0, value - half_width), min(100.0, value + half_width)), float(seeds.std(ddof=1))

    @property
    def _clean(self) -> NDArray[np.intp]:
        return self._first.columns(CLEAN.group)

    def _means(self, arm: TrainedArm) -> NDArray[np.float64]:
        """Return float64[n_conditions], the mean over seeds of mAP in percentage points."""
        return np.asarray(self._rows[arm.label].points[:, 0].mean(axis=0))

    def _mean(self, arm: TrainedArm, group: str) -> float:
        return float(self._means(arm)[self._first.columns(group)].mean())

    def _has(self, column: str) -> bool:
        return _is_column(column, self._first, self._place)


def _is_column(column: str, scored: LabelOutcomes, metrics: dict[str, int]) -> bool:
    try:
        group, metric = split_column(column)
        scored.columns(group)
    except ConfigError:
        return False
    return metric.name in metrics


def _shown(metric: Metric) -> str:
    size = "" if metric.size is None else f", {SIZES[metric.size]}"
    return _NAMES[metric.kind] + size
