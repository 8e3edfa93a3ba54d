"""One arm's accuracy taken apart: against what is hidden, by occluder and position, by class.

Share and pattern views are the ordinary intervals over other condition groups: conditions are regrouped, not averaged
by hand.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from occbench.bench.measures.metrics import accuracy_by_class, accuracy_by_group, hidden_share
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.measures.statistics import clustered_interval, seed_spread, wilson
from occbench.bench.tables.comparable import TrainedArm
from occbench.bench.tables.stored_conditions import natural
from occbench.core.results.breakdowns import ClassAccuracy, Curve, HeatMap
from occbench.core.results.rows import Number
from occbench.core.types import Condition

__all__ = [
    "Estimated", "Regroup", "Shares", "classes_worst_first", "curves", "estimate", "heat_maps", "share_of", "shares_of",
]  # fmt: skip

#: A condition -> the group that it is put into.
Regroup = Callable[[Condition], str]


@dataclass(frozen=True, slots=True)
class Estimated:
    """An accuracy in percentage points: the interval is for other images and, with several seeds, other seeds.

    Attributes:
        number: mean over seeds.
        between_seeds: standard deviation of the seeds' values; None with one seed.
    """

    number: Number
    between_seeds: float | None


def estimate(per_seed: Sequence[Outcomes], group: str) -> Estimated:
    """Return an arm's accuracy over a condition group.

    A single condition that is right on every image, or wrong on all, has Wilson's interval: there the images show no
    variance to build one from, and an interval of no width would be a lie.
    """
    if len(per_seed) == 1:
        found, spread = clustered_interval(per_seed[0], group), None
        if found.n_images == found.n_cells and found.value in (0, 1):
            found = wilson(round(found.value * found.n_cells), found.n_cells)
    else:
        over_seeds = seed_spread(per_seed, group)
        found, spread = over_seeds.combined, 100 * over_seeds.between_seeds
    return Estimated(Number(100 * found.value, 100 * found.low, 100 * found.high), spread)


@dataclass(frozen=True, slots=True)
class Shares:
    """What a curve is drawn against.

    Attributes:
        values: shares, ascending; 0 for clean images.
        of: what they are shares of.
    """

    values: tuple[float, ...]
    of: Literal["image", "object"]


def shares_of(conditions: Sequence[Condition]) -> Shares | None:
    """Return the shares that conditions hide.

    None where a condition does not say how much it hides, or where some hide shares of the image and others of the
    object.
    """
    known = [found for condition in conditions if (found := hidden_share(condition)) is not None]
    values = sorted({found.value for found in known})
    kinds = {found.of for found in known if found.value}
    if len(known) < len(conditions) or len(values) < 2 or len(kinds) > 1:
        return None
    return Shares(tuple(values), kinds.pop())


def curves(arms: Sequence[TrainedArm]) -> tuple[Curve, ...]:
    """Return accuracy against the occlusion ratio, or against the level where shares of the object are hidden."""
    known = shares_of(arms[0].runs[0].conditions)
    if known is None:
        return ()

    def points(arm: TrainedArm) -> tuple[tuple[float, Number], ...]:
        regrouped = [_regroup(outcomes, lambda condition: f"share {share_of(condition)}") for outcomes in arm.top1]
        return tuple((share, estimate(regrouped, f"share {share}").number) for share in known.values)

    return tuple(Curve(arm.label, points(arm), known.of) for arm in arms)


def heat_maps(
    arms: Sequence[TrainedArm], by_seed: Callable[[TrainedArm, Regroup], Sequence[Mapping[str, float]]] | None = None
) -> tuple[HeatMap, ...]:
    """Return accuracy by occluder and by ratio and position; nothing where no condition names its occluder.

    Args:
        arms: the table's rows.
        by_seed: (arm, new group of a condition) -> for each seed, group -> share; top-1 accuracy by default.
    """
    measured = by_seed or _accuracies
    named = [condition for condition in arms[0].runs[0].conditions if "occluder" in condition.parameters]
    occluders = sorted({_occluder(condition) for condition in named}, key=natural)
    places = sorted({_place(condition) for condition in named}, key=natural)

    def values(arm: TrainedArm) -> dict[str, float]:
        found = measured(arm, _pattern)
        return {group: float(100 * np.mean([seed[group] for seed in found])) for group in found[0]}

    made = []
    for arm in arms if named else ():
        found = values(arm)
        rows = tuple(tuple(found.get(f"{occluder}\n{place}") for place in places) for occluder in occluders)
        made.append(HeatMap(arm.label, tuple(occluders), tuple(places), rows))
    return tuple(made)


def classes_worst_first(arms: Sequence[TrainedArm], names: Sequence[str]) -> tuple[ClassAccuracy, ...]:
    """Return every class's accuracy under occlusion (clean, where nothing is occluded), by the mean over arms.

    Args:
        arms: the table's rows.
        names: in label order; empty where the runs do not name their classes.
    """
    images = Counter(arms[0].top1[0].labels.tolist())
    by_arm = [[accuracy_by_class(outcomes, outcomes.headline) for outcomes in arm.top1] for arm in arms]
    rows = [
        ClassAccuracy(
            names[label] if label < len(names) else f"class {label}",
            count,
            tuple(float(100 * np.mean([seed[label] for seed in seeds])) for seeds in by_arm),
        )
        for label, count in sorted(images.items())
    ]
    return tuple(sorted(rows, key=lambda row: sum(row.values)))


def _accuracies(arm: TrainedArm, group: Regroup) -> list[dict[str, float]]:
    return [accuracy_by_group(_regroup(outcomes, group)) for outcomes in arm.top1]


def _regroup(outcomes: Outcomes, group: Callable[[Condition], str]) -> Outcomes:
    return replace(outcomes, conditions=tuple(replace(item, group=group(item)) for item in outcomes.conditions))


def share_of(condition: Condition) -> float | None:
    """Return the share of the image or the object that a condition hides, 0 for clean ones; None where it is unsaid."""
    found = hidden_share(condition)
    return None if found is None else found.value


def _occluder(condition: Condition) -> str:
    return str(condition.parameters["occluder"])


def _place(condition: Condition) -> str:
    ratio, position = share_of(condition), condition.parameters.get("position")
    parts = [None if ratio is None else f"{100 * ratio:g} %", None if position is None else str(position)]
    return " ".join(part for part in parts if part) or "all"


def _pattern(condition: Condition) -> str:
    if "occluder" not in condition.parameters:
        return "\n"
    return f"{_occluder(condition)}\n{_place(condition)}"
