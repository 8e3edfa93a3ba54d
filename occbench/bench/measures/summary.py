"""From a cell's outcomes to its records: the numbers of its table row, with intervals clustered by image."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from occbench.bench.measures.metrics import macro_accuracy, nauc, worst_pattern
from occbench.bench.measures.outcomes import AVERAGE, Outcomes
from occbench.bench.measures.records import Record
from occbench.bench.measures.statistics import Interval, clustered_interval
from occbench.core.types import CLEAN

if TYPE_CHECKING:
    from occbench.bench.protocol.cell import Cell

__all__ = ["Origin", "origin_of", "records_of", "summarise"]

#: Parameters that say how much of the image a condition hides; without one there is no area under the curve.
_HIDDEN_SHARES = {"achieved", "ratio", "loss"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose numbers they are: the fields of ``Record`` that all records of one scored model share."""

    benchmark: str
    method: str
    arm: str
    backbone: str
    seed: int | None
    run: str


def origin_of(cell: "Cell") -> Origin:
    """Return whose numbers the records of a cell are."""
    return Origin(cell.benchmark.name, cell.arm.method.name, cell.arm_name, cell.backbone, cell.seed, cell.fingerprint)


def records_of(cell: "Cell", top1: Outcomes, top5: Outcomes) -> list[Record]:
    """Return the records of one cell; see ``summarise``."""
    return summarise(origin_of(cell), top1, top5)


def summarise(origin: Origin, top1: Outcomes, top5: Outcomes) -> list[Record]:
    """Return every condition group and condition, top-1 and top-5, and the summaries of one scored model.

    Where cells were left unscored, all records but those of the clean images are marked as of a part. A test set of
    clean images alone has no averages.
    """
    groups = list(dict.fromkeys([*top1.groups, top1.headline]))
    names = [condition.name for condition in top1.conditions]
    records = [
        _record(origin, metric, group, clustered_interval(outcomes, group))
        for metric, outcomes in (("top1", top1), ("top5", top5))
        for group in groups
    ]
    records += [
        _point(origin, "top1_condition", name, value, int(images))
        for name, value, images in zip(names, top1.accuracy, top1.cells_by_condition, strict=True)
    ]
    if top1.headline != AVERAGE:
        return records
    worst, value = worst_pattern(top1)
    records.append(_point(origin, "worst_pattern", worst, value, len(top1.labels)))
    records.append(_point(origin, "macro", AVERAGE, macro_accuracy(top1), len(top1.labels)))
    if all(_HIDDEN_SHARES & set(condition.parameters) for condition in top1.conditions if condition.name != CLEAN.name):
        records.append(_point(origin, "nauc", AVERAGE, nauc(top1), len(top1.labels)))
    return [replace(record, part=True) if _is_of_a_part(record, top1) else record for record in records]


def _is_of_a_part(record: Record, outcomes: Outcomes) -> bool:
    return record.group != CLEAN.group and outcomes.seen is not None and not bool(outcomes.seen.all())


def _record(origin: Origin, metric: str, group: str, found: Interval) -> Record:
    return Record(
        **asdict(origin),
        group=group,
        metric=metric,
        value=round(100 * found.value, 6),
        low=round(100 * found.low, 6),
        high=round(100 * found.high, 6),
        n=found.n_images,
    )


def _point(origin: Origin, metric: str, group: str, value: float, images: int) -> Record:
    return _record(origin, metric, group, Interval(value, value, value, images, images))
