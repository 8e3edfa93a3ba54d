"""The conditions that stored predictions name, in the order of tables: clean first, then by name."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.core.types import CLEAN, Condition

__all__ = ["in_table_order", "natural", "stored_conditions"]


def stored_conditions(folder: Path) -> tuple[Condition, ...]:
    """Return the conditions that blocks of predictions name: clean first, then by name.

    Raises:
        DatasetError: no block, or one that does not name its condition.
    """
    conditions = [_condition(path) for path in folder.glob("block-*.parquet")]
    if not conditions:
        raise DatasetError(
            f"{folder} holds no predictions. Delete the run's manifest.json and run the benchmark again."
        )
    return in_table_order(conditions)


def in_table_order(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return conditions as tables have them: clean first, then by name, ``patchdrop-5`` before ``patchdrop-10``."""
    return tuple(sorted(conditions, key=lambda item: (item.group != CLEAN.group, natural(item.name))))


def natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key that puts ``patchdrop-5`` before ``patchdrop-10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _condition(path: Path) -> Condition:
    try:
        metadata = {key.decode(): value.decode() for key, value in (pq.read_schema(path).metadata or {}).items()}
        name, group, parameters = (metadata[key] for key in ("condition", "group", "parameters"))
        return CLEAN if group == CLEAN.group else Condition(name, "", group, json.loads(parameters))
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Delete it and run again.") from error
