"""Predictions: every column against a direct computation, ties, and blocks that appear whole."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from occbench.bench.scoring.predictions import answers, block_file, read_outcomes, write_block
from occbench.core.errors import DatasetError
from occbench.core.types import CLEAN, Condition

BAR = Condition("bar_20_c", "patterns", "20c", {"ratio": 0.2})


def direct(logits, label):
    """The four answers of one image, in plain Python on float64."""
    order = sorted(range(len(logits)), key=lambda index: (-logits[index], index))
    weights = np.exp(np.asarray(logits) - max(logits))
    others = [value for index, value in enumerate(logits) if index != label]
    return order[0], label in order[:5], weights[label] / weights.sum(), logits[label] - max(others)


@pytest.mark.parametrize("levels", [None, 3], ids=["distinct logits", "many ties"])
def test_answers_agree_with_a_direct_computation(levels):
    draws = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(200, 12, generator=draws)
    if levels:
        logits = torch.randint(levels, (200, 12), generator=draws).float()
    labels = torch.randint(12, (200,), generator=draws)
    top1, top5, p_label, margin = answers(logits, labels)
    for row, label in enumerate(labels.tolist()):
        expected = direct(logits[row].double().tolist(), label)
        assert (top1[row].item(), top5[row].item()) == expected[:2]
        assert p_label[row].item() == pytest.approx(expected[2], rel=1e-5)
        assert margin[row].item() == pytest.approx(expected[3], rel=1e-5, abs=1e-6)


def test_ties_go_to_the_lowest_class_so_a_constant_model_is_no_better_than_chance():
    top1, top5, _, margin = answers(torch.zeros(8, 8), torch.arange(8))
    assert top1.tolist() == [0] * 8
    assert top5.tolist() == [True] * 5 + [False] * 3
    assert margin.tolist() == [0.0] * 8


def test_a_label_whose_logit_is_not_a_number_is_not_among_the_five():
    _, top5, p_label, _ = answers(torch.full((1, 8), torch.nan), torch.tensor([3]))
    assert not top5.item()
    assert p_label.isnan().item()


def test_half_precision_logits_are_judged_in_single():
    logits = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.bfloat16)
    assert all(one.equal(two) for one, two in zip(
        answers(logits, torch.tensor([2])), answers(logits.float(), torch.tensor([2])), strict=True
    ))  # fmt: skip


def write(folder, condition, logits, labels):
    write_block(block_file(folder, condition), condition, labels, answers(logits, labels))


@pytest.fixture
def blocks(tmp_path):
    """Six images under two conditions: all right on clean ones, the first two right under the bar."""
    labels = torch.arange(6)
    write(tmp_path, CLEAN, torch.eye(6), labels)
    write(tmp_path, BAR, torch.eye(6)[[0, 1, 3, 4, 5, 2]], labels)
    return tmp_path


def test_a_block_holds_every_column(blocks):
    table = pq.read_table(block_file(blocks, BAR))
    assert table.column_names == ["image", "label", "top1", "top5", "p_label", "margin"]
    assert table["image"].to_pylist() == table["label"].to_pylist() == list(range(6))
    assert table["top1"].to_pylist() == [0, 1, 3, 4, 5, 2]
    assert table["margin"].to_pylist() == [1, 1, -1, -1, -1, -1]
    assert table.schema.metadata[b"condition"] == b"bar_20_c"
    assert table.schema.metadata[b"group"] == b"20c"
    assert table.schema.metadata[b"parameters"] == b'{"ratio": 0.2}'


def test_outcomes_are_one_column_for_each_condition_in_the_order_asked(blocks):
    found = read_outcomes(blocks, [BAR, CLEAN])
    assert found.labels.tolist() == list(range(6))
    assert found.conditions == (BAR, CLEAN)
    assert found.correct[:, 0].tolist() == [True, True, False, False, False, False]
    assert found.correct[:, 1].all()
    # one class is in front, so of the equal others the four lowest classes are among the five
    assert read_outcomes(blocks, [BAR], "top5").correct[:, 0].tolist() == [True, True, True, True, False, False]


def test_a_missing_block_is_named(blocks):
    other = Condition("disc_20_c", "patterns", "20c")
    with pytest.raises(DatasetError, match=r"block-disc_20_c.parquet cannot be read"):
        read_outcomes(blocks, [CLEAN, other])


def test_a_damaged_block_is_named(blocks):
    block_file(blocks, BAR).write_bytes(b"PAR1 no more")
    with pytest.raises(DatasetError, match=r"block-bar_20_c.parquet cannot be read.*Delete it"):
        read_outcomes(blocks, [CLEAN, BAR])


def test_blocks_of_different_images_are_not_put_together(blocks):
    write(blocks, BAR, torch.eye(6), torch.tensor([1, 0, 2, 3, 4, 5]))
    with pytest.raises(DatasetError, match="scored on other images"):
        read_outcomes(blocks, [CLEAN, BAR])


def test_nothing_asked_is_an_error_and_not_an_empty_table(blocks):
    with pytest.raises(DatasetError, match="no condition"):
        read_outcomes(blocks, [])
