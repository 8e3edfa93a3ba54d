import numpy as np
import pytest

from occbench.analyse.sweep import Sweep, SweepPoint
from occbench.analyse.sweep_arms import Variation
from occbench.analyse.sweep_claims import ALPHA, BETA, judge_sweep


def answers(accuracy, images=400):
    """The first images right, a share of them: nested, so that a difference of shares has little doubt."""
    return (np.arange(images) < accuracy * images).astype(float)


def sweep(points, classical=(0.9, 0.4)):
    """A sweep of (alpha, beta) -> (clean, occluded) accuracy."""
    made = [
        SweepPoint({ALPHA: alpha, BETA: beta}, answers(clean), answers(occluded))
        for (alpha, beta), (clean, occluded) in points.items()
    ]
    keys = [Variation(ALPHA, (0.9,)), Variation(BETA, (1.0,))]
    return Sweep(keys, SweepPoint({}, answers(classical[0]), answers(classical[1])), made, (0,))


AS_PUBLISHED = {
    (0.9, 0.5): (0.9, 0.5), (0.9, 1.0): (0.9, 0.6), (0.9, 2.0): (0.8, 0.65),
    (0.95, 0.5): (0.85, 0.45), (0.95, 1.0): (0.85, 0.55), (0.95, 2.0): (0.7, 0.6),
}  # fmt: skip


def test_differences_are_paired_with_the_classical_arm():
    clean, occluded = sweep(AS_PUBLISHED).against_classical(sweep(AS_PUBLISHED).points[2])
    assert (clean.value, occluded.value) == pytest.approx((-10.0, 25.0))
    assert clean.low < -10 < clean.high < 0


def test_a_sweep_as_the_paper_has_it_bears_the_claims_out_but_for_its_beta_below_one_of_alpha_095():
    verdicts = [item.verdict for item in judge_sweep(sweep(AS_PUBLISHED))]
    assert verdicts == ["holds", "holds", "holds", "fails", "holds"]
    small = {key: value for key, value in AS_PUBLISHED.items() if key != (0.95, 0.5)}
    assert judge_sweep(sweep(small))[3].verdict == "holds"


def test_the_opposite_makes_them_fail():
    opposite = {
        (0.9, 0.5): (0.5, 0.5), (0.9, 1.0): (0.8, 0.6), (0.9, 2.0): (0.9, 0.65), (0.95, 0.5): (0.6, 0.6),
        (0.95, 1.0): (0.9, 0.7), (0.95, 2.0): (0.99, 0.75),
    }  # fmt: skip
    assert [item.verdict for item in judge_sweep(sweep(opposite))] == ["fails"] * 5


def test_what_was_not_swept_is_not_judged():
    only = {(0.9, 1.0): (0.9, 0.6)}
    assert {item.verdict for item in judge_sweep(sweep(only))} == {"not judged"}
    other = Sweep([Variation("method.gamma", (1,))], sweep(only).classical, [], (0,))
    assert judge_sweep(other) == []
