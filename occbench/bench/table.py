"""From run directories to results: tables, differences, verdicts and breakdowns, recomputed from the predictions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occbench.bench.breakdowns import classes_worst_first, curves, estimate, heat_maps
from occbench.bench.claims import Claim
from occbench.bench.comparisons import compare, judge_claims, resample
from occbench.bench.finished_runs import Comparable, TrainedArm, comparable, find_runs, on_shared_cells
from occbench.bench.metrics import clean_drop, macro_accuracy, nauc, occlusion_drop, worst_pattern
from occbench.bench.outcomes import AVERAGE, Outcomes, check_paired, member_groups
from occbench.bench.protocol import Benchmark, benchmark_names, load_benchmark
from occbench.bench.provenance import describe_runs, provenance_of, warnings_of
from occbench.bench.reference import (
    PublishedClaim,
    ReferenceRow,
    claims_for,
    reference_names,
    reference_table,
    row_beside,
)
from occbench.bench.resampling import DRAWS
from occbench.bench.stored_conditions import natural
from occbench.core.results import Cost, PublishedRow, ResultRow, ResultSet, TableCell
from occbench.core.types import CLEAN

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


def build_results(runs: Path, file: str = "", *, draws: int = DRAWS) -> tuple[ResultSet, ...]:
    """Read every finished run of a folder and put them into tables.

    Runs share a table when benchmark, test set and training rule agree; a table per combination otherwise.

    Args:
        runs: folder of run directories, as ``bench.run`` writes them.
        file: a benchmark that is not packaged, for its arms, claims and reference table.
        draws: of the bootstrap.

    Raises:
        ConfigError: ``file`` is no benchmark.
        DatasetError: no finished run, a damaged manifest or block, or arms scored on different cells.
    """
    extra = load_benchmark(file) if file else None
    finished, begun = find_runs(runs)
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
    rows = reference_table(loaded.reference) if loaded.reference else ()
    return Published(tuple(loaded.arms), rows, claims + own)


def _result_set(
    table: Comparable, tables: Sequence[Comparable], begun: Sequence[Path], published: Published, draws: int
) -> ResultSet:
    arms = sorted(on_shared_cells(table.arms), key=lambda arm: _order(arm, published.arms))
    check_paired([outcomes for arm in arms for outcomes in arm.top1])
    columns = _columns(arms[0].top1[0], published.rows)
    resampled = resample(arms, columns, draws=draws)
    beside = {arm.label: row for arm in arms if (row := row_beside(published.rows, arm.arm, arm.backbone)) is not None}
    return ResultSet(
        benchmark=table.benchmark,
        setting=table.setting,
        test_set=table.test_set,
        images=len(arms[0].top1[0].labels),
        columns=columns,
        conditions=tuple(len(arms[0].top1[0].columns(column)) for column in columns),
        rows=tuple(_row(arm, arms, columns, beside.get(arm.label)) for arm in arms),
        published_only=_published_only(published.rows, beside.values(), columns),
        published_source=", ".join(dict.fromkeys(row.source for row in published.rows)),
        comparisons=compare(resampled),
        verdicts=judge_claims(published.claims, resampled),
        curves=curves(arms),
        heat_maps=heat_maps(arms),
        classes=classes_worst_first(arms, _class_names(arms)),
        costs=tuple(_cost(arm) for arm in arms),
        runs=describe_runs(arms),
        provenance=provenance_of(arms),
        warnings=warnings_of(arms, tables, begun, published.arms, beside),
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


def _columns(outcomes: Outcomes, rows: Sequence[ReferenceRow]) -> tuple[str, ...]:
    """Return clean, the groups in the paper's order or else by number, and the average.

    A column of the paper's that stands for several groups follows the last of them.
    """
    papers = list(dict.fromkeys(column for row in rows for column in row.values))
    groups = [group for group in outcomes.groups if group != CLEAN.group]
    wide = {name: found for name in papers if len(found := member_groups(name, groups)) > 1 and name not in groups}

    def place(column: str) -> tuple[object, ...]:
        own = next((name for name, members in wide.items() if column in members), column)
        return papers.index(own) if own in papers else len(papers), column in wide, natural(column)

    columns = sorted([*groups, *wide], key=place)
    first = [CLEAN.group] if CLEAN.group in outcomes.groups else []
    return (*first, *columns, *([AVERAGE] if groups else []))


def _row(arm: TrainedArm, arms: Sequence[TrainedArm], columns: Sequence[str], paper: ReferenceRow | None) -> ResultRow:
    baseline = next(other for other in arms if other.backbone == arm.backbone)
    return ResultRow(
        label=arm.label,
        arm=arm.arm,
        method=arm.method,
        backbone=arm.backbone,
        seeds=arm.seeds,
        cells=tuple(_cell(arm, column, paper.values.get(column) if paper else None) for column in columns),
        summaries=_summaries(arm, baseline, columns),
    )


def _cell(arm: TrainedArm, column: str, paper: float | None) -> TableCell:
    found = estimate(arm.top1, column)
    return TableCell(found.number, found.between_seeds, paper, None if paper is None else found.number.value - paper)


def _summaries(arm: TrainedArm, baseline: TrainedArm, columns: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return the summaries that this test set allows, means over seeds."""

    def mean(values: Sequence[float]) -> float:
        return float(100 * np.mean(values))

    found: list[tuple[str, float]] = []
    if CLEAN.group in columns:
        drops = [clean_drop(own, base) for own in arm.top1 for base in baseline.top1]
        found.append(("clean drop against the baseline", mean(drops)))
    if AVERAGE not in columns:
        return tuple(found)
    top5 = [run.top5.accuracy[run.top5.columns(AVERAGE)].mean() for run in arm.runs]
    found += [
        ("top-5, occluded", mean(top5)),
        ("mean over classes, occluded", mean([macro_accuracy(outcomes) for outcomes in arm.top1])),
        ("worst pattern", mean([worst_pattern(outcomes)[1] for outcomes in arm.top1])),
    ]
    if CLEAN.group in columns:
        found.append(("drop under occlusion", mean([occlusion_drop(outcomes) for outcomes in arm.top1])))
        if curves([arm]):
            found.append(("area under accuracy vs ratio", mean([nauc(outcomes) for outcomes in arm.top1])))
    return tuple(found)


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
