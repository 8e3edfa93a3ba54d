"""What a preview shows: a few clean images, each under a few conditions, and where all of it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.types import Condition, Sample

__all__ = ["Gallery", "Group", "Row", "caption", "choose_conditions", "percent", "spread_positions"]

_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class Group:
    """The conditions of one condition group.

    Attributes:
        name: of the group, e.g. ``20r``.
        shown: the conditions that are shown, in row order.
        total: how many the group has.
        common: the parameters in which all of the group's conditions agree.
    """

    name: str
    shown: tuple[Condition, ...]
    total: int
    common: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One clean image under every condition shown.

    Attributes:
        key: of the clean image.
        class_name: of its label; several joined by commas for a multi-label image, those that are ignored in brackets.
        clean: uint8[H, W, 3], RGB, after the resize rule.
        samples: one per condition shown, in the order of ``Gallery.conditions``.
    """

    key: str
    class_name: str
    clean: NDArray[np.uint8]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Everything a contact sheet or page shows.

    Attributes:
        title: the recipe's name.
        description: the recipe's description.
        facts: (name, value) pairs on where the images come from and how they were made.
        groups: condition groups in row order, each with at least one condition shown.
        rows: clean images in label order.
    """

    title: str
    description: str
    facts: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition shown, group by group: the order of a row's samples."""
        return tuple(condition for group in self.groups for condition in group.shown)


def percent(share: float) -> str:
    """Return a share of the image as text, e.g. ``20.1 %``."""
    return f"{100 * share:.1f} %"


def caption(sample: Sample, condition: Condition) -> tuple[str, ...]:
    """Return what a sample hides, a line each: of the image and, where its condition asks for it, of what else."""
    beside = ((name, value) for name, value in sample.measured.items() if name in condition.parameters)
    named = (f"{name.removesuffix('_share').replace('_', ' ')} {percent(value)}" for name, value in beside)
    return percent(sample.achieved), *named


def choose_conditions(conditions: Sequence[Condition], limit: int) -> tuple[Group, ...]:
    """Choose at most ``limit`` conditions: every group gets its share, spread over the group's conditions.

    Groups start at different places, so that two groups with the same occluders show different ones. Where there are
    more groups than ``limit``, evenly spread groups show one condition each.
    """
    by_group: dict[str, list[Condition]] = {}
    for condition in conditions:
        by_group.setdefault(condition.group, []).append(condition)
    names = list(by_group)
    if len(names) > limit:
        names = [names[number * len(names) // limit] for number in range(limit)]
    shares = _share_out(limit, [len(by_group[name]) for name in names])
    return tuple(
        Group(
            name, _staggered(by_group[name], share, number / len(names)), len(by_group[name]), _common(by_group[name])
        )
        for number, (name, share) in enumerate(zip(names, shares, strict=True))
    )


def spread_positions(count: int) -> Iterator[int]:
    """Yield every position below ``count`` once, so that any beginning is evenly spread over the whole.

    Steps of the golden ratio, made coprime to ``count``: sources sorted by class and sources that take their classes
    in turn both show many classes early.
    """
    step = max(1, round(count * _GOLDEN))
    while gcd(step, count) != 1:
        step += 1
    return (number * step % count for number in range(count))


def _share_out(limit: int, sizes: Sequence[int]) -> list[int]:
    """Give out ``limit`` places in turn, to each group at most its size."""
    shares = [0] * len(sizes)
    left = min(limit, sum(sizes))
    while left:
        for number, size in enumerate(sizes):
            if left and shares[number] < size:
                shares[number] += 1
                left -= 1
    return shares


def _staggered(conditions: Sequence[Condition], share: int, offset: float) -> tuple[Condition, ...]:
    return tuple(conditions[int((number + offset) * len(conditions) / share)] for number in range(share))


def _common(conditions: Sequence[Condition]) -> dict[str, Any]:
    first, *others = conditions
    return {
        name: value
        for name, value in first.parameters.items()
        if all(name in other.parameters and other.parameters[name] == value for other in others)
    }
