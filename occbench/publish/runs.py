"""A folder of finished benchmark runs as bundles: records and report as a dataset, checkpoints as a model."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.core.errors import DatasetError
from occbench.core.hub import RepoName
from occbench.data.readme import Markdown, front_matter, render_markdown
from occbench.publish.bundle import Bundle, HubFile, file_of, text_of
from occbench.publish.citations import OCCBENCH
from occbench.publish.run_files import HEADLINES, Run, find_runs

__all__ = ["checkpoints_bundle", "runs_bundle"]

_FOLDER: Final = Path(__file__).parent
_SEAL: Final = "runs.json"
_OURS: Final = r"runs/[0-9a-f]{16}/[\w.]+|report/[\w.]+|records\.parquet|runs\.json"
_OUR_MODELS: Final = r"[0-9a-f]{16}/[\w.]+|runs\.json"
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
        file_of(f"runs/{run.fingerprint}/{file.name}", file)
        for run in runs
        # predictions of single images and what training left behind stay at home
        for file in (run.home.manifest, run.home.records, run.home.split)
        if file.is_file()
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
        manifest, weights = run.home.manifest, run.home.checkpoint
        if not weights.is_file():
            raise DatasetError(
                f"{run.home.path} has no {weights.name}. Run the benchmark again, or leave --checkpoints out."
            )
        files.append(text_of(f"{run.fingerprint}/README.md", _model_card([run], repo, licence)))
        files.append(file_of(f"{run.fingerprint}/{manifest.name}", manifest))
        files.append(file_of(f"{run.fingerprint}/{weights.name}", weights))
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
        {"type": kind, "name": f"{name}, {record.group}", "value": record.value}
        for record in run.records
        if record.metric in HEADLINES and record.group in ("clean", "avg")
        for kind, name in (HEADLINES[record.metric],)
    ]
    dataset = {"type": run.manifest.benchmark, "name": f"{run.manifest.benchmark} (occbench)"}
    task = {"type": "image-classification"}
    name = f"{run.manifest.arm} {run.fingerprint}"
    return {"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}


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
