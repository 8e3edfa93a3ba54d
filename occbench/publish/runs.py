"""A folder of finished benchmark runs as bundles: records and report as a dataset, checkpoints as a model."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from occbench.core.build import first_problems
from occbench.core.errors import DatasetError
from occbench.core.hub import RepoName
from occbench.data.readme import Markdown, front_matter, render_markdown
from occbench.publish.bundle import Bundle, HubFile, file_of, text_of
from occbench.publish.citations import OCCBENCH

__all__ = ["Run", "checkpoints_bundle", "find_runs", "runs_bundle"]

Model = TypeVar("Model", bound=BaseModel)

_RUN_NAME: Final = re.compile(r"[0-9a-f]{16}")
_FOLDER: Final = Path(__file__).parent
_MANIFEST: Final = "manifest.json"
_RECORDS: Final = "records.jsonl"
_CHECKPOINT: Final = "checkpoint.safetensors"
#: Of a run's directory; predictions of single images and what training left behind stay at home.
_KEPT: Final = (_MANIFEST, _RECORDS, "split.json")
_SEAL: Final = "runs.json"
_OURS: Final = r"runs/[0-9a-f]{16}/[\w.]+|report/[\w.]+|records\.parquet|runs\.json"
_OUR_MODELS: Final = r"[0-9a-f]{16}/[\w.]+|runs\.json"
_LARGEST_INT: Final = 2**63 - 1
_NUMBERS: Final = ("value", "low", "high")
_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("benchmark", "method", "arm", "backbone", "group", "metric", "run")),
        ("seed", pa.int64()),
        *((name, pa.float64()) for name in _NUMBERS),
        ("n", pa.int64()),
        ("part", pa.bool_()),
    ]
)


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
    """One line of ``records.jsonl``; ``bench.records`` says what the fields mean."""

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
        folder: its directory.
        manifest: what its ``manifest.json`` says, as far as cards need it.
        facts: everything that its fingerprint is made of.
        records: the lines of its ``records.jsonl``.
    """

    folder: Path
    manifest: _RunManifest
    facts: Mapping[str, Any]
    records: Sequence[_Record]

    @property
    def fingerprint(self) -> str:
        """The name of its directory."""
        return self.manifest.fingerprint

    def value(self, group: str) -> str:
        """Return its top-1 accuracy in a condition group as text with its interval, or a dash."""
        for record in reversed(self.records):
            if record.group == group and record.metric == "top1":
                known = record.low is not None and record.high is not None
                return f"{record.value:.1f} [{record.low:.1f}, {record.high:.1f}]" if known else f"{record.value:.1f}"
        return "-"


def find_runs(folder: Path) -> tuple[list[Run], int]:
    """Return the finished runs of a folder, by fingerprint, and how many are unfinished.

    Raises:
        DatasetError: there is none, or a file of one is damaged.
    """
    homes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    finished = [_read_run(home) for home in homes if (home / _MANIFEST).is_file()]
    if not finished:
        raise DatasetError(
            f"{folder} is neither a finished dataset (it has no manifest.json) nor a folder of finished runs. Give "
            "what `occbench generate --out` or `occbench run-benchmark --runs` was given."
        )
    # a warm-up has a checkpoint and is never scored
    begun = [home for home in homes if (home / "train").is_dir() and not (home / _CHECKPOINT).is_file()]
    return finished, len(begun)


def runs_bundle(folder: Path, report: Mapping[str, bytes], repo: RepoName, licence: str = "") -> Bundle:
    """Lay out a dataset repository: every run's manifest and records, all records as one table, and the report.

    Args:
        folder: of runs, as ``occbench run-benchmark`` wrote it.
        report: file name -> content of the report, ``report.md`` among them.
        repo: where it goes.
        licence: identifier of the licence.

    Raises:
        DatasetError: as ``find_runs``.
    """
    runs, unfinished = find_runs(folder)
    files = [
        file_of(f"runs/{run.fingerprint}/{name}", run.folder / name)
        for run in runs
        for name in _KEPT
        if (run.folder / name).is_file()
    ]
    files += [text_of(f"report/{name}", content) for name, content in sorted(report.items())]
    files.append(text_of("records.parquet", _records_table(runs)))
    configs = [{"config_name": "records", "data_files": "records.parquet", "default": True}]
    front = {
        "pretty_name": f"occbench runs of {', '.join(dict.fromkeys(run.manifest.benchmark for run in runs))}",
        "license": licence or "other",
        "tags": ["occlusion", "robustness", "benchmark", "occbench"],
        "configs": configs,
    }
    card = render_markdown(
        _FOLDER / "runs.md.jinja",
        front=front_matter(front),
        runs=runs,
        repo=Markdown(repo.id),
        report=Markdown(report["report.md"].decode()),
        citation=OCCBENCH,
    )
    notes = (f"{unfinished} runs are not finished and stay at home.",) if unfinished else ()
    return Bundle("dataset", (text_of("README.md", card), *files), (_seal(runs, files),), _OURS, notes)


