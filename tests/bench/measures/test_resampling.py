import numpy as np
import pytest
from scipy.special import expit, ndtri

from occbench.bench.measures import resampling
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.measures.resampling import bootstrap_interval, bootstrap_means, holm, joint_draws, paired_difference
from occbench.bench.measures.statistics import clustered_interval
from occbench.bench.protocol.claims import Claim, judge
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition

CONDITIONS = (CLEAN, *(Condition(f"p{i}", "patterns", f"{10 * (1 + i % 2)}r") for i in range(12)))


def trained(gain, number=0, n_images=250, share=None):
    """One model; models of the same ``number`` meet the same images."""
    images = 1.5 * ndtri(stream(number, "test-resampling", "images").uniforms(n_images, 1) + 2.0**-54)
    shape = (n_images, len(CONDITIONS))
    correct = stream(number, "test-resampling", "cells", str(gain)).uniforms(*shape) < expit(images + gain)
    seen = None if share is None else stream(number, "test-resampling", "seen").uniforms(*shape) < share
    return Outcomes(correct, np.zeros(n_images, dtype=np.int64), CONDITIONS, seen)


@pytest.mark.parametrize("share", [None, 0.4])
def test_the_bootstrap_agrees_with_the_analytic_interval(share):
    model = trained(0.5, share=share)
    analytic, bootstrap = clustered_interval(model), bootstrap_interval(model)
    assert bootstrap.value == analytic.value
    assert (bootstrap.n_images, bootstrap.n_cells) == (analytic.n_images, analytic.n_cells)
    width = analytic.high - analytic.low
    assert bootstrap.high - bootstrap.low == pytest.approx(width, rel=0.04)
    assert bootstrap.low == pytest.approx(analytic.low, abs=0.04 * width)


def test_the_ratio_path_gives_the_full_matrix_what_the_sum_path_does():
    model = trained(0.5)
    nearly = np.ones(model.correct.shape, dtype=bool)
    nearly[0, 0] = False  # the clean column: the average does not read it
    ratio = bootstrap_means([Outcomes(model.correct, model.labels, CONDITIONS, nearly)], ["avg", "10r"], 3, 200)
    assert ratio == pytest.approx(bootstrap_means([model], ["avg", "10r"], 3, 200))


def test_draws_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch):
    model = trained(0.5)
    whole = bootstrap_means([model], ["avg"], 5, 300)
    monkeypatch.setattr(resampling, "_CHUNK", 1000)
    assert np.array_equal(whole, bootstrap_means([model], ["avg"], 5, 300))
    assert not np.array_equal(whole, bootstrap_means([model], ["avg"], 6, 300))


def test_every_draw_weighs_as_many_images_as_there_are():
    weights = np.concatenate(list(resampling.image_weights(37, 0, 500)))
    assert weights.shape == (500, 37)
    assert (weights.sum(axis=1) == 37).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(37), abs=0.25)


def test_an_arm_does_not_differ_from_itself():
    difference = paired_difference(trained(0.5), trained(0.5))
    assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_an_interval_holds_its_estimate_even_when_no_draw_varies():
    model = trained(0.5)
    perfect = Outcomes(np.ones_like(model.correct), model.labels, CONDITIONS)
    half = Outcomes(np.arange(len(CONDITIONS)) % 3 == np.zeros((250, 1)), model.labels, CONDITIONS)
    for outcomes in (perfect, half):
        interval = bootstrap_interval(outcomes, draws=100)
        assert interval.low <= interval.value <= interval.high
        assert interval.high - interval.low < 1e-12


def test_a_clear_gain_is_found_and_its_sign_is_left_minus_right():
    difference = paired_difference(trained(1.0), trained(0.0))
    assert 0 < difference.low < difference.value < difference.high
    assert difference.p_value == pytest.approx(2 / 10_001)
    reverse = paired_difference(trained(0.0), trained(1.0))
    assert (reverse.low, reverse.value, reverse.high) == pytest.approx(
        (-difference.high, -difference.value, -difference.low)
    )


def test_pairing_removes_the_images_own_difficulty():
    left, right = trained(0.6), trained(0.5)
    paired = paired_difference(left, right)
    widths = [interval.high - interval.low for interval in map(bootstrap_interval, (left, right))]
    assert paired.high - paired.low < 0.6 * np.hypot(*widths)


def test_p_values_reject_a_true_null_as_often_as_they_say():
    p_values = [
        paired_difference(trained(0.5, k, 80), trained(0.5 + 1e-12, k, 80), draws=400).p_value for k in range(400)
    ]
    assert 0.025 <= np.mean(np.array(p_values) < 0.05) <= 0.085


def test_joint_draws_are_points_of_percent_and_serve_claims():
    arms = {"C": trained(0.0), "C-Full": trained(1.0)}
    draws = joint_draws({arm: [model] for arm, model in arms.items()}, ["avg", "clean"], draws=500)
    assert list(draws) == [("C", "avg"), ("C", "clean"), ("C-Full", "avg"), ("C-Full", "clean")]
    points = {
        (arm, group): 100 * o.accuracy[o.columns(group)].mean() for arm, o in arms.items() for group in ("avg", "clean")
    }
    for term, values in draws.items():
        assert values.mean() == pytest.approx(points[term], abs=0.5)
    assert judge(Claim("avg(C-Full) > avg(C)"), draws, points).verdict == "holds"
    assert judge(Claim("avg(C-Full) > avg(C) + 60"), draws, points).verdict == "fails"


def test_several_seeds_add_their_variance_to_that_of_the_images():
    seeds = [trained(gain) for gain in (0.2, 0.5, 0.9)]
    draws = joint_draws({"C": seeds}, ["avg"])["C", "avg"]
    images = 100 * bootstrap_means(seeds, ["avg"], 0)[:, :, 0].mean(axis=1)
    shares = [100 * model.accuracy[1:].mean() for model in seeds]
    assert draws.mean() == pytest.approx(np.mean(shares), abs=0.1)
    assert draws.var() == pytest.approx(images.var() + np.var(shares, ddof=1) / 3, rel=0.05)
    assert joint_draws({"C": seeds[:1] * 3}, ["avg"])["C", "avg"] == pytest.approx(
        joint_draws({"C": seeds[:1]}, ["avg"])["C", "avg"]
    )


def test_holm_steps_down():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}
    with pytest.raises(ConfigError, match=r"b has 1\.5"):
        holm({"a": 0.1, "b": 1.5})


def test_models_scored_on_other_cells_or_on_too_few_are_refused():
    with pytest.raises(DatasetError, match="same test set"):
        paired_difference(trained(0.5), trained(0.5, share=0.4))
    with pytest.raises(DatasetError, match="20 scored images"):
        bootstrap_interval(trained(0.5, n_images=40, share=0.3))
