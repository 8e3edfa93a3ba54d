"""Reading a folder of benchmark runs as far as cards and tables need it; `bench` has the full meaning of each file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from occbench.core.build import first_problems
from occbench.core.errors import DatasetError
from occbench.core.run_folder import RunFolder, run_folders

__all__ = ["HEADLINES", "Run", "find_runs"]

Model = TypeVar("Model", bound=BaseModel)

#: Metric of a record that sums a run up -> (its type on the Hub, its name); a run has one of them.
HEADLINES: Final = {"top1": ("accuracy", "top-1"), "map": ("mean_average_precision", "mAP")}
_RUN_NAME: Final = re.compile(r"[0-9a-f]{16}")
_LARGEST_INT: Final = 2**63 - 1


class _Method(BaseModel):
    name: str


class _Arm(BaseModel):
    method: _Method


class _Facts(BaseModel):
    """What cards say of a run's facts; there are more."""

    model_config = ConfigDict(extra="allow")

    arm: _Arm
    backbone: str
    seed: int


class _RunManifest(BaseModel):
    fingerprint: str
    benchmark: str
    arm: str
    facts: _Facts
    classes: list[str]


class _Record(BaseModel):
    """One line of ``records.jsonl``; ``measures.records`` says what the fields mean."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    benchmark: str
    method: str
    arm: str
    backbone: str
    group: str
    metric: str
    run: str
    seed: int | None = Field(ge=0, le=_LARGEST_INT)
    value: float
    low: float | None
    high: float | None
    n: int = Field(ge=0, le=_LARGEST_INT)
    part: bool = False


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        home: its directory.
        manifest: what its ``manifest.json`` says, as far as cards need it.
        facts: everything that its fingerprint is made of.
        records: the lines of its ``records.jsonl``.
    """

    home: RunFolder
    manifest: _RunManifest
    facts: Mapping[str, Any]
    records: Sequence[_Record]

    @property
    def fingerprint(self) -> str:
        """The name of its directory."""
        return self.manifest.fingerprint

    def value(self, group: str) -> str:
        """Return its headline metric in a condition group as text with its interval, or a dash."""
        for record in reversed(self.records):
            if record.group == group and record.metric in HEADLINES:
                known = record.low is not None and record.high is not None
                return f"{record.value:.1f} [{record.low:.1f}, {record.high:.1f}]" if known else f"{record.value:.1f}"
        return "-"


def find_runs(folder: Path) -> tuple[list[Run], int]:
    """Return the finished runs of a folder, by fingerprint, and how many are unfinished.

    Raises:
        DatasetError: there is none, or a file of one is damaged.
    """
    homes = run_folders(folder)
    finished = [_read_run(home) for home in homes if home.finished]
    if not finished:
        raise DatasetError(
            f"{folder} is neither a finished dataset (it has no manifest.json) nor a folder of finished runs. Give "
            "what `occbench generate --out` or `occbench run-benchmark --runs` was given."
        )
    return finished, sum(home.begun for home in homes)


def _read_run(home: RunFolder) -> Run:
    content = _json(home.manifest, home.manifest.read_bytes())
    manifest, name = _valid(_RunManifest, content, home.manifest), home.path.name
    if manifest.fingerprint != name or not _RUN_NAME.fullmatch(name):
        raise DatasetError(f"{home.manifest} is not the manifest of the run {name}. Run the benchmark again.")
    file = home.records
    if not file.is_file():
        raise DatasetError(f"{home.path} has no {file.name}. Run the benchmark again; it makes only what is missing.")
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    return Run(home, manifest, content["facts"], [_valid(_Record, _json(file, line), file) for line in lines])


def _valid(model: type[Model], content: Mapping[str, Any], file: Path) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DatasetError(f"{file}: {first_problems(error)}. Run the benchmark again.") from error


def _json(file: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON: {error}. Run the benchmark again.") from error
    if not isinstance(value, dict):
        raise DatasetError(f"{file} holds {type(value).__name__} where an object is needed. Run the benchmark again.")
    return value
