"""Results as one CSV table in long form: a row per number, unrounded, for a data frame."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from io import StringIO

from occbench.core.results.breakdowns import Cost, Curve, HeatMap, MetricTable
from occbench.core.results.result_set import ResultSet
from occbench.core.results.rows import Number, TableCell

__all__ = ["CsvRow", "csv_of", "csv_rows"]


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One number.

    Attributes:
        benchmark: name of the benchmark.
        test_set: fingerprint of the test set; numbers of different test sets must not be compared.
        setting: what sets the table apart from others of the benchmark.
        section: ``accuracy``, ``published``, ``summary``, ``difference``, ``claim``, ``curve``, ``occluder``,
            ``metric``, ``class`` or ``cost``.
        row: label of the table's row; of a claim the backbone.
        item: what the number is of: a column, an occlusion ratio, an occluder and its place, a class, a statement.
        metric: what it is, e.g. ``top1``.
        value: percentage points, or the unit that the metric names; None for a claim that was not judged.
        low: lower end of its interval, or None.
        high: upper end.
        note: a claim's verdict, a difference's baseline, a paper's source.
    """

    benchmark: str
    test_set: str
    setting: str
    section: str
    row: str
    item: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


#: section, row, item, metric, number, note
_Entry = tuple[str, str, str, str, Number | float | None, str]


def csv_of(results: Sequence[ResultSet]) -> str:
    """Return the table with a header line; floats are written so that they read back equal."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(CsvRow)])
    writer.writerows(astuple(row) for item in results for row in csv_rows(item))
    return text.getvalue()


def csv_rows(results: ResultSet) -> Iterator[CsvRow]:
    """Yield every number of a result set."""
    for section, row, item, metric, number, note in (*_table(results), *_inference(results), *_breakdowns(results)):
        found = number if isinstance(number, Number) else Number(number) if number is not None else None
        value, low, high = (None, None, None) if found is None else (found.value, found.low, found.high)
        yield CsvRow(
            results.benchmark, results.test_set, results.setting, section, row, item, metric, value, low, high, note
        )


def _table(results: ResultSet) -> Iterable[_Entry]:
    for row in results.rows:
        for column, cell in zip(results.columns, row.cells, strict=True):
            yield from _cell(results, row.label, column, cell)
        for name, value in row.summaries:
            yield "summary", row.label, name, "points", value, ""
    for paper in results.published_only:
        for column, published in zip(results.columns, paper.values, strict=True):
            if published is not None:
                yield "published", paper.arm, column, _metric(results, column), published, paper.source


def _metric(results: ResultSet, column: str) -> str:
    """Return what a column holds: the headline metric, or the one that its name says (``clean/cf1``)."""
    return column.rpartition("/")[2] if "/" in column else results.metric


def _cell(results: ResultSet, row: str, column: str, cell: TableCell) -> Iterable[_Entry]:
    metric = _metric(results, column)
    yield "accuracy", row, column, metric, cell.number, ""
    if cell.between_seeds is not None:
        yield "accuracy", row, column, "between_seeds_sd", cell.between_seeds, ""
    if cell.published is not None:
        yield "published", row, column, metric, cell.published, results.published_source
        yield "published", row, column, "ours_minus_published", cell.difference, ""


def _inference(results: ResultSet) -> Iterable[_Entry]:
    for found in results.comparisons:
        yield "difference", found.label, found.column, "difference", found.difference, found.baseline
        yield "difference", found.label, found.column, "p_value", found.p_value, found.baseline
        yield "difference", found.label, found.column, "p_corrected", found.p_corrected, found.baseline
    for verdict in results.verdicts:
        note = f"{verdict.verdict}: {verdict.reason}" if verdict.reason else verdict.verdict
        yield "claim", verdict.backbone, verdict.statement or verdict.title, "margin", verdict.margin, note


def _breakdowns(results: ResultSet) -> Iterable[_Entry]:
    for curve in results.curves:
        for ratio, number in curve.points:
            yield "curve", curve.label, f"{ratio:g}", results.metric, number, _of(curve)
    for heat_map in results.heat_maps:
        yield from _patterns(heat_map, results.metric)
    for table in results.metric_tables:
        yield from _metrics(table)
    for row in results.classes:
        for arm, value in zip(results.rows, row.values, strict=True):
            yield "class", arm.label, row.name, results.metric, value, ""
    for cost in results.costs:
        yield from _cost(cost)


def _cost(cost: Cost) -> Iterable[_Entry]:
    known = {
        "train_s": cost.train_s,
        "score_s": cost.score_s,
        "images_per_s": cost.images_per_s,
        "of_bare": cost.of_bare,
    }
    for name, value in known.items():
        if value is not None:
            yield "cost", cost.label, cost.device, name, value, ""


def _metrics(table: MetricTable) -> Iterable[_Entry]:
    for label, group, numbers in table.rows:
        for name, number in zip(table.columns, numbers, strict=True):
            yield "metric", label, f"{group}: {table.title}", name, number, ""


def _patterns(heat_map: HeatMap, metric: str) -> Iterable[_Entry]:
    for occluder, values in zip(heat_map.occluders, heat_map.values, strict=True):
        for place, value in zip(heat_map.places, values, strict=True):
            if value is not None:
                yield "occluder", heat_map.label, f"{occluder}, {place}", metric, value, ""


def _of(curve: Curve) -> str:
    return "" if curve.of == "image" else "of the object"
