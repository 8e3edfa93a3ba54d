"""The rows of a table, measured: what differs between accuracies and metrics of several labels, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from occbench.bench.measures.outcomes import Columns, member_groups
from occbench.bench.protocol.claims import Claim
from occbench.bench.protocol.reference import ReferenceRow
from occbench.bench.tables.comparable import TrainedArm
from occbench.bench.tables.comparisons import Resampled
from occbench.bench.tables.stored_conditions import natural
from occbench.core.results.breakdowns import ClassAccuracy, Curve, HeatMap, MetricTable
from occbench.core.results.rows import TableCell
from occbench.core.types import CLEAN

__all__ = ["Measured", "group_columns"]


class Measured(ABC):
    """One table's rows under one metric.

    Attributes:
        metric: short name of the headline metric.
        metric_title: what it is, for people.
        arms: in table order.
        columns: of the headline table.
        images: test images.
        resampled: the rows of every backbone on resampled images, for differences and claims.
    """

    metric: str
    metric_title: str
    arms: Sequence[TrainedArm]
    columns: tuple[str, ...]
    images: int
    resampled: Sequence[Resampled]

    @abstractmethod
    def conditions(self, column: str) -> int:
        """Return how many conditions a column averages."""

    @abstractmethod
    def cell(self, arm: TrainedArm, column: str, paper: float | None) -> TableCell:
        """Return one number of the table, beside the paper's where it has one."""

    @abstractmethod
    def summaries(self, arm: TrainedArm, baseline: TrainedArm) -> tuple[tuple[str, float], ...]:
        """Return (name, mean over seeds in percentage points) of what sums a row up."""

    @abstractmethod
    def curves(self) -> tuple[Curve, ...]:
        """Return the metric against the occlusion ratio, or the share of the object that is hidden."""

    @abstractmethod
    def heat_maps(self) -> tuple[HeatMap, ...]:
        """Return the metric by occluder and place."""

    @abstractmethod
    def classes(self, names: Sequence[str]) -> tuple[ClassAccuracy, ...]:
        """Return the metric of every class, the worst first."""

    def metric_tables(self) -> tuple[MetricTable, ...]:
        """Return further metrics."""
        return ()


def group_columns(scored: Columns, rows: Sequence[ReferenceRow], claims: Sequence[Claim]) -> tuple[str, ...]:
    """Return clean, the groups in the paper's order or else by number, and the average.

    A column of the paper's, or of a claim, that stands for several groups follows the last of them.
    """
    papers = list(dict.fromkeys(column for row in rows for column in row.values))
    groups = [group for group in scored.groups if group != CLEAN.group]
    claimed = [column for claim in claims for _, column in claim.terms]
    named = (name for name in (*papers, *claimed) if name not in groups)
    wide = {name: found for name in named if len(found := member_groups(name, groups)) > 1}

    def place(column: str) -> tuple[object, ...]:
        own = next((name for name, members in wide.items() if column in members), column)
        return papers.index(own) if own in papers else len(papers), column in wide, natural(column)

    columns = sorted([*groups, *wide], key=place)
    first = [CLEAN.group] if CLEAN.group in scored.groups else []
    return (*first, *columns, *([scored.headline] if groups else []))
