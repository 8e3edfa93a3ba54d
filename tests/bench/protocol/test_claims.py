import csv
from pathlib import Path

import numpy as np
import pytest

from occbench.bench.protocol.claims import Claim, judge
from occbench.core.errors import ConfigError

REFERENCE = Path(__file__).resolve().parents[3] / "benchmarks" / "reference"


def claims() -> list[dict[str, str]]:
    with (REFERENCE / "claims.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_an_arm_that_was_not_run_is_named():
    with pytest.raises(ConfigError, match=r"needs avg\(F\)"):
        Claim("avg(F) > avg(C)").margin({("C", "avg"): np.asarray(43.0)})


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


#: Replace Parts is below the plain network at 60 % loss with both of the paper's networks.
AGAINST_ITS_OWN_TABLE = {("dfeat-patchdrop", "every augmentation helps at 60 % loss")}


@pytest.mark.parametrize(
    "row", [pytest.param(r, id=f"{r['benchmark']}-{r['claim']}") for r in claims() if r["statement"]]
)
def test_the_papers_claims_hold_on_the_papers_numbers(row):
    """With one of its networks at least; what the paper says against its own table is named here."""
    tables: dict[str, dict[tuple[str, str], np.ndarray]] = {}
    with (REFERENCE / f"{row['benchmark']}.csv").open(encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            table = tables.setdefault(line["backbone"], {})
            for group, value in line.items():
                if group not in ("arm", "backbone", "input_px", "source") and value:
                    table[line["arm"], group] = np.asarray(float(value))
    claim = Claim(row["statement"], row["source"])
    spoken_of = set(claim.terms)
    margins = [float(claim.margin(values)) for values in tables.values() if spoken_of <= values.keys()]
    keeps = [found > 0 or (found > -1e-9 and not claim.strict) for found in margins]
    assert any(keeps) == ((row["benchmark"], row["claim"]) not in AGAINST_ITS_OWN_TABLE)
    if claim.strict and row["printed"]:
        assert any(found == pytest.approx(float(row["printed"]), abs=0.005) for found in margins)
