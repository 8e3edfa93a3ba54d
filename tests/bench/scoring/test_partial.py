"""Cells on disk: kept as they were, of this test set only, and gone once the blocks hold them."""

import numpy as np
import pytest
import torch

from occbench.bench.scoring.partial import PartialMatrix, cell_files
from occbench.bench.scoring.predictions import block_file, read_outcomes
from occbench.core.errors import DatasetError
from occbench.core.types import Condition

LABELS = torch.tensor([0, 1, 2, 1])
COLUMNS = (Condition("mug_20_c", "patterns", "20c"), Condition("bar_20_c", "patterns", "20c"))


def answers_for(images):
    """Right on even images only."""
    top1 = torch.where(torch.from_numpy(images) % 2 == 0, LABELS[images], 7)
    return [top1, torch.ones(len(images), dtype=torch.bool), torch.rand(len(images)), torch.rand(len(images))]


def record(matrix, cells):
    images, columns = np.array(cells).T
    matrix.record(images, columns, answers_for(images))


def test_recorded_cells_are_read_back(tmp_path):
    matrix = PartialMatrix(tmp_path, LABELS, COLUMNS)
    assert not matrix.seen.any()
    record(matrix, [(2, 1), (0, 0)])
    record(matrix, [(3, 1)])
    again = PartialMatrix(tmp_path, LABELS, COLUMNS)
    assert np.argwhere(again.seen).tolist() == [[0, 0], [2, 1], [3, 1]]
    assert again.hits(np.array([0, 2, 3]), np.array([0, 1, 1])).tolist() == [True, True, False]
    assert (again.matrix("top1") == matrix.matrix("top1")).all()
    assert again.matrix("top5").sum() == 3, "unknown cells count for nothing"
    assert len(cell_files(tmp_path)) == 2


def test_a_full_matrix_becomes_blocks_and_the_cells_go(tmp_path):
    matrix = PartialMatrix(tmp_path, LABELS, COLUMNS)
    record(matrix, [(image, 0) for image in range(4)])
    with pytest.raises(DatasetError, match="4 cells"):
        matrix.write_blocks()
    assert not block_file(tmp_path, COLUMNS[0]).exists()
    record(matrix, [(image, 1) for image in range(4)])
    matrix.write_blocks()
    assert cell_files(tmp_path) == []
    assert (read_outcomes(tmp_path, COLUMNS).correct == matrix.matrix("top1")).all()
    assert PartialMatrix(tmp_path, LABELS, COLUMNS).seen.all()


@pytest.mark.parametrize(
    ("labels", "columns", "message"),
    [
        (LABELS + 1, COLUMNS, "other images"),
        (LABELS[:2], COLUMNS, "other images"),
        (LABELS, COLUMNS[1:], "has the condition mug_20_c"),
    ],
)
def test_cells_of_another_test_set_are_refused(tmp_path, labels, columns, message):
    record(PartialMatrix(tmp_path, LABELS, COLUMNS), [(3, 0)])
    with pytest.raises(DatasetError, match=message):
        PartialMatrix(tmp_path, labels, columns)
