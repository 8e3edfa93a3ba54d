"""Metrics of several labels: a table worked out by hand, and the same numbers as scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, precision_recall_fscore_support
from torchmetrics.classification import (
    MultilabelAveragePrecision,
    MultilabelF1Score,
    MultilabelPrecision,
    MultilabelRecall,
)

from occbench.bench.measures.label_metrics import (
    COUNT_METRICS,
    average_precision,
    count_metrics,
    counts,
    decide,
    only_of_size,
)

#: METHODS 8 item 10: four images, three classes. Of the first class an object of image 2 is difficult (-1); nobody
#: specified the third one of image 0 (-1).
LOGITS = np.array([[2.0, -1.0, 3.0], [1.0, 0.5, -2.0], [0.5, 2.0, 1.0], [-1.0, -0.5, 0.5]], dtype=np.float32)
LABELS = np.array([[1, 0, -1], [0, 1, 0], [-1, 0, 1], [1, 1, 1]], dtype=np.int8)


def random_case(seed, ties=False, images=300, classes=8):
    draws = np.random.default_rng(seed)
    logits = draws.normal(size=(images, classes)).astype(np.float32)
    if ties:
        logits = np.round(2 * logits) / 2
    labels = (draws.random((images, classes)) < draws.uniform(0.05, 0.6, classes)).astype(np.int8)
    return logits, labels


def test_average_precision_by_hand():
    # class 0 without image 2: order 0 (there), 1, 3 (there): (1/1 + 2/3) / 2
    # class 1: order 2, 1 (there), 3 (there), 0: (1/2 + 2/3) / 2
    # class 2 without image 0: order 2 (there), 3 (there), 1: (1 + 1) / 2
    assert average_precision(LOGITS, LABELS) == pytest.approx([(1 + 2 / 3) / 2, (1 / 2 + 2 / 3) / 2, 1.0])


def test_precision_and_recall_by_hand_with_unknown_entries_left_out():
    # predicted (a logit of 0 or more): class 0: images 0, 1 (2 is difficult); class 1: 1, 2; class 2: 2, 3 (0 unknown)
    found = counts(decide(LOGITS), LABELS)
    assert found.right.tolist() == [1, 1, 2]
    assert found.predicted.tolist() == [2, 2, 2]
    assert found.there.tolist() == [2, 2, 2]
    values = dict(zip(COUNT_METRICS, count_metrics(found), strict=True))
    assert values["cp"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert values["cr"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert values["op"] == values["or"] == values["of1"] == pytest.approx(4 / 6)


def test_precision_by_hand_with_unknown_entries_counted_as_absent():
    """WIDER's rule: 99 is removed for the average precision and a negative for precision and recall."""
    found = counts(decide(LOGITS), LABELS, unknown="absent")
    assert found.right.tolist() == [1, 1, 2]
    assert found.predicted.tolist() == [3, 2, 3]
    assert found.there.tolist() == [2, 2, 2]
    values = dict(zip(COUNT_METRICS, count_metrics(found), strict=True))
    assert values["cp"] == pytest.approx((1 / 3 + 1 / 2 + 2 / 3) / 3)
    assert values["op"] == pytest.approx(4 / 8)
    assert values["or"] == pytest.approx(4 / 6)


def test_cf1_is_of_the_mean_precision_and_recall_and_not_a_mean_of_f1():
    logits, labels = random_case(3)
    values = dict(zip(COUNT_METRICS, count_metrics(counts(decide(logits), labels)), strict=True))
    assert values["cf1"] == pytest.approx(2 * values["cp"] * values["cr"] / (values["cp"] + values["cr"]))
    *_, f1, _ = precision_recall_fscore_support(labels, decide(logits), average=None, zero_division=0)
    assert abs(values["cf1"] - f1.mean()) > 1e-3


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learn_and_torchmetrics(seed, ties):
    logits, labels = random_case(seed, ties)
    ours = average_precision(logits, labels, ties="together")
    probabilities = torch.from_numpy(logits).double().sigmoid()
    theirs = MultilabelAveragePrecision(labels.shape[1], average="none")(probabilities, torch.from_numpy(labels).long())
    assert ours == pytest.approx(average_precision_score(labels, logits, average=None), abs=1e-12)
    assert ours == pytest.approx(theirs.numpy(), abs=1e-6)  # torchmetrics computes in single precision
    in_order = average_precision(logits, labels)
    assert (in_order == pytest.approx(ours, abs=1e-12)) is not ties


