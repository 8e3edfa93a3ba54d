"""What Cen et al. say about figure 6 (section 4.1.1), judged on a sweep over alpha and beta."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.findings import Finding, Verdict, above, within
from occbench.analyse.intervals import Estimate, over_images
from occbench.analyse.sweep import Sweep, SweepPoint

__all__ = ["ALPHA", "BETA", "judge_sweep"]

ALPHA: Final = "method.alpha"
BETA: Final = "method.beta"
#: Percentage points of clean accuracy that beta < 1 may move, as the paper saw it.
_SMALL: Final = 0.6
_WHERE: Final = "section 4.1.1 and figure 6"


def judge_sweep(sweep: Sweep) -> list[Finding]:
    """Return the figure's claims with their verdicts; nothing where alpha and beta are not what was varied."""
    if {variation.key for variation in sweep.variations} != {ALPHA, BETA}:
        return []
    return [
        _large_beta(sweep),
        _high_alpha(sweep, "clean"),
        _high_alpha(sweep, "occluded"),
        _small_beta(sweep),
        _default_alpha(sweep),
    ]


def _large_beta(sweep: Sweep) -> Finding:
    claim = "beta > 1 lowers the accuracy on clean images"
    found = []
    for point in sweep.points:
        if point.values[BETA] > 1:
            same = _find(sweep, point.values[ALPHA], 1.0) or sweep.classical
            found.append(point.clean - same.clean)
    if not found:
        return _not_judged(claim, "no beta above 1 in the sweep")
    mean = _mean(found)
    return Finding(
        claim, _WHERE, _below(mean), f"{_points(mean)} against beta = 1, mean over {len(found)} combinations"
    )


def _high_alpha(sweep: Sweep, images: str) -> Finding:
    claim = f"alpha = 0.95 is worse than alpha = 0.9 on {images} images, for most of beta's values"
    pairs = []
    for beta in _values(sweep, BETA):
        high, usual = _find(sweep, 0.95, beta), _find(sweep, 0.9, beta)
        if high is not None and usual is not None:
            pairs.append(_of(high, images) - _of(usual, images))
    if not pairs:
        return _not_judged(claim, "the sweep lacks alpha 0.9 or 0.95")
    mean, worse = _mean(pairs), sum(float(pair.mean()) < 0 for pair in pairs)
    return Finding(
        claim, _WHERE, _below(mean), f"{_points(mean)}, mean over beta; worse at {worse} of {len(pairs)} values"
    )


def _small_beta(sweep: Sweep) -> Finding:
    claim = f"beta < 1 changes the accuracy on clean images by less than {_SMALL} points"
    found = [sweep.against_classical(point)[0] for point in sweep.points if point.values[BETA] < 1]
    if not found:
        return _not_judged(claim, "no beta below 1 in the sweep")
    largest = max(found, key=lambda item: abs(item.value))
    return Finding(
        claim,
        _WHERE,
        within(found, _SMALL),
        f"the largest change of {len(found)} combinations is {largest.value:+.2f} points "
        f"[{largest.low:+.2f}, {largest.high:+.2f}]",
    )


def _default_alpha(sweep: Sweep) -> Finding:
    claim = "at beta = 1, alpha = 0.9 is the best for clean and for occluded images"
    usual = _find(sweep, 0.9, 1.0)
    others = [point for point in sweep.points if point.values[BETA] == 1 and point.values[ALPHA] != 0.9]
    if usual is None or not others:
        return _not_judged(claim, "the sweep lacks alpha 0.9 at beta 1, or another alpha beside it")
    leads = {
        (images, point.values[ALPHA]): over_images(_of(usual, images) - _of(point, images)).scaled(100)
        for images in ("clean", "occluded")
        for point in others
    }
    verdict: Verdict = "holds" if all(lead.low > 0 for lead in leads.values()) else "undecided"
    if any(lead.high < 0 for lead in leads.values()):
        verdict = "fails"
    (images, alpha), least = min(leads.items(), key=lambda item: item[1].value)
    evidence = (
        f"its smallest lead is {least.value:+.2f} points [{least.low:+.2f}, {least.high:+.2f}], on {images} images "
        f"over alpha = {alpha}"
    )
    return Finding(claim, _WHERE, verdict, evidence)


def _find(sweep: Sweep, alpha: float, beta: float) -> SweepPoint | None:
    return next((item for item in sweep.points if item.values[ALPHA] == alpha and item.values[BETA] == beta), None)


def _values(sweep: Sweep, key: str) -> list[Any]:
    return list(dict.fromkeys(point.values[key] for point in sweep.points))


def _of(point: SweepPoint, images: str) -> NDArray[np.float64]:
    return point.clean if images == "clean" else point.occluded


def _mean(differences: Iterable[NDArray[np.float64]]) -> Estimate:
    """Return the mean of differences by image, in percentage points."""
    return over_images(np.mean(list(differences), axis=0)).scaled(100)


def _below(estimate: Estimate) -> Verdict:
    """Return whether an estimate lies below zero."""
    return above(estimate.scaled(-1), 0.0)


def _points(estimate: Estimate) -> str:
    return f"{estimate.value:+.2f} points [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def _not_judged(claim: str, why: str) -> Finding:
    return Finding(claim, _WHERE, "not judged", why)
