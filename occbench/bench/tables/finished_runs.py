"""Finished runs read back: manifests and predictions, grouped into arms and tables that may be compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.label_outcomes import LabelOutcomes
from occbench.bench.measures.outcomes import Outcomes, on_common_cells
from occbench.bench.scoring.label_predictions import read_label_outcomes
from occbench.bench.scoring.partial import read_part
from occbench.bench.scoring.predictions import read_outcomes
from occbench.bench.tables.stored_conditions import in_table_order, stored_conditions
from occbench.core.canonical import canonical_json
from occbench.core.errors import DatasetError
from occbench.core.tasks import Task, stored_task
from occbench.core.types import CLEAN, Condition

__all__ = [
    "Comparable",
    "FinishedRun",
    "TrainedArm",
    "comparable",
    "find_runs",
    "on_shared_cells",
]

_MANIFEST: Final = "manifest.json"
_NEEDED: Final = (
    "fingerprint", "benchmark", "arm", "facts", "test_set", "test_images", "device", "train_s", "score_s",
    "images_per_s",
)  # fmt: skip
#: Facts that may differ between the rows of one table; all others may not.
_OF_A_ROW: Final = frozenset({"arm", "backbone", "twins", "weights"})
#: Runs that differ in nothing else are repetitions of one row.
_OF_A_RUN: Final = frozenset({"seed"})


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """One trained and scored model.

    Attributes:
        folder: its run directory.
        manifest: the content of its ``manifest.json``.
        cells: bool[n_images, n_conditions], what to look at where that is not all that was scored.
    """

    folder: Path
    manifest: Mapping[str, Any]
    cells: NDArray[np.bool_] | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its fingerprint is made of."""
        facts: Mapping[str, Any] = self.manifest["facts"]
        return facts

    @property
    def seed(self) -> int:
        """Its training seed."""
        return int(self.facts["seed"])

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What it was scored under, clean first."""
        return in_table_order([CLEAN, *self._part_conditions]) if self.part else stored_conditions(self._scores)

    @property
    def task(self) -> Task:
        """What the labels of its images mean."""
        return stored_task(self.manifest)

    @cached_property
    def labelled(self) -> LabelOutcomes:
        """What it answered, where images have several labels."""
        rule = self.facts.get("labels", {})
        return read_label_outcomes(self._scores, self.conditions, rule.get("counting", "left_out"))

    @cached_property
    def top1(self) -> Outcomes:
        """Which cells it got right."""
        return self._outcomes("top1")

    @cached_property
    def top5(self) -> Outcomes:
        """Which cells have the right answer among its first five."""
        return self._outcomes("top5")

    @property
    def part(self) -> Mapping[str, Any]:
        """What was scored where ``--precision`` left cells out, as the manifest has it; otherwise empty."""
        part: Mapping[str, Any] = self.manifest.get("part", {})
        return part

    @property
    def _part_conditions(self) -> list[Condition]:
        return [Condition(item["name"], "", item["group"], item["parameters"]) for item in self.part["conditions"]]

    def _outcomes(self, metric: str) -> Outcomes:
        if not self.part:
            found = read_outcomes(self._scores, self.conditions, metric)
        else:
            scored = read_part(self._scores, self._part_conditions, self.part["estimate"]["n_cells"], metric)
            names = [condition.name for condition in scored.conditions]
            found = scored.in_order([names.index(condition.name) for condition in self.conditions])
        return found if self.cells is None else replace(found, seen=self.cells)

    @property
    def _scores(self) -> Path:
        return self.folder / "scores" / str(self.manifest["test_set"])


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


def find_runs(folder: Path) -> tuple[list[FinishedRun], list[Path]]:
    """Return the finished runs of a folder, and the directories of those that have begun and not finished.

    Raises:
        DatasetError: no finished run, or a manifest that is not one.
    """
    homes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    finished = [_read(home) for home in homes if (home / _MANIFEST).is_file()]
    begun = [home for home in homes if _is_unfinished(home)]
    if not finished:
        found = f"{len(begun)} unfinished" if begun else "none"
        raise DatasetError(
            f"{folder}: a report needs a finished run, found {found}. "
            f"Run `occbench run-benchmark NAME --runs {folder}` to the end, then ask again."
        )
    return finished, begun


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


def _is_unfinished(home: Path) -> bool:
    """Whether a run has begun and not finished; a trained model that is never scored is a warm-up, and complete."""
    if (home / _MANIFEST).is_file() or not (home / "train").is_dir():
        return False
    return (home / "scores").is_dir() or not (home / "checkpoint.safetensors").is_file()


def _read(home: Path) -> FinishedRun:
    path = home / _MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Delete it and run the benchmark again.") from error
    missing = [name for name in _NEEDED if name not in manifest] if isinstance(manifest, dict) else list(_NEEDED)
    if missing:
        raise DatasetError(
            f"{path} lacks {missing[0]}: it is no run of this version of occbench. Report it with the version that "
            "made it, or move it away."
        )
    return FinishedRun(home, manifest)


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
