"""Differences between the arms of a table, and its claims: both from one set of jointly resampled accuracies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.outcomes import AVERAGE
from occbench.bench.measures.resampling import DRAWS, holm, joint_draws
from occbench.bench.protocol.claims import Claim, judge
from occbench.bench.protocol.reference import PublishedClaim
from occbench.bench.tables.comparable import TrainedArm
from occbench.core.results.rows import ClaimVerdict, Comparison, Number
from occbench.core.types import CLEAN

__all__ = ["Resampled", "compare", "judge_claims", "resample"]

_CONFIDENCE = 0.95
#: What every arm is compared with its baseline on.
_COMPARED = (CLEAN.group, AVERAGE)


@dataclass(frozen=True, eq=False)
class Resampled:
    """The arms of one backbone, resampled together.

    Attributes:
        arms: the first is the baseline.
        columns: condition groups, or ``avg``.
        points: (label, column) -> mean over seeds, percentage points.
        draws: (label, column) -> float64[draws], percentage points.
    """

    arms: Sequence[TrainedArm]
    columns: Sequence[str]
    points: Mapping[tuple[str, str], float]
    draws: Mapping[tuple[str, str], NDArray[np.float64]]


def resample(arms: Sequence[TrainedArm], columns: Sequence[str], *, draws: int = DRAWS) -> list[Resampled]:
    """Resample the images for the arms of every backbone.

    Args:
        arms: in table order.
        columns: condition groups, or ``avg``.
        draws: how many.

    Raises:
        DatasetError: arms that were not scored on the same cells.
    """
    made = []
    for backbone in dict.fromkeys(arm.backbone for arm in arms):
        own = [arm for arm in arms if arm.backbone == backbone]
        points = {
            (arm.label, column): float(
                100 * np.mean([outcomes.accuracy[outcomes.columns(column)].mean() for outcomes in arm.top1])
            )
            for arm in own
            for column in columns
        }
        drawn = joint_draws({arm.label: arm.top1 for arm in own}, columns, draws=draws)
        made.append(Resampled(own, columns, points, drawn))
    return made


def compare(resampled: Sequence[Resampled]) -> tuple[Comparison, ...]:
    """Compare every arm with the baseline of its backbone, on clean and on occluded images.

    With one seed this is ``resampling.paired_difference``; with several, the draws hold the seeds' variation, too. The
    p-values of all comparisons are one family for Holm's correction.
    """
    found: list[tuple[str, str, str, Number, float]] = []
    for group in resampled:
        baseline, *others = group.arms
        for arm in others:
            for column in _COMPARED:
                if column not in group.columns:
                    continue
                value, draws = _difference(group, arm.label, baseline.label, column)
                low, high = np.quantile(draws, [0.5 - _CONFIDENCE / 2, 0.5 + _CONFIDENCE / 2])
                number = Number(value, min(value, float(low)), max(value, float(high)))
                smaller = int(min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0)))
                # one draw more than there are, as in paired_difference: never zero
                found.append(
                    (arm.label, baseline.label, column, number, min(1.0, 2 * (1 + smaller) / (len(draws) + 1)))
                )
    corrected = holm({str(place): item[-1] for place, item in enumerate(found)})
    return tuple(Comparison(*item, corrected[str(place)]) for place, item in enumerate(found))


def judge_claims(claims: Sequence[PublishedClaim], resampled: Sequence[Resampled]) -> tuple[ClaimVerdict, ...]:
    """Judge every claim on the arms of every backbone; one that cannot be judged says why."""
    return tuple(chain.from_iterable((_verdict(claim, group) for group in resampled) for claim in claims))


def _difference(group: Resampled, left: str, right: str, column: str) -> tuple[float, NDArray[np.float64]]:
    value = group.points[left, column] - group.points[right, column]
    return value, group.draws[left, column] - group.draws[right, column]


def _verdict(published: PublishedClaim, group: Resampled) -> ClaimVerdict:
    claim = published.claim
    facts = {
        "title": published.title,
        "statement": claim.text if claim else "",
        "source": published.source,
        "printed": f"{published.printed:g} {published.unit}".strip() if published.printed is not None else "",
        "backbone": group.arms[0].backbone,
    }
    reason = "a fact of the paper's own study; no run of this benchmark can judge it"
    if claim is not None:
        reason = _why_not(claim, group)
    if claim is None or reason:
        return ClaimVerdict(**facts, verdict="not judged", margin=None, reason=reason)
    label = {arm.arm: arm.label for arm in group.arms}
    judged = judge(
        claim,
        {(arm, column): group.draws[label[arm], column] for arm, column in claim.terms},
        {(arm, column): group.points[label[arm], column] for arm, column in claim.terms},
        _CONFIDENCE,
    )
    return ClaimVerdict(
        **facts, verdict=judged.verdict, margin=Number(judged.margin, judged.low, judged.high), reason=""
    )


def _why_not(claim: Claim, group: Resampled) -> str:
    """Return why a claim cannot be judged on these arms, or nothing."""
    names = [arm.arm for arm in group.arms]
    for arm, column in claim.terms:
        if arm not in names:
            return f"there is no finished run of arm {arm}"
        if names.count(arm) > 1:
            return f"arm {arm} was run with {names.count(arm)} settings, and the claim does not say which"
        if column not in group.columns:
            return f"the test set has no column {column}"
    return ""
