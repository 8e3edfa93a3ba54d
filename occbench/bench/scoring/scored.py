"""The records of a test set that is scored wholly, read back from its blocks, for either task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from occbench.bench.measures.label_summary import summarise_labels
from occbench.bench.measures.records import Record
from occbench.bench.measures.summary import Origin, summarise
from occbench.bench.scoring.label_predictions import read_label_outcomes
from occbench.bench.scoring.predictions import read_outcomes
from occbench.core.tasks import MULTI_LABEL, Task
from occbench.core.types import Condition

__all__ = ["records_in"]


def records_in(
    folder: Path,
    conditions: Sequence[Condition],
    origin: Origin,
    task: Task,
    classes: Sequence[str],
    unknown: Literal["left_out", "absent"] = "left_out",
) -> list[Record]:
    """Return the records of a scored test set.

    Args:
        folder: where the blocks are.
        conditions: the columns, each of which has a block.
        origin: whose numbers they are.
        task: of the images.
        classes: names in label order.
        unknown: of several labels, what becomes of unknown entries in precision and recall.

    Raises:
        DatasetError: a block is missing or damaged.
    """
    if task is MULTI_LABEL:
        return summarise_labels(origin, read_label_outcomes(folder, conditions, unknown), tuple(classes))
    return summarise(origin, read_outcomes(folder, conditions), read_outcomes(folder, conditions, "top5"))