def checkpoints_bundle(folder: Path, repo: RepoName, licence: str = "") -> Bundle:
    """Lay out a model repository: every run's weights with a card of its own, and one card for all.

    Raises:
        DatasetError: as ``find_runs``, or a run has no checkpoint.
    """
    runs, _ = find_runs(folder)
    files = []
    for run in runs:
        if not (weights := run.folder / _CHECKPOINT).is_file():
            raise DatasetError(
                f"{run.folder} has no {_CHECKPOINT}. Run the benchmark again, or leave --checkpoints out."
            )
        files.append(text_of(f"{run.fingerprint}/README.md", _model_card([run], repo, licence)))
        files.append(file_of(f"{run.fingerprint}/{_MANIFEST}", run.folder / _MANIFEST))
        files.append(file_of(f"{run.fingerprint}/{_CHECKPOINT}", weights))
    card = text_of("README.md", _model_card(runs, repo, licence))
    return Bundle("model", (card, *files), (_seal(runs, files),), _OUR_MODELS)


def _model_card(runs: Sequence[Run], repo: RepoName, licence: str) -> str:
    front = {
        "license": licence or "other",
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["occlusion", "robustness", "occbench"],
        "model-index": [_index_entry(run) for run in runs],
    }
    return render_markdown(
        _FOLDER / "model.md.jinja",
        front=front_matter(front),
        runs=runs,
        repo=Markdown(repo.id),
        name=repr(runs[0].manifest.facts.backbone),
        json=partial(json.dumps, sort_keys=True, ensure_ascii=False),
        citation=OCCBENCH,
    )


def _index_entry(run: Run) -> dict[str, Any]:
    """Return a run's numbers in the form of the Hub's results."""
    metrics = [
        {"type": "accuracy", "name": f"top-1, {record.group}", "value": record.value}
        for record in run.records
        if record.metric == "top1" and record.group in ("clean", "avg")
    ]
    dataset = {"type": run.manifest.benchmark, "name": f"{run.manifest.benchmark} (occbench)"}
    task = {"type": "image-classification"}
    name = f"{run.manifest.arm} {run.fingerprint}"
    return {"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}


def _read_run(home: Path) -> Run:
    content = _json(home / _MANIFEST, (home / _MANIFEST).read_bytes())
    manifest = _valid(_RunManifest, content, home / _MANIFEST)
    if manifest.fingerprint != home.name or not _RUN_NAME.fullmatch(home.name):
        raise DatasetError(f"{home / _MANIFEST} is not the manifest of the run {home.name}. Run the benchmark again.")
    file = home / _RECORDS
    if not file.is_file():
        raise DatasetError(f"{home} has no {_RECORDS}. Run the benchmark again; it makes only what is missing.")
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


def _records_table(runs: Sequence[Run]) -> bytes:
    rows = [record.model_dump() for run in runs for record in run.records]
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def _seal(runs: Sequence[Run], files: Sequence[HubFile]) -> HubFile:
    content = {
        "format_version": 1,
        "runs": [run.fingerprint for run in runs],
        "files": list(_entries(files)),
    }
    return text_of(_SEAL, json.dumps(content, indent=2) + "\n")


def _entries(files: Sequence[HubFile]) -> Iterator[dict[str, Any]]:
    for file in sorted(files, key=lambda item: item.path):
        yield {"path": file.path, "bytes": file.bytes, "sha256": file.sha256}
