"""Runs grouped into what may be compared: seeds into rows, rows into tables; runs of different test sets never meet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from occbench.bench.measures.label_outcomes import LabelOutcomes
from occbench.bench.measures.outcomes import Outcomes, on_common_cells
from occbench.bench.tables.finished_runs import FinishedRun
from occbench.core.canonical import canonical_json
from occbench.core.tasks import Task

__all__ = ["Comparable", "TrainedArm", "comparable", "on_shared_cells"]

#: Facts that may differ between the rows of one table; all others may not.
_OF_A_ROW: Final = frozenset({"arm", "backbone", "twins", "weights"})
#: Runs that differ in nothing else are repetitions of one row.
_OF_A_RUN: Final = frozenset({"seed"})


@dataclass(frozen=True, eq=False)
class TrainedArm:
    """One row of a table: an arm with a backbone, trained with one setting and any number of seeds.

    Attributes:
        label: tells it apart from the other rows of the table.
        runs: one per seed, seeds ascending.
    """

    label: str
    runs: tuple[FinishedRun, ...]

    @property
    def arm(self) -> str:
        """The arm's name."""
        return str(self.runs[0].manifest["arm"])

    @property
    def backbone(self) -> str:
        """The backbone's name."""
        return str(self.runs[0].facts["backbone"])

    @property
    def method(self) -> str:
        """The method's name."""
        return str(self.runs[0].facts["arm"]["method"]["name"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are finished."""
        return tuple(run.seed for run in self.runs)

    @property
    def task(self) -> Task:
        """What the labels of its images mean."""
        return self.runs[0].task

    @cached_property
    def labelled(self) -> tuple[LabelOutcomes, ...]:
        """One per seed, where images have several labels."""
        return tuple(run.labelled for run in self.runs)

    @cached_property
    def top1(self) -> tuple[Outcomes, ...]:
        """One per seed."""
        return tuple(run.top1 for run in self.runs)


@dataclass(frozen=True, eq=False)
class Comparable:
    """Arms that may stand in one table: same benchmark, same split and test set, same training rule.

    Attributes:
        benchmark: its name.
        setting: what sets it apart from other tables of the benchmark; empty where there is no other.
        arms: in no particular order.
    """

    benchmark: str
    setting: str
    arms: tuple[TrainedArm, ...]

    @property
    def test_set(self) -> str:
        """Fingerprint of the test set."""
        return str(self.arms[0].runs[0].manifest["test_set"])


def comparable(runs: Sequence[FinishedRun]) -> list[Comparable]:
    """Put runs into tables, and the seeds of one setting into rows; runs of different test sets never meet."""
    tables: dict[tuple[str, str, str], list[FinishedRun]] = {}
    for run in runs:
        key = (str(run.manifest["benchmark"]), str(run.manifest["test_set"]), canonical_json(_shared(run)))
        tables.setdefault(key, []).append(run)
    found = []
    for (benchmark, _, _), members in sorted(tables.items()):
        others = [item for (name, _, _), group in tables.items() if name == benchmark for item in group[:1]]
        setting = _differing(_shared(members[0]), [_shared(item) for item in others])
        found.append(Comparable(benchmark, setting, _arms(members)))
    return found


def on_shared_cells(arms: Sequence[TrainedArm]) -> list[TrainedArm]:
    """Narrow arms to the cells that all of their runs were scored on; nothing changes where every run is whole.

    Raises:
        DatasetError: runs of different test sets, or a condition without a shared cell.
    """
    runs = [run for arm in arms for run in arm.runs]
    if not any(run.part for run in runs):
        return list(arms)
    shared = on_common_cells([run.top1 for run in runs])[0].seen
    return [replace(arm, runs=tuple(replace(run, cells=shared) for run in arm.runs)) for arm in arms]


def _shared(run: FinishedRun) -> dict[str, Any]:
    return {name: value for name, value in run.facts.items() if name not in _OF_A_RUN and not _is_of_a_row(name)}


def _is_of_a_row(name: str) -> bool:
    """Whether rows may differ in a fact; hashes of users' own method and backbone files are such facts, too."""
    return name in _OF_A_ROW or ".py:" in name


def _arms(runs: Sequence[FinishedRun]) -> tuple[TrainedArm, ...]:
    rows: dict[tuple[str, str, str], list[FinishedRun]] = {}
    for run in runs:
        of_row = {name: value for name, value in run.facts.items() if _is_of_a_row(name)}
        rows.setdefault((str(run.manifest["arm"]), str(run.facts["backbone"]), canonical_json(of_row)), []).append(run)
    several = len({backbone for _, backbone, _ in rows}) > 1
    arms = []
    for (arm, backbone, _), members in rows.items():
        twins = [json.loads(facts) for name, base, facts in rows if (name, base) == (arm, backbone)]
        own = {name: value for name, value in members[0].facts.items() if _is_of_a_row(name)}
        parts = [f"{arm}, {backbone}" if several else arm, _differing(own, twins)]
        arms.append(TrainedArm(", ".join(filter(None, parts)), tuple(sorted(members, key=lambda run: run.seed))))
    return tuple(arms)


def _differing(own: Mapping[str, Any], all_of_them: Sequence[Mapping[str, Any]]) -> str:
    """Return ``own``'s values of whatever is not the same in all of them, as text."""
    flat = [_flatten(item) for item in all_of_them]
    mine = _flatten(own)
    names = sorted({name for item in flat for name in item})
    different = [name for name in names if len({canonical_json(item.get(name)) for item in flat}) > 1]
    return ", ".join(f"{name} {mine.get(name, 'default')}" for name in different)


def _flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        flat |= _flatten(item, f"{prefix}{name}.") if isinstance(item, Mapping) else {f"{prefix}{name}": item}
    return flat
