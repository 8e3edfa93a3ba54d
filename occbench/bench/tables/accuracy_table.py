"""Tables of images with one label: top-1 accuracy by condition group, and what sums a row up."""

from collections.abc import Sequence

import numpy as np

from occbench.bench.measures.metrics import clean_drop, macro_accuracy, nauc, occlusion_drop, worst_pattern
from occbench.bench.measures.outcomes import AVERAGE, check_paired
from occbench.bench.protocol.claims import Claim
from occbench.bench.protocol.reference import ReferenceRow
from occbench.bench.tables.breakdowns import classes_worst_first, curves, estimate, heat_maps
from occbench.bench.tables.comparable import TrainedArm
from occbench.bench.tables.comparisons import resample
from occbench.bench.tables.measured import Measured, group_columns
from occbench.core.results.breakdowns import ClassAccuracy, Curve, HeatMap
from occbench.core.results.rows import TableCell
from occbench.core.types import CLEAN

__all__ = ["AccuracyTable"]


class AccuracyTable(Measured):
    """Rows measured by top-1 accuracy."""

    metric = "top1"
    metric_title = "top-1 accuracy"

    def __init__(
        self, arms: Sequence[TrainedArm], rows: Sequence[ReferenceRow], claims: Sequence[Claim], draws: int
    ) -> None:
        """Resample the images.

        Args:
            arms: in table order.
            rows: the paper's table.
            claims: whose columns are shown, too.
            draws: of the bootstrap.

        Raises:
            DatasetError: arms that were not scored on the same cells.
        """
        check_paired([outcomes for arm in arms for outcomes in arm.top1])
        self.arms = arms
        self._first = arms[0].top1[0]
        self.columns = group_columns(self._first, rows, claims)
        self.images = len(self._first.labels)
        self.resampled = resample(arms, self.columns, draws=draws)

    def conditions(self, column: str) -> int:
        """Return how many conditions a column averages."""
        return len(self._first.columns(column))

    def cell(self, arm: TrainedArm, column: str, paper: float | None) -> TableCell:
        """Return one number of the table; see ``Measured.cell``."""
        found = estimate(arm.top1, column)
        difference = None if paper is None else found.number.value - paper
        return TableCell(found.number, found.between_seeds, paper, difference)

    def summaries(self, arm: TrainedArm, baseline: TrainedArm) -> tuple[tuple[str, float], ...]:
        """Return the summaries that this test set allows, means over seeds."""

        def mean(values: Sequence[float]) -> float:
            return float(100 * np.mean(values))

        found: list[tuple[str, float]] = []
        if CLEAN.group in self.columns:
            drops = [clean_drop(own, base) for own in arm.top1 for base in baseline.top1]
            found.append(("clean drop against the baseline", mean(drops)))
        if AVERAGE not in self.columns:
            return tuple(found)
        top5 = [run.top5.accuracy[run.top5.columns(AVERAGE)].mean() for run in arm.runs]
        found += [
            ("top-5, occluded", mean(top5)),
            ("mean over classes, occluded", mean([macro_accuracy(outcomes) for outcomes in arm.top1])),
            ("worst pattern", mean([worst_pattern(outcomes)[1] for outcomes in arm.top1])),
        ]
        if CLEAN.group in self.columns:
            found.append(("drop under occlusion", mean([occlusion_drop(outcomes) for outcomes in arm.top1])))
            if known := curves([arm]):
                against = {"image": "ratio", "object": "level"}[known[0].of]
                found.append((f"area under accuracy vs {against}", mean([nauc(outcomes) for outcomes in arm.top1])))
        return tuple(found)

    def curves(self) -> tuple[Curve, ...]:
        """Return accuracy against the occlusion ratio."""
        return curves(self.arms)

    def heat_maps(self) -> tuple[HeatMap, ...]:
        """Return accuracy by occluder and place."""
        return heat_maps(self.arms)

    def classes(self, names: Sequence[str]) -> tuple[ClassAccuracy, ...]:
        """Return every class's accuracy, the worst first."""
        return classes_worst_first(self.arms, names)
