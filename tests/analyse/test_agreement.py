import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from occbench.analyse.agreement import agreement, rank_correlations
from occbench.analyse.agreement_report import write_agreement
from occbench.bench.tables.comparable import Comparable
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream


@pytest.mark.parametrize("seed", range(6))
def test_the_correlations_are_scipys_ties_included(seed):
    draws = stream(seed, "ranks")
    left, right = draws.integers(4, 9).astype(float), draws.integers(4, 9).astype(float)
    tau, rho = rank_correlations(left, right)
    assert float(tau) == pytest.approx(kendalltau(left, right).statistic)
    assert float(rho) == pytest.approx(spearmanr(left, right).statistic)


def test_a_constant_side_correlates_with_nothing():
    assert rank_correlations(np.ones(4), np.arange(4.0)) == (0.0, 0.0)


class Arm:
    """What the analysis reads of a trained arm."""

    def __init__(self, label, outcomes):
        self.label, self.top1 = label, (outcomes,)


@pytest.fixture
def table(outcomes):
    """Return a function from label -> accuracy under occlusion to a table of 200 images."""

    def make(**accuracies):
        arms = []
        for label, accuracy in accuracies.items():
            answers = [[1, number < 200 * accuracy] for number in range(200)]
            arms.append(Arm(label, outcomes(answers, [number % 2 for number in range(200)], [("hidden", {})])))
        return Comparable("bench", "", tuple(arms))

    return make


def test_equal_orders_agree_and_opposite_ones_do_not(table):
    left = table(a=0.2, b=0.5, c=0.8)
    same = agreement(left, table(c=0.9, b=0.7, a=0.4))
    assert same.methods == ("c", "b", "a")
    assert (same.kendall.value, same.spearman.value) == (1.0, 1.0)
    assert same.kendall.low == 1.0, "the methods lie far apart"
    assert same.chance == pytest.approx(1 / 6), "one of the six orders of three methods"
    opposite = agreement(left, table(a=0.9, b=0.7, c=0.4))
    assert (opposite.kendall.value, opposite.chance) == (-1.0, 1.0)


def test_methods_that_lie_close_together_leave_the_order_in_doubt(outcomes):
    def arms(seed):
        draws = stream(seed, "close")
        made = []
        for label in "abcd":
            answers = [[1, draws.uniform() < 0.5] for _ in range(100)]
            made.append(Arm(label, outcomes(answers, [0, 1] * 50, [("hidden", {})])))
        return Comparable("bench", "", tuple(made))

    found = agreement(arms(1), arms(2))
    assert found.kendall.low < 0 < found.kendall.high


def test_fewer_than_three_common_methods_are_refused_in_one_line(table):
    with pytest.raises(ConfigError, match="found 2: the synthetic set has a, b, the real one a, b, c") as refused:
        agreement(table(a=0.2, b=0.5), table(a=0.2, b=0.5, c=0.8))
    assert "\n" not in str(refused.value)


def test_the_page_names_both_sets(table, tmp_path):
    found = agreement(table(a=0.2, b=0.5, c=0.8), table(a=0.3, b=0.5, c=0.7))
    made = write_agreement(found, ("drawn", "real"), {"synthetic": ["f"], "real": ["g"]}, tmp_path)
    page = (tmp_path / "agreement.md").read_text(encoding="utf-8")
    assert "| method | drawn | real |" in page
    assert made.findings[0].verdict == "holds"
    assert "16.7 % of their orders agree as well by chance" in page
