"""What a trained model got right on one test set: the one input of every metric and interval."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.types import CLEAN, Condition

__all__ = ["AVERAGE", "Columns", "Outcomes", "check_paired", "member_groups", "on_common_cells"]

#: The name of the headline: the mean over every non-clean condition, each weighted equally.
AVERAGE: Final = "avg"
#: What a column is called that stands for all groups of one occluder.
_ALL: Final = "-all"


class Columns(ABC):
    """The test conditions of a scored model as columns, and the groups that tables average.

    Attributes:
        conditions: one per column.
    """

    conditions: tuple[Condition, ...]

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Condition groups in order of their first column."""
        return tuple(dict.fromkeys(condition.group for condition in self.conditions))

    @cached_property
    def headline(self) -> str:
        """The group that sums a model up: ``avg``, or ``clean`` where the test set has clean images alone."""
        return AVERAGE if any(group != CLEAN.group for group in self.groups) else CLEAN.group

    def columns(self, group: str) -> NDArray[np.intp]:
        """Return the column indices of a condition group.

        A group may also be ``avg``, every non-clean condition, or stand for several; see ``member_groups``.

        Raises:
            ConfigError: the test set has no such group.
        """
        if group == AVERAGE:
            chosen = [index for index, condition in enumerate(self.conditions) if condition.group != CLEAN.group]
        else:
            members = member_groups(group, self.groups)
            chosen = [index for index, condition in enumerate(self.conditions) if condition.group in members]
        if not chosen:
            raise ConfigError(
                f"condition group {group!r} was asked, the test set has {', '.join(self.groups)}: "
                f"ask for one of them or for {AVERAGE!r}."
            )
        return np.asarray(chosen, dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Outcomes(Columns):
    """One trained model on one test set. Shares, never percentages, come out of it.

    Attributes:
        correct: bool or uint8 (0/1) of shape [n_images, n_conditions]; what an unseen cell holds is not read.
        labels: int[n_images], class indices.
        conditions: one per column; names are unique.
        seen: bool[n_images, n_conditions], which cells were scored; None means all of them.

    Raises:
        DatasetError: the shapes disagree, a condition name repeats or a condition has no scored cell.
    """

    correct: NDArray[np.bool_ | np.uint8]
    labels: NDArray[np.integer]
    conditions: tuple[Condition, ...]
    seen: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.labels), len(self.conditions))
        for name, matrix in (("correct", self.correct), ("seen", self.seen)):
            if matrix is not None and matrix.shape != expected:
                raise DatasetError(
                    f"{name} must be [images, conditions] = {list(expected)}, found {list(matrix.shape)}: "
                    "score the test set again."
                )
        if len({condition.name for condition in self.conditions}) < len(self.conditions):
            raise DatasetError("two conditions share a name: give every condition of the test set its own.")
        empty = [c.name for c, cells in zip(self.conditions, self.cells_by_condition, strict=True) if cells == 0]
        if empty:
            raise DatasetError(f"no image was scored under {', '.join(empty[:3])}: score it or leave the column out.")

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """bool[n_images, n_conditions]: scored and right."""
        right = np.asarray(self.correct, dtype=np.bool_)
        return right if self.seen is None else right & self.seen

    @cached_property
    def cells_by_condition(self) -> NDArray[np.int64]:
        """int64[n_conditions]: how many images were scored under each condition."""
        if self.seen is None:
            return np.full(len(self.conditions), len(self.labels), dtype=np.int64)
        return np.asarray(np.count_nonzero(self.seen, axis=0), dtype=np.int64)

    @cached_property
    def accuracy(self) -> NDArray[np.float64]:
        """float64[n_conditions]: share of the scored images that are right, per condition."""
        return np.asarray(np.count_nonzero(self.hits, axis=0) / self.cells_by_condition, dtype=np.float64)

    def in_order(self, columns: Sequence[int]) -> "Outcomes":
        """Return the same outcomes with the columns in another order."""
        order = list(columns)
        seen = None if self.seen is None else self.seen[:, order]
        return Outcomes(self.correct[:, order], self.labels, tuple(self.conditions[place] for place in order), seen)

    def counts(self, columns: NDArray[np.intp]) -> tuple[int, int]:
        """Return how many images have a scored cell in ``columns``, and how many scored cells there are."""
        return int(np.count_nonzero(self.present(columns))), int(self.cells_by_condition[columns].sum())

    def present(self, columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return bool[n_images]: which images have a scored cell in ``columns``."""
        if self.seen is None:
            return np.ones(len(self.labels), dtype=np.bool_)
        return np.asarray(self.seen[:, columns].any(axis=1), dtype=np.bool_)


def member_groups(name: str, groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that a column of a table stands for: none where the test set does not have all of them.

    ``20`` stands for ``20c`` and ``20r``, patterns of 20 % at the centre and at random places [Cen et al., table S2];
    ``scarf-all`` for every group that begins with ``scarf-``; any other name for the group itself.

    Args:
        name: of a column.
        groups: that the test set has.
    """
    if name in groups:
        return (name,)
    if name.endswith(_ALL):
        return tuple(group for group in groups if group.startswith(name.removesuffix(_ALL[1:])))
    both = (f"{name}c", f"{name}r")
    return both if set(both) <= set(groups) else ()


def on_common_cells(outcomes: Sequence[Outcomes]) -> list[Outcomes]:
    """Narrow models that were scored on different parts of one test set to the cells that all of them have.

    With ``scoring.precision`` the models' cells are prefixes of one random order, so the common cells are the shortest
    prefix, which is itself a fair sample.

    Raises:
        DatasetError: the test sets differ, or a condition has no common cell.
    """
    masks = [model.seen for model in outcomes if model.seen is not None]
    if not masks:
        narrowed = list(outcomes)
    else:
        if len({mask.shape for mask in (*masks, *(model.correct for model in outcomes))}) > 1:
            raise DatasetError("models scored on test sets of different size have no common cells: score them again.")
        common = np.logical_and.reduce(masks)
        narrowed = [replace(model, seen=common) for model in outcomes]
    check_paired(narrowed)
    return narrowed


def check_paired(outcomes: Sequence[Outcomes]) -> None:
    """Refuse to compare models that were not scored on the same cells.

    Raises:
        ConfigError: no model was given.
        DatasetError: labels, conditions or scored cells differ.
    """
    if not outcomes:
        raise ConfigError("no model was given to compare: score at least one.")
    first = outcomes[0]
    for other in outcomes[1:]:
        same = (
            np.array_equal(first.labels, other.labels)
            and [c.name for c in first.conditions] == [c.name for c in other.conditions]
            and _same_cells(first.seen, other.seen)
        )
        if not same:
            raise DatasetError(
                "models scored on different images, conditions or cells were to be compared: "
                "score all of them on the same test set first."
            )


def _same_cells(left: NDArray[np.bool_] | None, right: NDArray[np.bool_] | None) -> bool:
    if left is None or right is None:
        complete = right if left is None else left
        return complete is None or bool(complete.all())
    return np.array_equal(left, right)
