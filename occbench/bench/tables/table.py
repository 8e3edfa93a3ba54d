"""From run directories to results: tables, differences, verdicts and breakdowns, recomputed from the predictions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occbench.bench.measures.resampling import DRAWS
from occbench.bench.protocol.benchmark import Benchmark, benchmark_names, load_benchmark
from occbench.bench.protocol.claims import Claim
from occbench.bench.protocol.reference import (
    PublishedClaim,
    ReferenceRow,
    claims_for,
    reference_names,
    reference_table,
    row_beside,
)
from occbench.bench.tables.accuracy_table import AccuracyTable
from occbench.bench.tables.comparable import Comparable, TrainedArm, comparable, on_shared_cells
from occbench.bench.tables.comparisons import compare, judge_claims
from occbench.bench.tables.finished_runs import find_runs
from occbench.bench.tables.label_table import LabelTable
from occbench.bench.tables.measured import Measured
from occbench.bench.tables.provenance import describe_runs, provenance_of, warnings_of
from occbench.core.results.breakdowns import Cost
from occbench.core.results.result_set import ResultSet
from occbench.core.results.rows import PublishedRow, ResultRow
from occbench.core.tasks import MULTI_LABEL

__all__ = ["Published", "build_results", "published_for"]


@dataclass(frozen=True, slots=True)
class Published:
    """What is known of a benchmark beforehand; all of it may be empty.

    Attributes:
        arms: names in table order.
        rows: the paper's table.
        claims: what is claimed.
    """

    arms: tuple[str, ...] = ()
    rows: tuple[ReferenceRow, ...] = ()
    claims: tuple[PublishedClaim, ...] = ()


def build_results(runs: str | Path, file: str = "", *, draws: int = DRAWS) -> tuple[ResultSet, ...]:
    """Read every finished run of a folder and put them into tables.

    Runs share a table when benchmark, test set and training rule agree; a table per combination otherwise.

    Args:
        runs: folder of run directories, as ``running.run`` writes them.
        file: a benchmark that is not packaged, for its arms, claims and reference table.
        draws: of the bootstrap.

    Raises:
        ConfigError: ``file`` is no benchmark.
        DatasetError: no finished run, a damaged manifest or block, or arms scored on different cells.
    """
    extra = load_benchmark(file) if file else None
    finished, begun = find_runs(Path(runs))
    tables = comparable(finished)
    return tuple(_result_set(table, tables, begun, published_for(table.benchmark, extra), draws) for table in tables)


def published_for(name: str, extra: Benchmark | None = None) -> Published:
    """Return what the benchmark of that name, its reference table and its claims say.

    Args:
        name: of a benchmark, packaged or not.
        extra: one that is not packaged; used where it has the name.
    """
    claims = claims_for(name)
    if extra is not None and extra.name == name:
        loaded = extra
    elif name in benchmark_names():
        loaded = load_benchmark(name)
    else:
        return Published((), reference_table(name) if name in reference_names() else (), claims)
    known = {published.claim.text for published in claims if published.claim}
    own = tuple(PublishedClaim("", Claim(text), None, "", "") for text in loaded.claims if text not in known)
    rows = reference_table(loaded.reference_table) if loaded.reference_table else ()
    return Published(tuple(loaded.arms), rows, claims + own)


def _result_set(
    table: Comparable, tables: Sequence[Comparable], begun: Sequence[Path], published: Published, draws: int
) -> ResultSet:
    arms = sorted(on_shared_cells(table.arms), key=lambda arm: _order(arm, published.arms))
    measured = _measure(arms, published, draws)
    columns = measured.columns
    beside = {arm.label: row for arm in arms if (row := row_beside(published.rows, arm.arm, arm.backbone)) is not None}
    return ResultSet(
        benchmark=table.benchmark,
        setting=table.setting,
        test_set=table.test_set,
        images=measured.images,
        columns=columns,
        conditions=tuple(measured.conditions(column) for column in columns),
        rows=tuple(_row(arm, measured, beside.get(arm.label)) for arm in arms),
        published_only=_published_only(published.rows, beside.values(), columns),
        published_source=", ".join(dict.fromkeys(row.source for row in published.rows)),
        comparisons=compare(measured.resampled),
        verdicts=judge_claims(published.claims, measured.resampled),
        curves=measured.curves(),
        heat_maps=measured.heat_maps(),
        classes=measured.classes(_class_names(arms)),
        costs=tuple(_cost(arm) for arm in arms),
        runs=describe_runs(arms),
        provenance=provenance_of(arms),
        warnings=warnings_of(arms, tables, begun, published.arms, beside),
        metric=measured.metric,
        metric_title=measured.metric_title,
        metric_tables=measured.metric_tables(),
    )


def _published_only(
    rows: Sequence[ReferenceRow], beside: Collection[ReferenceRow], columns: Sequence[str]
) -> tuple[PublishedRow, ...]:
    """Return the paper's rows that no row of ours stands beside, named with their backbone where there are several."""
    several = len({row.backbone for row in rows if not row.is_quoted}) > 1
    return tuple(
        PublishedRow(
            f"{row.arm}, {row.backbone}" if several and not row.is_quoted else row.arm,
            tuple(row.values.get(column) for column in columns),
            row.source,
        )
        for row in rows
        if not any(row is other for other in beside) and not set(columns).isdisjoint(row.values)
    )


def _order(arm: TrainedArm, known: Sequence[str]) -> tuple[object, ...]:
    """Sort backbones apart, arms as the benchmark lists them; unlisted ones from plain to elaborate."""
    place = known.index(arm.arm) if arm.arm in known else len(known)
    augmented = bool(arm.runs[0].facts["arm"].get("add_occluded", False))
    return (arm.backbone, place, arm.method != "fine_tune", augmented, arm.label)


def _row(arm: TrainedArm, measured: Measured, paper: ReferenceRow | None) -> ResultRow:
    baseline = next(other for other in measured.arms if other.backbone == arm.backbone)
    return ResultRow(
        label=arm.label,
        arm=arm.arm,
        method=arm.method,
        backbone=arm.backbone,
        seeds=arm.seeds,
        cells=tuple(
            measured.cell(arm, column, paper.values.get(column) if paper else None) for column in measured.columns
        ),
        summaries=measured.summaries(arm, baseline),
    )


def _measure(arms: Sequence[TrainedArm], published: Published, draws: int) -> Measured:
    """Measure the rows of a table by the metrics of their task."""
    claims = [item.claim for item in published.claims if item.claim is not None]
    table = LabelTable if arms[0].task is MULTI_LABEL else AccuracyTable
    return table(arms, published.rows, claims, draws)


def _class_names(arms: Sequence[TrainedArm]) -> tuple[str, ...]:
    return tuple(map(str, arms[0].runs[0].manifest.get("classes", ())))


def _cost(arm: TrainedArm) -> Cost:
    manifests = [run.manifest for run in arm.runs]
    train_s, score_s, images_per_s = (
        float(np.mean([float(manifest[name]) for manifest in manifests]))
        for name in ("train_s", "score_s", "images_per_s")
    )
    devices = ", ".join(dict.fromkeys(str(manifest["device"]) for manifest in manifests))
    ratios = [
        float(manifest["images_per_s"]) / float(manifest["bare_images_per_s"])
        for manifest in manifests
        if "bare_images_per_s" in manifest
    ]
    of_bare = float(np.mean(ratios)) if len(ratios) == len(manifests) else None
    return Cost(arm.label, train_s, score_s, images_per_s, devices, of_bare)