@pytest.mark.parametrize("ties", [False, True], ids=["no ties", "ties"])
def test_equal_scores_stand_in_the_order_of_the_images(ties):
    logits, labels = random_case(7, ties)
    for label in range(labels.shape[1]):
        rows = sorted(range(len(logits)), key=lambda row: (-logits[row, label], row))
        there = [labels[row, label] == 1 for row in rows]
        precisions = [sum(there[: place + 1]) / (place + 1) for place in range(len(rows)) if there[place]]
        assert average_precision(logits, labels)[label] == pytest.approx(sum(precisions) / len(precisions))


@pytest.mark.parametrize("seed", range(3))
def test_precision_recall_and_f1_are_those_of_scikit_learn_and_torchmetrics(seed):
    logits, labels = random_case(seed)
    values = dict(zip(COUNT_METRICS, count_metrics(counts(decide(logits), labels)), strict=True))
    predicted = decide(logits)
    for names, average in ((("cp", "cr", None), "macro"), (("op", "or", "of1"), "micro")):
        theirs = precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)[:3]
        options = {"num_labels": labels.shape[1], "average": average}
        probabilities, truth = torch.from_numpy(logits).double().sigmoid(), torch.from_numpy(labels).long()
        metrics = (MultilabelPrecision(**options), MultilabelRecall(**options), MultilabelF1Score(**options))
        for name, one, other in zip(names, theirs, metrics, strict=True):
            if name is not None:
                assert values[name] == pytest.approx(one)
                assert values[name] == pytest.approx(other(probabilities, truth).item(), abs=1e-6)


def test_top_k_predicts_at_most_k_classes_and_only_likely_ones():
    logits, _ = random_case(1, classes=12)
    predicted = decide(logits, 3)
    assert predicted.sum(1).max() == 3
    assert (logits[predicted] >= 0).all()
    assert (predicted <= decide(logits)).all()
    few = decide(logits).sum(1) <= 3
    assert (predicted[few] == decide(logits)[few]).all()
    assert decide(np.zeros((1, 5)), 2).tolist() == [[True, True, False, False, False]]  # of equal ones the first
    assert (decide(logits, 12) == decide(logits)).all()


def test_a_class_that_no_image_has_is_left_out():
    logits, labels = random_case(2)
    labels[:, 3] = 0
    assert np.flatnonzero(np.isnan(average_precision(logits, labels))).tolist() == [3]
    others = np.delete(labels, 3, axis=1), np.delete(logits, 3, axis=1)
    with_it = dict(zip(COUNT_METRICS, count_metrics(counts(decide(logits), labels)), strict=True))
    without = dict(zip(COUNT_METRICS, count_metrics(counts(decide(others[1]), others[0])), strict=True))
    assert with_it["cr"] == pytest.approx(without["cr"])
    assert with_it["cp"] == pytest.approx(without["cp"] * 7 / 8)  # nothing that is predicted of it is right


def test_a_class_that_is_never_predicted_has_precision_0():
    labels = np.ones((4, 2), dtype=np.int8)
    logits = np.tile(np.array([1.0, -1.0]), (4, 1))
    values = dict(zip(COUNT_METRICS, count_metrics(counts(decide(logits), labels)), strict=True))
    assert (values["cp"], values["cr"], values["op"], values["or"]) == (0.5, 0.5, 1.0, 0.5)
    nothing = dict(zip(COUNT_METRICS, count_metrics(counts(decide(-np.abs(logits)), labels)), strict=True))
    assert all(value == 0 for value in nothing.values())


def test_objects_of_other_sizes_are_unknown():
    labels = np.array([[1, 0], [1, 1], [1, -1]], dtype=np.int8)
    sizes = np.array([[1, 0], [2, 1], [3, 0]], dtype=np.uint8)
    assert only_of_size(labels, sizes, 1).tolist() == [[1, 0], [-1, 1], [-1, -1]]
    assert only_of_size(labels, sizes, 3).tolist() == [[-1, 0], [-1, -1], [1, -1]]
