import csv
from pathlib import Path

import numpy as np
import pytest

from occbench.bench.claims import Claim, judge
from occbench.core.errors import ConfigError

REFERENCE = Path(__file__).resolve().parents[2] / "benchmarks" / "reference"
POINTS = {
    ("C", "avg"): 43.0,
    ("C-Full", "avg"): 65.0,
    ("C", "clean"): 93.0,
    ("C-Full", "clean"): 92.5,
    ("C", "20c"): 22.0,
}


def claims() -> list[dict[str, str]]:
    with (REFERENCE / "claims.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def margin(text: str) -> float:
    return float(Claim(text).margin({term: np.asarray(value) for term, value in POINTS.items()}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("avg(C-Full) > avg(C)", 22.0),
        ("avg(C) < avg(C-Full)", 22.0),
        ("clean(C) - clean(C-Full) <= 1.0", 0.5),
        ("20c(C) + 2 * (avg(C) - 1.5) >= 100", 5.0),
        ("avg(C-Full) - avg(C) - 20c(C) >= 0", 0.0),
        ("-avg(C) < -20c(C)", 21.0),
        ("abs(avg(C) - avg(C-Full)) < 30", 8.0),
        ("min(avg(C), avg(C-Full), 50) > mean(20c(C), 24)", 20.0),
        ("max(avg(C),avg(C-Full))>60", 5.0),
        ("clean(C) > avg(C-Full) > avg(C)", 22.0),
        ("clean(C) >= clean(C-Full) > avg(C-Full)", 0.5),
    ],
)
def test_margins(text, expected):
    assert margin(text) == pytest.approx(expected)


def test_terms_are_arms_and_groups_and_names_may_hold_dashes_and_digits():
    claim = Claim("patchdrop-60(dfv/C-Full) - 20c(C) > 20c(C)")
    assert claim.terms == (("dfv/C-Full", "patchdrop-60"), ("C", "20c"))


@pytest.mark.parametrize(
    ("text", "character", "expected"),
    [
        ("", 1, "a number, a group"),
        ("avg(C)", 7, "'>' or '>='"),
        ("avg(C) > ", 9, "a number, a group"),
        ("avg > avg(C)", 5, "'\\('"),
        ("avg() > 1", 5, "the name of an arm"),
        ("avg(C > 1", 7, "'\\)'"),
        ("avg(C) > 1 2", 12, "an operator, a relation or the end"),
        ("avg(C) > 1 ; import os", 12, "a name, a number"),
        ("__import__(C) > 1", 1, "a name, a number"),
        ("avg(C) == 1", 8, "a name, a number"),
        ("min(avg(C), ) > 1", 13, "a number, a group"),
        ("abs(avg(C), 1) > 1", 11, "'\\)'"),
    ],
)
def test_a_claim_that_cannot_be_parsed_says_where_and_what_was_expected(text, character, expected):
    with pytest.raises(ConfigError, match=rf"character {character}: expected .*{expected}"):
        Claim(text)


def test_a_claim_about_nothing_is_refused():
    with pytest.raises(ConfigError, match="names no arm"):
        Claim("1 < 2")


def test_an_arm_that_was_not_run_is_named():
    with pytest.raises(ConfigError, match=r"needs avg\(F\)"):
        margin("avg(F) > avg(C)")


def spread(centre: float) -> np.ndarray:
    return centre + np.linspace(-1, 1, 2001)


@pytest.mark.parametrize(
    ("gain", "verdict"), [(3.0, "holds"), (0.5, "undecided"), (-0.5, "undecided"), (-3.0, "fails")]
)
def test_verdicts_follow_the_interval(gain, verdict):
    draws = {("A", "avg"): spread(50 + gain), ("B", "avg"): np.full(2001, 50.0)}
    judgement = judge(Claim("avg(A) > avg(B)"), draws, {("A", "avg"): 50 + gain, ("B", "avg"): 50.0})
    assert judgement.verdict == verdict
    assert judgement.margin == pytest.approx(gain)
    assert (judgement.low, judgement.high) == pytest.approx((gain - 0.95, gain + 0.95))


def test_draws_stay_paired():
    common = spread(50)
    draws = {("A", "avg"): common + 0.1, ("B", "avg"): common}
    assert judge(Claim("avg(A) > avg(B)"), draws, {("A", "avg"): 50.1, ("B", "avg"): 50.0}).verdict == "holds"


def test_an_exact_tie_keeps_a_weak_claim_and_breaks_a_strict_one():
    draws = {("A", "avg"): spread(50), ("B", "avg"): spread(50)}
    points = {("A", "avg"): 50.0, ("B", "avg"): 50.0}
    assert judge(Claim("avg(A) >= avg(B)"), draws, points).verdict == "holds"
    assert judge(Claim("avg(A) > avg(B)"), draws, points).verdict == "fails"


def test_a_chain_breaks_at_its_weakest_link():
    draws = {("A", "avg"): spread(60), ("B", "avg"): spread(50), ("C", "avg"): spread(55)}
    points = {term: float(np.median(values)) for term, values in draws.items()}
    assert judge(Claim("avg(A) > avg(B) > avg(C)"), draws, points).verdict == "fails"
    assert judge(Claim("avg(A) > avg(C) > avg(B)"), draws, points).verdict == "holds"


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r['benchmark']}-{r['claim']}") for r in claims() if r["statement"]]
)
def test_the_papers_claims_hold_on_the_papers_numbers(row):
    with (REFERENCE / f"{row['benchmark']}.csv").open(encoding="utf-8") as lines:
        values = {
            (line["arm"], group): np.asarray(float(value))
            for line in csv.DictReader(lines)
            for group, value in line.items()
            if group not in ("arm", "backbone", "input_px", "source") and value
        }
    claim = Claim(row["statement"], row["source"])
    found = float(claim.margin(values))
    assert found > 0 or (found > -1e-9 and not claim.strict)
    if claim.strict and row["printed"]:
        assert found == pytest.approx(float(row["printed"]), abs=0.005)
