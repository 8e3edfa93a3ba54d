"""Accuracies and robustness summaries: pure functions of ``Outcomes``. All results are shares in [0, 1].

The one exception is ``weighted_average``, which works on the columns of a printed table in whatever unit they have.
Where only part of the cells was scored, every accuracy is over the scored ones.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from occbench.bench.measures.outcomes import AVERAGE, Outcomes
from occbench.core.errors import ConfigError
from occbench.core.types import CLEAN, Condition

__all__ = [
    "HiddenShare",
    "accuracy_by_class",
    "accuracy_by_condition",
    "accuracy_by_group",
    "accuracy_by_occluder",
    "avg_over_occlusion",
    "clean_drop",
    "hidden_share",
    "macro_accuracy",
    "nauc",
    "occlusion_drop",
    "weighted_average",
    "worst_pattern",
]

#: A group of occlusion patterns: percent of the image (``12p5`` is 12.5), then ``c`` (centre), ``r`` (random) or
#: nothing (both).
_PATTERN_GROUP: Final = re.compile(r"\d+(p\d+)?(?P<position>[cr]?)")
#: Patterns that one occluder has at one ratio: one at the centre, three at random positions (arXiv 2011.00768, 4.1).
_POSITIONS: Final = {"c": 1, "r": 3, "": 4}
#: What says how much of the image a condition hides, the first that there is.
_OF_IMAGE: Final = ("achieved", "ratio", "loss")
#: What says how much of the object it hides, [low, high).
_OBJECT: Final = "object_share"


class HiddenShare(NamedTuple):
    """How much a condition hides: a share in 0..1, and of what."""

    value: float
    of: Literal["image", "object"]


def accuracy_by_condition(outcomes: Outcomes) -> dict[str, float]:
    """Return the accuracy under each condition, by its name, in column order."""
    return {c.name: float(share) for c, share in zip(outcomes.conditions, outcomes.accuracy, strict=True)}


def accuracy_by_group(outcomes: Outcomes) -> dict[str, float]:
    """Return the mean accuracy over each group's conditions, every condition weighted equally."""
    return {group: _mean(outcomes, group) for group in outcomes.groups}


def avg_over_occlusion(outcomes: Outcomes) -> float:
    """Return the paper's headline: the mean over patterns, that is over every non-clean condition, weighted equally.

    With one centre and three random positions per occluder and ratio this is (20c + 3 20r + 10c + 3 10r) / 8
    (arXiv 2011.00768, tables 2, 4, 6, 7 and 8).

    Raises:
        ConfigError: the test set has clean images only.
    """
    return _mean(outcomes, AVERAGE)


def accuracy_by_occluder(outcomes: Outcomes) -> dict[str, float]:
    """Return the mean accuracy over each occluder's conditions, in order of first appearance.

    Conditions whose parameters name no ``occluder`` are left out, so the result may be empty.
    """
    columns: dict[str, list[int]] = {}
    for index, condition in enumerate(outcomes.conditions):
        if "occluder" in condition.parameters:
            columns.setdefault(str(condition.parameters["occluder"]), []).append(index)
    return {occluder: float(outcomes.accuracy[chosen].mean()) for occluder, chosen in columns.items()}


def accuracy_by_class(outcomes: Outcomes, group: str = AVERAGE) -> dict[int, float]:
    """Return each class's accuracy over a condition group, by class index; classes without a scored cell are absent.

    A class's accuracy is over its scored cells together: with a full matrix the same as the mean over its conditions.

    Raises:
        ConfigError: the test set has no such group.
    """
    columns = outcomes.columns(group)
    hits = np.count_nonzero(outcomes.hits[:, columns], axis=1)
    cells = (
        np.full(len(outcomes.labels), len(columns))
        if outcomes.seen is None
        else np.count_nonzero(outcomes.seen[:, columns], axis=1)
    )
    classes, member = np.unique(outcomes.labels, return_inverse=True)
    hits_of = np.bincount(member, weights=hits, minlength=len(classes))
    cells_of = np.bincount(member, weights=cells, minlength=len(classes))
    return {
        int(label): float(hit / cell) for label, hit, cell in zip(classes, hits_of, cells_of, strict=True) if cell > 0
    }


