"""Finished runs read back: their manifests and predictions."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.bench.measures.label_outcomes import LabelOutcomes
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.scoring.label_predictions import read_label_outcomes
from occbench.bench.scoring.partial import read_part
from occbench.bench.scoring.predictions import read_outcomes
from occbench.bench.tables.stored_conditions import in_table_order, stored_conditions
from occbench.core.errors import DatasetError
from occbench.core.run_folder import RunFolder, run_folders
from occbench.core.tasks import Task, stored_task
from occbench.core.types import CLEAN, Condition

__all__ = ["FinishedRun", "find_runs"]

_NEEDED: Final = (
    "fingerprint", "benchmark", "arm", "facts", "test_set", "test_images", "device", "train_s", "score_s",
    "images_per_s",
)  # fmt: skip


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
        """What was scored where ``--half-width`` left cells out, as the manifest has it; otherwise empty."""
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
        return RunFolder(self.folder).scores(str(self.manifest["test_set"]))


def find_runs(folder: Path) -> tuple[list[FinishedRun], list[Path]]:
    """Return the finished runs of a folder, and the directories of those that have begun and not finished.

    A model that was scored into two directories (``occbench score --out``) is one run: the one with more scored.

    Raises:
        DatasetError: no finished run, or a manifest that is not one.
    """
    homes = run_folders(folder)
    manifests = [(home.path, home.read_manifest(_NEEDED)) for home in homes]
    finished = _each_once(FinishedRun(path, manifest) for path, manifest in manifests if manifest is not None)
    begun = [home.path for home in homes if home.begun]
    if not finished:
        found = f"{len(begun)} unfinished" if begun else "none"
        raise DatasetError(
            f"{folder}: a report needs a finished run, found {found}. "
            f"Run `occbench run-benchmark NAME --runs {folder}` to the end, then ask again."
        )
    return finished, begun


def _each_once(runs: Iterable[FinishedRun]) -> list[FinishedRun]:
    found: dict[tuple[str, str], FinishedRun] = {}
    for run in runs:
        name = str(run.manifest["fingerprint"]), str(run.manifest["test_set"])
        other = found.get(name)
        if other is None or _scored_cells(run) > _scored_cells(other):
            found[name] = run
    return list(found.values())


def _scored_cells(run: FinishedRun) -> float:
    return run.part["estimate"]["n_cells"] if run.part else math.inf
