"""Predictions on disk: one Parquet block for each test condition, written whole, enough to recompute every metric.

Columns: ``image`` int32 (position in the test set), ``label`` int32, ``top1`` int32 (the answer), ``top5`` bool (label
among the five largest logits), ``p_label`` float32 (softmax probability of the label), ``margin`` float32 (logit of the
label minus the largest other logit). The file's metadata holds the condition's name, group and parameters.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.measures.outcomes import Outcomes
from occbench.core.errors import DatasetError
from occbench.core.files import whole_file
from occbench.core.types import Condition

__all__ = ["answers", "block_file", "read_outcomes", "write_block"]

_SCHEMA: Final = pa.schema(
    [
        ("image", pa.int32()),
        ("label", pa.int32()),
        ("top1", pa.int32()),
        ("top5", pa.bool_()),
        ("p_label", pa.float32()),
        ("margin", pa.float32()),
    ]
)


def answers(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (top1 int64[B], top5 bool[B], p_label float32[B], margin float32[B]) of logits float[B, C].

    Ties go to the lowest class index, on every device, for top-1 and top-5 alike.
    """
    scores = logits.float()
    own = scores.gather(1, labels[:, None])
    later = torch.arange(scores.shape[1], device=scores.device) >= labels[:, None]
    # counting what stands behind, not in front, leaves a label whose logit is NaN at the end instead of the beginning
    rank = scores.shape[1] - ((scores < own) | ((scores == own) & later)).sum(1)
    top1 = (scores == scores.max(1, keepdim=True).values).to(torch.int8).argmax(1)
    probability = (own[:, 0] - scores.logsumexp(1)).exp()
    others = scores.scatter(1, labels[:, None], float("-inf")).max(1).values
    return top1, rank < 5, probability, own[:, 0] - others


def block_file(folder: Path, condition: Condition) -> Path:
    """Return the file of a condition's predictions."""
    return folder / f"block-{condition.name}.parquet"


def write_block(path: Path, condition: Condition, labels: Tensor, found: Sequence[Tensor]) -> None:
    """Write the predictions of every test image under one condition, whole or not at all."""
    top1, top5, p_label, margin = (value.cpu().numpy() for value in found)
    columns = [np.arange(len(labels), dtype=np.int32), labels.cpu().numpy().astype(np.int32), top1.astype(np.int32)]
    arrays = [pa.array(column) for column in [*columns, top5, p_label, margin]]
    metadata = {"condition": condition.name, "group": condition.group, "parameters": json.dumps(condition.parameters)}
    table = pa.Table.from_arrays(arrays, schema=_SCHEMA.with_metadata(metadata))
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_outcomes(folder: Path, conditions: Sequence[Condition], metric: str = "top1") -> Outcomes:
    """Read the blocks of a scored test set as one matrix.

    Args:
        folder: where the blocks are.
        conditions: the columns, in order; each must be there.
        metric: ``top1`` or ``top5``.

    Raises:
        DatasetError: a block is missing, damaged, or of another test set than the first.
    """
    columns: list[NDArray[np.bool_]] = []
    labels: NDArray[np.int32] | None = None
    for condition in conditions:
        path = block_file(folder, condition)
        try:
            table = pq.read_table(path, columns=["label", "top1", "top5"])
        except (OSError, pa.ArrowInvalid) as error:
            raise DatasetError(f"{path} cannot be read: {error}. Delete it and run again.") from error
        found = table["label"].to_numpy()
        if labels is not None and not np.array_equal(found, labels):
            raise DatasetError(f"{path} was scored on other images than the blocks beside it: delete the folder.")
        labels = found
        hit = table["top5"].to_numpy() if metric == "top5" else table["top1"].to_numpy() == found
        columns.append(np.asarray(hit, dtype=np.bool_))
    if labels is None:
        raise DatasetError(f"{folder}: no condition was asked for.")
    return Outcomes(np.stack(columns, axis=1), labels, tuple(conditions))
