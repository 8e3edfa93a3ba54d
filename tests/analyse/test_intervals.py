import math

import numpy as np
import pytest
from scipy.stats import t

from occbench.analyse.intervals import Estimate, over_images, shares_by_image
from occbench.bench.measures.outcomes import Outcomes
from occbench.core.errors import ConfigError


def test_the_interval_of_three_values_is_students():
    found = over_images(np.array([0.0, 0.5, 1.0]))
    half = t.ppf(0.975, 2) * 0.5 / math.sqrt(3)
    assert (found.value, found.low, found.high, found.n_images) == pytest.approx((0.5, 0.5 - half, 0.5 + half, 3))


def test_a_negative_factor_turns_the_ends_round():
    assert Estimate(1.0, 0.0, 3.0, 5).scaled(-2) == Estimate(-2.0, -6.0, 0.0, 5)


def test_the_interval_of_a_share_ends_at_0_and_1():
    assert Estimate(0.9, -0.1, 1.2, 5).as_share() == Estimate(0.9, 0.0, 1.0, 5)


def test_one_image_has_no_interval():
    with pytest.raises(ConfigError, match="found 1: take more images"):
        over_images(np.array([1.0]))


def test_shares_are_means_over_conditions_and_seeds(outcomes):
    columns = np.array([1, 2])
    names = [("a", {}), ("b", {})]
    first = outcomes([[1, 1, 0], [1, 0, 0]], [0, 1], names)
    second = outcomes([[1, 1, 1], [0, 1, 0]], [0, 1], names)
    assert shares_by_image([first, second], columns).tolist() == [0.75, 0.25]


def test_it_agrees_with_the_cluster_robust_interval_of_the_tables(outcomes):
    from occbench.bench.measures.statistics import clustered_interval

    answers = [[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]]
    scored = outcomes(answers, [0, 1, 0, 1, 0], [("a", {}), ("b", {})])
    mine, theirs = over_images(shares_by_image([scored], np.array([1, 2]))), clustered_interval(scored)
    assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_predictions_that_are_not_complete_are_refused(outcomes):
    whole = outcomes([[1, 1], [1, 0]], [0, 1], [("a", {})])
    part = Outcomes(whole.correct, whole.labels, whole.conditions, np.array([[True, True], [True, False]]))
    with pytest.raises(ConfigError, match="without --half-width"):
        shares_by_image([part], np.array([1]))
