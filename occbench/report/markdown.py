"""Results as Markdown: for a repository, a pull request, an issue."""

import re
from collections.abc import Iterable, Sequence

from occbench.core.results.breakdowns import MetricTable
from occbench.core.results.result_set import ResultSet
from occbench.core.results.rows import ClaimVerdict, Number
from occbench.report.wording import (
    capital,
    count_verdicts,
    curve_title,
    interval,
    p_value,
    percent_points,
    seeds,
    signed,
    title,
    versus_paper,
)

__all__ = ["markdown_of"]

_WORST_CLASSES = 10


def markdown_of(results: Sequence[ResultSet]) -> str:
    """Return all tables as one document."""
    return "\n\n".join(part for item in results for part in _sections(item)) + "\n"


def _sections(item: ResultSet) -> list[str]:
    parts = [
        f"# {_plain(title(item))}",
        f"{capital(item.metric_title)} in percent with 95 % intervals, {item.images:,} test images, test set "
        f"`{item.test_set}`.",
    ]
    if item.published_source:
        parts[1] += f" The paper's numbers: {_plain(item.published_source)}; after them, ours minus the paper's."
    parts += ["\n".join(f"> {_plain(text)}" for text in item.warnings)] if item.warnings else []
    parts.append(_headline(item))
    if item.verdicts:
        parts += [f"## Claims\n\n{count_verdicts(item.verdicts)}.", "\n".join(map(_verdict, item.verdicts))]
    if item.comparisons:
        parts.append("## Differences\n\nPaired over images; Holm's correction over all of this table.")
        parts.append(_differences(item))
    parts += ["## Summaries", _summaries(item)]
    for table in item.metric_tables:
        parts += [f"## {_plain(table.title)}", _metrics(table)]
    parts += _breakdowns(item)
    parts += ["## Cost", _cost(item), "## Provenance"]
    parts.append("\n".join(f"- {_plain(name)}: {_plain(value)}" for name, value in item.provenance))
    parts.append(
        _table(
            ["run", "row", "seed", "backbone weights"],
            ([f"`{run.fingerprint}`", _plain(run.label), str(run.seed), _plain(run.weights)] for run in item.runs),
        )
    )
    return parts


def _headline(item: ResultSet) -> str:
    rows = []
    for row in item.rows:
        cells = []
        for cell in row.cells:
            spread = "" if cell.between_seeds is None else f"seeds sd {percent_points(cell.between_seeds)}"
            lines = [interval(cell.number), spread, versus_paper(cell.published, cell.difference)]
            cells.append("<br>".join([f"**{percent_points(cell.number.value)}**", *filter(None, lines)]))
        rows.append([_plain(row.label), seeds(row.seeds), *cells])
    for paper in item.published_only:
        rows.append([f"{_plain(paper.arm)} (paper only)", "", *(versus_paper(value, None) for value in paper.values)])
    return _table(["", "seeds", *map(_plain, item.columns)], rows)


def _verdict(verdict: ClaimVerdict) -> str:
    margin = verdict.reason
    if verdict.margin is not None:
        margin = f"margin {signed(verdict.margin.value)} {interval(verdict.margin)}"
    facts = [f"`{verdict.statement}`" if verdict.statement else "", margin, _printed(verdict), _plain(verdict.source)]
    name = f" {_plain(verdict.title)}:" if verdict.title else ""
    return f"- **{verdict.verdict}**{name} " + "; ".join(filter(None, facts))


def _printed(verdict: ClaimVerdict) -> str:
    return f"the paper gives {_plain(verdict.printed)}" if verdict.printed else ""


def _differences(item: ResultSet) -> str:
    return _table(
        ["row minus baseline", "column", "difference", "p", "p, corrected"],
        (
            [
                f"{_plain(found.label)} {_plain('-')} {_plain(found.baseline)}",
                _plain(found.column),
                f"{signed(found.difference.value)} {interval(found.difference)}",
                p_value(found.p_value),
                p_value(found.p_corrected),
            ]
            for found in item.comparisons
        ),
    )


def _summaries(item: ResultSet) -> str:
    names = [name for name, _ in item.rows[0].summaries]
    rows = ([_plain(row.label), *(percent_points(value) for _, value in row.summaries)] for row in item.rows)
    return _table(["", *names], rows)


def _metrics(table: MetricTable) -> str:
    def cell(number: Number | None) -> str:
        return "" if number is None else f"{percent_points(number.value)} {interval(number)}"

    rows = ([_plain(label), _plain(group), *map(cell, numbers)] for label, group, numbers in table.rows)
    return _table(["", "column", *map(_plain, table.columns)], rows)


def _measure(item: ResultSet) -> str:
    """Return the headline metric in headings."""
    return "Accuracy" if item.metric == "top1" else capital(item.metric_title)


def _breakdowns(item: ResultSet) -> list[str]:
    parts = []
    if item.curves:
        ratios = [f"{100 * ratio:g} %" for ratio, _ in item.curves[0].points]
        rows = (
            [_plain(curve.label), *(f"{percent_points(point.value)} {interval(point)}" for _, point in curve.points)]
            for curve in item.curves
        )
        parts += [f"## {curve_title(item.curves, _measure(item))}", _table(["", *ratios], rows)]
    for heat_map in item.heat_maps:
        body = (
            [_plain(name), *("" if value is None else percent_points(value) for value in values)]
            for name, values in zip(heat_map.occluders, heat_map.values, strict=True)
        )
        parts += [f"## Occluders: {_plain(heat_map.label)}", _table(["", *heat_map.places], body)]
    worst = item.classes[:_WORST_CLASSES]
    listed = ([_plain(row.name), str(row.images), *map(percent_points, row.values)] for row in worst)
    parts += [
        f"## Worst classes\n\nThe {len(worst)} of {len(item.classes)} with the lowest {_measure(item).lower()} "
        "under occlusion.",
        _table(["class", "images", *(_plain(row.label) for row in item.rows)], listed),
    ]
    return parts


def _cost(item: ResultSet) -> str:
    return _table(
        ["", "training, s", "scoring, s", "images/s", "of bare", "device"],
        (
            [
                _plain(cost.label),
                f"{cost.train_s:,.1f}",
                f"{cost.score_s:,.1f}",
                f"{cost.images_per_s:,.0f}",
                "" if cost.of_bare is None else f"{cost.of_bare:.2f}",
                cost.device,
            ]
            for cost in item.costs
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|#~&$])", r"\\\1", " ".join(text.split()))
