"""Predictions of images with several labels on disk: one Parquet block for each test condition, written whole.

Columns: ``image`` int32 (position in the test set), ``labels`` a list of int8 for all classes (1 there, 0 not there, -1
nothing is known), ``sizes`` such a list of uint8 (``images.object_sizes``; absent where areas are not known) and
``logits``, float32 for all classes. The file's metadata holds the condition's name, group and parameters.

Logits, because every metric comes from them: their order ranks images, their sign is a probability above or below one
half. float32, because it is what the network computes: in half precision, or as probabilities (all 1 from logits of 17
on), images that the network tells apart would be equal, and the order of equal images is nobody's answer.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.images.images import ImageSet
from occbench.bench.measures.label_outcomes import LabelOutcomes
from occbench.bench.scoring.predictions import block_file
from occbench.core.errors import DatasetError
from occbench.core.files import whole_file
from occbench.core.types import Condition

__all__ = ["labels_identity", "read_label_block", "read_label_outcomes", "stored_labels", "write_label_block"]


def stored_labels(targets: Tensor) -> NDArray[np.int8]:
    """Return int8[N, C], 1, 0 or -1, of multi-label targets."""
    return np.asarray(targets.nan_to_num(-1.0).cpu().numpy().astype(np.int8))


def labels_identity(targets: Tensor) -> object:
    """Return a JSON value that names the labels of images: themselves, or a hash of a matrix of several labels."""
    if targets.ndim == 2:
        return hashlib.sha256(stored_labels(targets).tobytes()).hexdigest()
    return targets.tolist()


def write_label_block(path: Path, condition: Condition, images: ImageSet, logits: Tensor) -> None:
    """Write the predictions of every test image under one condition, whole or not at all.

    Args:
        path: of the block.
        condition: which one.
        images: the test images.
        logits: float[N, C].
    """
    columns = {
        "image": pa.array(np.arange(len(images), dtype=np.int32)),
        "labels": _lists(stored_labels(images.labels)),
    }
    if images.sizes is not None:
        columns["sizes"] = _lists(images.sizes.numpy())
    columns["logits"] = _lists(logits.cpu().numpy().astype(np.float32))
    metadata = {"condition": condition.name, "group": condition.group, "parameters": json.dumps(condition.parameters)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_label_outcomes(
    folder: Path, conditions: Sequence[Condition], unknown: Literal["left_out", "absent"] = "left_out"
) -> LabelOutcomes:
    """Read the blocks of a scored test set.

    Args:
        folder: where the blocks are.
        conditions: the columns, in order; each must be there.
        unknown: as ``LabelOutcomes``.

    Raises:
        DatasetError: a block is missing, damaged, or of another test set than the first.
    """
    logits: list[NDArray[np.float32]] = []
    labels: NDArray[np.int8] | None = None
    sizes: NDArray[np.uint8] | None = None
    for condition in conditions:
        path = block_file(folder, condition)
        answers, found, sizes = read_label_block(path)
        logits.append(answers)
        if labels is not None and not np.array_equal(found, labels):
            raise DatasetError(f"{path} was scored on other images than the blocks beside it: delete the folder.")
        labels = found
    if labels is None:
        raise DatasetError(f"{folder}: no condition was asked for.")
    return LabelOutcomes(logits, labels, tuple(conditions), sizes, unknown)


def read_label_block(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.uint8] | None]:
    """Return a block's logits, labels and, where they are known, sizes of objects; each [N, C].

    Raises:
        DatasetError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path)
        sizes = _matrix(table, "sizes") if "sizes" in table.column_names else None
        return _matrix(table, "logits"), _matrix(table, "labels"), sizes
    except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Delete it and run again.") from error


def _lists(values: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def _matrix(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name].combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values.reshape(len(table), -1))