def macro_accuracy(outcomes: Outcomes, group: str = AVERAGE) -> float:
    """Return the mean over classes of ``accuracy_by_class``: every class counts the same, whatever its size."""
    return float(np.mean(list(accuracy_by_class(outcomes, group).values())))


def worst_pattern(outcomes: Outcomes) -> tuple[str, float]:
    """Return the name and the accuracy of the non-clean condition with the lowest accuracy (the first of equals).

    Raises:
        ConfigError: the test set has clean images only.
    """
    columns = outcomes.columns(AVERAGE)
    worst = int(columns[np.argmin(outcomes.accuracy[columns])])
    return outcomes.conditions[worst].name, float(outcomes.accuracy[worst])


def clean_drop(outcomes: Outcomes, baseline: Outcomes) -> float:
    """Return what robustness costs on clean images: the baseline's clean accuracy minus this model's."""
    return _mean(baseline, CLEAN.group) - _mean(outcomes, CLEAN.group)


def occlusion_drop(outcomes: Outcomes) -> float:
    """Return what occlusion costs this model: its clean accuracy minus its ``avg_over_occlusion``."""
    return _mean(outcomes, CLEAN.group) - avg_over_occlusion(outcomes)


def nauc(outcomes: Outcomes) -> float:
    """Return the normalised area under accuracy against the share that is hidden, by the trapezoid rule.

    Conditions stand at ``hidden_share``. Those of equal share are averaged, and the area is divided by the largest
    share, so a model that never errs has 1 (arXiv 2508.20760).

    Raises:
        ConfigError: no clean condition, nothing but clean, or a condition that does not say what it hides.
    """
    outcomes.columns(CLEAN.group)
    outcomes.columns(AVERAGE)
    ratios, member = np.unique([_known_share(condition) for condition in outcomes.conditions], return_inverse=True)
    heights = np.bincount(member, weights=outcomes.accuracy) / np.bincount(member)
    return float(np.trapezoid(heights, ratios) / ratios[-1])


def weighted_average(columns: Mapping[str, float]) -> float:
    """Return a table row's average over occlusion from its group columns alone, in the unit of the columns.

    A pattern group weighs as many patterns as it holds of one occluder: ``20c`` one, ``20r`` three, ``20`` all four.
    Other groups (``patchdrop-60``) hold one condition each. ``clean`` is left out.

    Raises:
        ConfigError: no occluded column, or pattern groups beside other groups, where no weighting is defined.
    """
    groups = [group for group in columns if group != CLEAN.group]
    matches = [_PATTERN_GROUP.fullmatch(group) for group in groups]
    if not groups or len({match is None for match in matches}) > 1:
        raise ConfigError(
            f"an average over occlusion was asked of the columns {', '.join(columns) or '(none)'}: "
            "give pattern groups (20c, 20r, ...) only, or other groups only."
        )
    weights = [1 if match is None else _POSITIONS[match["position"]] for match in matches]
    return float(np.average([columns[group] for group in groups], weights=weights))


def _mean(outcomes: Outcomes, group: str) -> float:
    return float(outcomes.accuracy[outcomes.columns(group)].mean())


def hidden_share(condition: Condition) -> HiddenShare | None:
    """Return how much a condition hides, or None where it does not say; clean images stand at 0.

    A level asks for a band of shares of the object (``levels``: 20 to 40 %) and stands at its middle; any other
    condition for a share of the image: ``achieved``, ``ratio`` or ``loss``, the first that it has.

    Raises:
        ConfigError: a share outside of (0, 1].
    """
    if condition.group == CLEAN.group:
        return HiddenShare(0.0, "image")
    if _OBJECT in condition.parameters:
        low, high = (float(end) for end in condition.parameters[_OBJECT])
        return HiddenShare((low + high) / 2, "object")
    for name in _OF_IMAGE:
        if name in condition.parameters:
            share = float(condition.parameters[name])
            if not 0 < share <= 1:
                raise ConfigError(f"{condition.name}: {name} must be a share in (0, 1], found {share}.")
            return HiddenShare(share, "image")
    return None


def _known_share(condition: Condition) -> float:
    if (found := hidden_share(condition)) is not None:
        return found.value
    raise ConfigError(
        f"NAUC needs how much every condition hides, {condition.name} has no parameter achieved, ratio, loss or "
        "object_share: leave it out."
    )
