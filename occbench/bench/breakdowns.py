"""One arm's accuracy taken apart: against the occlusion ratio, by occluder and position, by class.

Ratio and pattern views are the ordinary intervals over other condition groups: conditions are regrouped, not averaged
by hand.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from occbench.bench.finished_runs import TrainedArm
from occbench.bench.metrics import accuracy_by_class, accuracy_by_group
from occbench.bench.outcomes import Outcomes
from occbench.bench.statistics import clustered_interval, seed_spread, wilson
from occbench.bench.stored_conditions import natural
from occbench.core.results import ClassAccuracy, Curve, HeatMap, Number
from occbench.core.types import CLEAN, Condition

__all__ = [
    "Estimated", "Regroup", "classes_worst_first", "curves", "estimate", "heat_maps", "ratio_of", "ratios_of",
]  # fmt: skip

#: A condition -> the group that it is put into.
Regroup = Callable[[Condition], str]

#: What says how much of the image a condition hides, the first that there is.
_SHARES = ("achieved", "ratio", "loss")


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


def ratios_of(conditions: Sequence[Condition]) -> list[float]:
    """Return the occlusion ratios of conditions, ascending; none where one does not say how much it hides."""
    found = [ratio_of(condition) for condition in conditions]
    ratios = sorted({ratio for ratio in found if ratio is not None})
    return [] if None in found or len(ratios) < 2 else ratios


def curves(arms: Sequence[TrainedArm]) -> tuple[Curve, ...]:
    """Return accuracy against occlusion ratio; nothing where a condition does not say how much it hides."""
    ratios = ratios_of(arms[0].runs[0].conditions)
    if not ratios:
        return ()

    def points(arm: TrainedArm) -> tuple[tuple[float, Number], ...]:
        regrouped = [_regroup(outcomes, lambda condition: f"ratio {ratio_of(condition)}") for outcomes in arm.top1]
        return tuple((ratio, estimate(regrouped, f"ratio {ratio}").number) for ratio in ratios)

    return tuple(Curve(arm.label, points(arm)) for arm in arms)


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


def ratio_of(condition: Condition) -> float | None:
    """Return the share of the image that a condition hides, 0 for clean ones; None where it does not say."""
    if condition.group == CLEAN.group:
        return 0.0
    return next((float(condition.parameters[name]) for name in _SHARES if name in condition.parameters), None)


def _occluder(condition: Condition) -> str:
    return str(condition.parameters["occluder"])


def _place(condition: Condition) -> str:
    ratio, position = ratio_of(condition), condition.parameters.get("position")
    parts = [None if ratio is None else f"{100 * ratio:g} %", None if position is None else str(position)]
    return " ".join(part for part in parts if part) or "all"


def _pattern(condition: Condition) -> str:
    if "occluder" not in condition.parameters:
        return "\n"
    return f"{_occluder(condition)}\n{_place(condition)}"
