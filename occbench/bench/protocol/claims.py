"""Claims of a paper as statements that a run can check: ``avg(C-Full) > avg(C)``, ``clean(C) - clean(C-Full) <= 1.0``.

A claim holds when the whole interval of its margin lies on the claimed side, fails when it lies wholly on the other,
and is undecided in between. All values are percentage points. The language is described in ``protocol.claim_language``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from occbench.bench.protocol.claim_language import Statement, Term, Values, parse
from occbench.core.errors import ConfigError

__all__ = ["Claim", "Judgement", "Verdict", "judge"]

Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Claim:
    """A statement about accuracies, parsed when it is made.

    Attributes:
        text: the statement.
        source: where it stands, e.g. ``arXiv 2011.00768, table 2``.

    Raises:
        ConfigError: the text cannot be parsed; the message names the position and what was expected there.
    """

    text: str
    source: str = ""

    def __post_init__(self) -> None:
        _ = self._statement

    @property
    def terms(self) -> tuple[Term, ...]:
        """The (arm, group) pairs that the claim speaks of, in order of appearance."""
        return self._statement.terms

    @property
    def strict(self) -> bool:
        """Whether equality breaks the claim: one of its relations is ``>`` or ``<``."""
        return self._statement.strict

    def margin(self, values: Mapping[Term, Values]) -> Values:
        """Return by how many points the claim holds, negative where it does not; of a chain, its weakest link's.

        Args:
            values: (arm, group) -> percentage points, float64 of any one shape.

        Raises:
            ConfigError: an (arm, group) of the claim is missing.
        """
        missing = [f"{group}({arm})" for arm, group in self.terms if (arm, group) not in values]
        if missing:
            known = ", ".join(f"{group}({arm})" for arm, group in values) or "nothing"
            raise ConfigError(f"claim {self.text!r} needs {missing[0]}, the run has {known}: score that arm and group.")
        return self._statement.margin(values)

    @cached_property
    def _statement(self) -> Statement:
        return parse(self.text)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run says about a claim.

    Attributes:
        claim: the claim.
        verdict: ``holds`` when the whole interval lies on the claimed side, ``fails`` when none of it does.
        margin: by how many percentage points the claim holds at the point estimates; negative where it does not.
        low: lower end of the margin's interval, percentage points.
        high: upper end.
    """

    claim: Claim
    verdict: Verdict
    margin: float
    low: float
    high: float


def judge(
    claim: Claim, draws: Mapping[Term, Values], points: Mapping[Term, float], confidence: float = 0.95
) -> Judgement:
    """Judge a claim by the percentile interval of its margin over jointly resampled draws.

    Args:
        claim: the claim.
        draws: (arm, group) -> float64[n_draws], percentage points; draw i has the same image weights for all.
        points: (arm, group) -> the estimate itself, percentage points.
        confidence: of the interval.

    Raises:
        ConfigError: an (arm, group) of the claim is missing from draws or points.
    """
    low, high = np.quantile(claim.margin(draws), [0.5 - confidence / 2, 0.5 + confidence / 2])
    point = claim.margin({term: np.asarray(value, dtype=np.float64) for term, value in points.items()})
    verdict: Verdict = "undecided"
    if low > 0 or (low == 0 and not claim.strict):
        verdict = "holds"
    elif high < 0 or (high == 0 and claim.strict):
        verdict = "fails"
    return Judgement(claim, verdict, float(point), float(low), float(high))
