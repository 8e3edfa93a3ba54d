"""A table and all that belongs to it."""

from dataclasses import dataclass

from occbench.core.results.breakdowns import ClassAccuracy, Cost, Curve, HeatMap, MetricTable
from occbench.core.results.rows import ClaimVerdict, Comparison, PublishedRow, ResultRow

__all__ = ["ResultSet", "RunEntry"]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run that a row rests on.

    Attributes:
        fingerprint: of the run; names its directory.
        label: of the row.
        seed: training seed.
        weights: what the backbone started from.
    """

    fingerprint: str
    label: str
    seed: int
    weights: str


@dataclass(frozen=True, slots=True)
class ResultSet:
    """One table and all that belongs to it. Everything in it was scored on one test set.

    Attributes:
        benchmark: name of the benchmark.
        setting: what sets this table apart from others of the benchmark, e.g. ``train.epochs 10``; may be empty.
        test_set: fingerprint of images, labels and overlays.
        images: test images.
        columns: ``clean``, condition groups, ``avg``.
        conditions: how many conditions each column averages.
        rows: in table order; the first of a backbone is its baseline.
        published_only: rows of the paper's table without a run of ours.
        published_source: where the paper's numbers stand; may be empty.
        comparisons: every row against its baseline.
        verdicts: the claims.
        curves: one per row; empty where a condition has no ratio.
        heat_maps: one per row; empty where no condition names its occluder.
        classes: the worst first, by the mean over rows.
        costs: one per row.
        runs: every run that the table rests on.
        provenance: (name, value) pairs.
        warnings: full sentences: what is missing or must be read with care.
        metric: short name of the headline metric, whose values the table's cells, curves and classes hold.
        metric_title: what it is, for people.
        metric_tables: further metrics; none where the summaries say it all.
    """

    benchmark: str
    setting: str
    test_set: str
    images: int
    columns: tuple[str, ...]
    conditions: tuple[int, ...]
    rows: tuple[ResultRow, ...]
    published_only: tuple[PublishedRow, ...]
    published_source: str
    comparisons: tuple[Comparison, ...]
    verdicts: tuple[ClaimVerdict, ...]
    curves: tuple[Curve, ...]
    heat_maps: tuple[HeatMap, ...]
    classes: tuple[ClassAccuracy, ...]
    costs: tuple[Cost, ...]
    runs: tuple[RunEntry, ...]
    provenance: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    metric: str = "top1"
    metric_title: str = "top-1 accuracy"
    metric_tables: tuple[MetricTable, ...] = ()
