"""Which occluders, positions and ratios hurt, and which classes: from predictions on disk, no network needed.

The drop of an image under some conditions is its clean answer (1 right, 0 wrong) minus the mean of its answers there.
Averages are over images and their intervals are for other images, because all answers of one image hang together.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.intervals import shares_by_image
from occbench.bench.measures.outcomes import AVERAGE, Outcomes
from occbench.bench.tables.comparable import TrainedArm
from occbench.bench.tables.stored_conditions import natural
from occbench.core.errors import ConfigError
from occbench.core.types import CLEAN

__all__ = ["CENTRE", "RANDOM", "ArmDifficulty", "Level", "arm_difficulty"]

#: Names of the two kinds of positions.
CENTRE: Final = "centre"
RANDOM: Final = "random"
#: What conditions are told apart by, where they say it.
_FACTORS: Final = ("occluder", "position", "ratio", "loss", "level", "part")


@dataclass(frozen=True, eq=False)
class Level:
    """One value of one factor.

    Attributes:
        factor: e.g. ``occluder``.
        value: e.g. ``umbrella``; as text.
        drops: float64[n_images], clean minus occluded share of right answers, mean over seeds.
    """

    factor: str
    value: str
    drops: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmDifficulty:
    """One arm's drops.

    Attributes:
        label: of the arm.
        labels: int[n_images], class indices.
        levels: every level of every factor, factors in order; random positions are one level, because each occluder
            has its own.
        patterns: every single condition.
        whole: float64[n_images], the drop over all occluded conditions.
    """

    label: str
    labels: NDArray[np.integer]
    levels: tuple[Level, ...]
    patterns: tuple[Level, ...]
    whole: NDArray[np.float64]

    @property
    def classes(self) -> list[int]:
        """Class indices, those that lose most first."""
        known = np.unique(self.labels)
        losses = [-float(self.whole[self.labels == label].mean()) for label in known]
        return [int(label) for _, label in sorted(zip(losses, known.tolist(), strict=True))]


def arm_difficulty(arm: TrainedArm) -> ArmDifficulty:
    """Take an arm's drops apart by the factors of its conditions.

    Raises:
        ConfigError: no clean column to drop from, no factor with two values, or predictions that are not complete.
    """
    first = arm.top1[0]
    if CLEAN.group not in first.groups or len(first.groups) < 2:
        raise ConfigError(
            f"a drop is from clean to occluded images, the test columns of {arm.label} are {', '.join(first.groups)}: "
            "take runs that were scored on both."
        )
    clean = shares_by_image(arm.top1, first.columns(CLEAN.group))
    levels = tuple(
        Level(factor, value, clean - shares_by_image(arm.top1, columns)) for factor, value, columns in _levels(first)
    )
    if not levels:
        raise ConfigError(
            f"the conditions of {arm.label} differ in none of {', '.join(_FACTORS)}: there is nothing to compare."
        )
    occluded = first.columns(AVERAGE)
    patterns = tuple(
        Level("pattern", first.conditions[column].name, clean - shares_by_image(arm.top1, np.asarray([column])))
        for column in occluded
    )
    return ArmDifficulty(arm.label, first.labels, levels, patterns, clean - shares_by_image(arm.top1, occluded))


def _levels(outcomes: Outcomes) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    for factor in _FACTORS:
        by_value: dict[str, list[int]] = {}
        for column, condition in enumerate(outcomes.conditions):
            if factor in condition.parameters:
                by_value.setdefault(_level_name(factor, condition.parameters[factor]), []).append(column)
        if len(by_value) > 1:
            for value in sorted(by_value, key=natural):
                yield factor, value, np.asarray(by_value[value], dtype=np.intp)


def _level_name(factor: str, value: object) -> str:
    """Return a level's name; ``patterns`` calls its positions c, r1, r2, ..., the random ones of each occluder."""
    if factor != "position":
        return str(value)
    return {"c": CENTRE, "r": RANDOM}.get(re.sub(r"\d+$", "", str(value)), str(value))
