"""The bootstrap of several labels: weights are repeated images, arms are paired, and draws say how much, not where."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from occbench.bench.measures.label_metrics import COUNT_METRICS, count_metrics, counts, decide
from occbench.bench.measures.label_outcomes import LabelOutcomes, Metric
from occbench.bench.measures.label_resampling import affordable_draws, centred, resampled_metrics
from occbench.bench.measures.resampling import image_weights
from occbench.core.types import CLEAN, Condition

HOLES = Condition("irregular-high", "irregular", "irregular-high")
NAMES = ("map", *COUNT_METRICS, "cf1_top3", "map_small", "cr_large")


def made(images=120, seed=0, shift=0.0, unknown="left_out"):
    draws = np.random.default_rng(seed)
    labels = np.random.default_rng(99).choice([-1, 0, 1], (images, 5), p=[0.1, 0.5, 0.4]).astype(np.int8)
    sizes = np.where(labels == 1, np.random.default_rng(98).integers(1, 4, labels.shape), 0).astype(np.uint8)
    logits = [(draws.normal(size=labels.shape) + labels + shift).astype(np.float32) for _ in range(2)]
    return LabelOutcomes(logits, labels, (CLEAN, HOLES), sizes, unknown)


@pytest.mark.parametrize("unknown", ["left_out", "absent"])
def test_a_draw_is_the_metric_of_the_images_that_were_drawn(unknown):
    outcomes = made(unknown=unknown)
    metrics = [Metric.of(name) for name in NAMES]
    found = resampled_metrics(outcomes, metrics, seed=3, draws=20)
    for draw, weights in enumerate(np.concatenate(list(image_weights(120, 3, 20)))):
        rows = np.repeat(np.arange(120), weights)
        for place, logits in enumerate(outcomes.logits):
            for number, metric in enumerate(metrics):
                labels = outcomes.labels_for(metric)
                if metric.kind == "map":
                    known = [labels[:, label] >= 0 for label in range(5)]
                    expected = np.mean([
                        average_precision_score(
                            labels[own, label], logits[own, label], sample_weight=weights[own].astype(float)
                        )
                        for label, own in enumerate(known)
                    ])  # fmt: skip
                else:
                    counted = counts(decide(logits[rows], metric.top), labels[rows], unknown=unknown)
                    expected = count_metrics(counted)[COUNT_METRICS.index(metric.kind)]
                assert found[draw, number, place] == pytest.approx(expected, abs=1e-5)


def test_draws_do_not_depend_on_how_many_are_made_at_a_time():
    outcomes, metrics = made(), [Metric.of("map"), Metric.of("of1")]
    assert np.array_equal(
        resampled_metrics(outcomes, metrics, 0, 300)[:270], resampled_metrics(outcomes, metrics, 0, 270)
    )


def test_arms_are_paired_by_their_images():
    """The spread of a difference of two like arms is far smaller than of two that are not resampled together."""
    metric = [Metric.of("map")]
    one, other = made(), made()
    other.logits[0][:10] += 0.5
    draws = [resampled_metrics(arm, metric, 0, 400)[:, 0, 0] for arm in (one, other)]
    apart = resampled_metrics(other, metric, 1, 400)[:, 0, 0]
    assert np.std(draws[0] - draws[1]) < 0.4 * np.std(draws[0] - apart)


def test_centred_draws_have_the_estimate_as_their_mean_and_its_spread():
    outcomes, metric = made(40), [Metric.of("map")]
    values = np.array([outcomes.by_condition(metric[0])])
    draws = resampled_metrics(outcomes, metric, 0, 500)
    assert (draws.mean(axis=0) - values).min() > 0.005  # fewer different images rank better
    moved = centred(draws, values)
    assert moved.mean(axis=0) == pytest.approx(values)
    assert moved.std(axis=0) == pytest.approx(draws.std(axis=0))


def test_a_draw_without_a_class_says_nothing_about_it():
    draws = np.array([[0.5], [np.nan], [0.7]])
    assert centred(draws, np.array([0.55])).ravel() == pytest.approx([0.45, 0.55, 0.65])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """60 test sets drawn from one large set: some 95 % of the intervals hold the large set's mAP."""
    draws = np.random.default_rng(4)
    labels = (draws.random((20000, 4)) < 0.3).astype(np.int8)
    logits = (draws.normal(size=labels.shape) + 1.5 * labels).astype(np.float32)
    metric = Metric.of("map")
    truth = LabelOutcomes([logits], labels, (CLEAN,)).by_condition(metric)[0]
    held = 0
    for _ in range(60):
        rows = draws.choice(20000, 250, replace=False)
        outcomes = LabelOutcomes([logits[rows]], labels[rows], (CLEAN,))
        value = outcomes.by_condition(metric)
        low, high = np.quantile(
            centred(resampled_metrics(outcomes, [metric], 0, 300), value[None])[:, 0, 0], [0.025, 0.975]
        )
        held += low <= truth <= high
    assert 52 <= held <= 60


def test_large_test_sets_are_drawn_less_often():
    assert affordable_draws(made()) == 10_000
    large = LabelOutcomes([], np.zeros((40_000, 80), dtype=np.int8), (CLEAN, HOLES, HOLES))
    assert affordable_draws(large) == 2083
