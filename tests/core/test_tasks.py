"""A task turns labels into targets, and both with logits into a loss: as before, or class by class."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from occbench.core.tasks import EVERY_TASK, MULTI_LABEL, SINGLE_LABEL, TASKS, task_of

HEAD = {0: 1, 2: 0, 5: 2}


def test_one_label_is_a_number_and_absent_classes_are_minus_one():
    targets = SINGLE_LABEL.targets([(0,), (2,), (3,)], (), HEAD)
    assert targets.tolist() == [1, 0, -1]
    assert targets.dtype == torch.int64


def test_several_labels_are_rows_of_ones_and_ignored_classes_are_not_numbers():
    targets = MULTI_LABEL.targets([(0, 5), (), (3,)], [(2,), (), (0,)], HEAD)
    assert targets.dtype == torch.float32
    assert targets.nan_to_num(-1).tolist() == [[-1, 1, 1], [0, 0, 0], [0, -1, 0]]


def test_no_image_still_has_the_head_s_classes():
    assert MULTI_LABEL.targets([], [], HEAD).shape == (0, 3)


def test_tasks_are_told_by_their_targets_and_found_by_name():
    assert task_of(torch.zeros(3, dtype=torch.int64)) is SINGLE_LABEL
    assert task_of(torch.zeros(3, 2)) is MULTI_LABEL
    assert {TASKS[name] for name in EVERY_TASK} == {SINGLE_LABEL, MULTI_LABEL}


def test_the_loss_of_one_label_is_the_cross_entropy_bit_for_bit():
    logits, targets = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
    assert torch.equal(SINGLE_LABEL.loss(logits, targets), cross_entropy(logits, targets))
    soft = torch.rand(6, 4).softmax(1)
    assert torch.equal(SINGLE_LABEL.loss(logits, soft), cross_entropy(logits, soft))


def test_the_loss_of_several_labels_is_a_mean_over_known_entries():
    logits = torch.randn(5, 4, requires_grad=True)
    targets = (torch.rand(5, 4) < 0.5).float()
    whole = MULTI_LABEL.loss(logits, targets)
    assert whole.item() == pytest.approx(binary_cross_entropy_with_logits(logits, targets).item(), rel=1e-6)
    targets[1, 2] = targets[4, 0] = float("nan")
    known = ~targets.isnan()
    loss = MULTI_LABEL.loss(logits, targets)
    expected = binary_cross_entropy_with_logits(logits[known], targets[known])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(gradient).all()
    assert (gradient == 0).tolist() == (~known).tolist()


def test_a_batch_of_which_nothing_is_known_costs_nothing():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = MULTI_LABEL.loss(logits, torch.full((2, 3), float("nan")))
    assert loss.item() == 0
    assert torch.autograd.grad(loss, logits)[0].abs().sum() == 0


def test_probabilities_and_decisions():
    logits = torch.tensor([[2.0, -1.0, 0.0], [-3.0, -2.0, -1.0]])
    assert torch.equal(SINGLE_LABEL.probabilities(logits), logits.softmax(1))
    assert torch.equal(MULTI_LABEL.probabilities(logits), logits.sigmoid())
    assert SINGLE_LABEL.decisions(logits).tolist() == [0, 2]
    assert MULTI_LABEL.decisions(logits).tolist() == [[True, False, True], [False, False, False]]


def test_every_target_has_a_row_of_classes():
    assert SINGLE_LABEL.multi_hot(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    soft = torch.rand(2, 3)
    assert SINGLE_LABEL.multi_hot(soft, 3) is soft
    assert MULTI_LABEL.multi_hot(soft, 3) is soft
