"""Records: one number with all that is needed to say where it came from; a run's ``records.jsonl`` holds one a line."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from occbench.core.canonical import canonical_json
from occbench.core.errors import DatasetError
from occbench.core.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HEADLINE_METRICS", "Record", "append_records", "latest_records", "read_records", "to_frame"]


#: What a run is summed up by: top-1 accuracy, or mAP where images have several labels.
HEADLINE_METRICS: Final = ("top1", "map")


@dataclass(frozen=True, slots=True)
class Record:
    """One number of a run.

    Attributes:
        benchmark: name of the benchmark.
        method: name of the method.
        arm: training arm, e.g. ``C-Full``.
        backbone: name of the backbone.
        seed: training seed; None for a summary over seeds.
        group: condition group, ``clean``, ``avg``, or a condition's name.
        metric: what the value is, e.g. ``top1``, ``macro``, ``nauc``.
        value: percentage points, 0 to 100 (a difference: -100 to 100).
        low: lower end of its interval, percentage points; None where it has none.
        high: upper end.
        n: images that the value rests on.
        run: fingerprint of the run that made it.
        part: whether it is of a random part of the image x condition cells (``--half-width``) instead of all.

    Raises:
        DatasetError: a number that is not finite or an interval that does not hold the value.
    """

    benchmark: str
    method: str
    arm: str
    backbone: str
    seed: int | None
    group: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    run: str
    part: bool = False

    def __post_init__(self) -> None:
        numbers = [number for number in (self.low, self.value, self.high) if number is not None]
        if not all(map(math.isfinite, numbers)) or numbers != sorted(numbers) or abs(self.value) > 100:
            raise DatasetError(
                f"a record needs low <= value <= high in percentage points, "
                f"found {self.low}, {self.value}, {self.high} for {self.arm} {self.group} {self.metric}."
            )

    @property
    def identity(self) -> tuple[str | int | None, ...]:
        """What the number is of: every field but the number, its interval and what it rests on."""
        return tuple(getattr(self, name) for name in _NAMES if name not in _MEASURED)


_NAMES: Final = tuple(field.name for field in fields(Record))
_MEASURED: Final = frozenset({"value", "low", "high", "n", "part"})
#: Fields that stand in a line only where they are set.
_MARKS: Final = frozenset({"part"})


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Add records to the end of a JSONL file; the file is written anew, whole or not at all.

    A record that the file already has is not added again, so a repeated command changes nothing. One writer at a time.

    Raises:
        DatasetError: the file holds a line that is no record.
        StorageError: the disk is full or the folder cannot be written.
    """
    kept = read_records(path) if path.exists() else []
    written = list(dict.fromkeys([*kept, *records]))
    if written != kept or not path.exists():
        write_bytes(path, "".join(f"{_line(record)}\n" for record in written).encode())


def read_records(path: Path) -> list[Record]:
    """Read every record of a JSONL file, in order.

    Raises:
        DatasetError: there is no such file, or a line is no record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DatasetError(f"{path} was asked for and is not there: run the benchmark first.") from error
    return [_parse(line, f"{path}, line {number}") for number, line in enumerate(text.splitlines(), start=1) if line]


def latest_records(records: Iterable[Record]) -> list[Record]:
    """Keep the last record of each identity: of a table that grew from part of the cells to all, the latter."""
    return list({record.identity: record for record in records}.values())


def to_frame(records: Iterable[Record]) -> "pd.DataFrame":
    """Return a data frame with one row per record and the fields as columns, in order."""
    import pandas as pd

    return pd.DataFrame([asdict(record) for record in records], columns=list(_NAMES))


def _line(record: Record) -> str:
    return canonical_json({name: value for name, value in asdict(record).items() if value or name not in _MARKS})


def _parse(line: str, where: str) -> Record:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise DatasetError(
            f"{where}: expected a JSON object, found {line[:40]!r}. Delete the line and run again."
        ) from error
    if not isinstance(values, dict) or set(values) - _MARKS != set(_NAMES) - _MARKS:
        found = sorted(values) if isinstance(values, dict) else type(values).__name__
        needed = sorted(set(_NAMES) - _MARKS)
        raise DatasetError(f"{where}: expected the fields {needed}, found {found}. Delete the line and run again.")
    # a whole number is written without its point
    numbers = {name: None if values[name] is None else float(values[name]) for name in ("value", "low", "high")}
    return Record(**{**values, **numbers})
