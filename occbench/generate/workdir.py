"""The output directory: whose it is, what is finished in it, and how it is closed."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from occbench.core.errors import DatasetError, StorageError
from occbench.core.files import PART_SUFFIX, hash_file, locked, remove_partial_files, storage_errors, write_json
from occbench.data.manifest import MANIFEST, WORK_FOLDER, read_manifest
from occbench.data.overlays import OVERLAYS_FOLDER
from occbench.generate.plan import Plan
from occbench.generate.shard import Shard, ShardReport

__all__ = ["Workdir", "claimed_here"]

_PLAN_FILE = "plan.json"
_LOCK_FILE = "lock"


class Workdir:
    """One dataset directory while it is being made."""

    def __init__(self, directory: Path, planned: Plan) -> None:
        """Remember directory and plan; nothing is touched yet."""
        self._directory = directory
        self._plan = planned
        self._work = directory / WORK_FOLDER

    @property
    def complete(self) -> bool:
        """Whether the directory already holds exactly this dataset.

        Raises:
            DatasetError: it holds another dataset.
        """
        with storage_errors(self._directory):
            if not (self._directory / MANIFEST).is_file():
                return False
        self._refuse_other(read_manifest(self._directory).dataset_fingerprint, "a finished dataset")
        shutil.rmtree(self._work, ignore_errors=True)  # left by a run that died between manifest and clean-up
        return True

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the directory ours for a while: create it, or take up an unfinished run of the same plan.

        Raises:
            DatasetError: an unfinished run of another recipe, source or limit.
            StorageError: other files are in it, another process is at work in it, or it cannot be written.
        """
        plan_file = self._work / _PLAN_FILE
        if plan_file.is_file():
            if self._holds_shards():  # a run that failed before its first shard keeps nobody out
                self._refuse_other(_planned_fingerprint(plan_file), "an unfinished run")
        elif self._directory.exists():
            self._refuse_foreign()
        with storage_errors(self._directory):
            self._work.mkdir(parents=True, exist_ok=True)
        with self._locked():
            remove_partial_files(self._directory)
            write_json(
                plan_file, {"dataset_fingerprint": self._plan.dataset_fingerprint, "recipe": self._plan.recipe.name}
            )
            yield

    def finished(self, shards: Sequence[Shard]) -> dict[int, ShardReport]:
        """Return the report of every shard whose files are all there, re-hashed; a status file alone is not trusted."""
        reports = {}
        for shard in shards:
            report = _read_report(shard.report_file)
            if report is not None and all(
                (path := self._directory / file.path).is_file()
                and path.stat().st_size == file.bytes
                and hash_file(path) == file.sha256
                for file in report.files
            ):
                reports[shard.number] = report
        return reports

    def close(self) -> None:
        """Remove the progress files, after the manifest is written."""
        shutil.rmtree(self._work)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other runs out for as long as this process works here; the lock dies with the process."""
        refusal = f"another process is making {self._directory} right now. Wait for it or stop it, then run again."
        with locked(self._work / _LOCK_FILE, refusal):
            yield

    def _holds_shards(self) -> bool:
        # overlays that are stored wait in the work folder until their shard is written, hours of work among them
        gathered = (self._work / OVERLAYS_FOLDER).rglob("*")
        written = (path for path in self._directory.rglob("*") if self._work not in path.parents)
        return any(path.is_file() and path.suffix != PART_SUFFIX for path in (*gathered, *written))

    def _refuse_other(self, found: str, what: str) -> None:
        if found != self._plan.dataset_fingerprint:
            asked = "recipe, source, limit or model" if self._plan.made_by else "recipe, source or limit"
            raise DatasetError(
                f"{self._directory} holds {what} of another {asked} (fingerprint {found}, this one is "
                f"{self._plan.dataset_fingerprint}). Choose another --out, or delete that folder."
            )

    def _refuse_foreign(self) -> None:
        if not self._directory.is_dir():
            raise StorageError(f"{self._directory} is a file, not a folder. Choose another --out.")
        with storage_errors(self._directory):
            found = Counter(entry.name for entry in self._directory.iterdir() if entry.name != WORK_FOLDER)
        if found:
            raise StorageError(
                f"{self._directory} is not empty and is no occbench dataset: it has {len(found)} entries, {min(found)} "
                "among them. Choose another --out; nothing in it was touched."
            )


def claimed_here(directory: Path) -> bool:
    """Whether a run has claimed a directory, as far as this machine sees it."""
    return (directory / WORK_FOLDER / _PLAN_FILE).is_file()


def _planned_fingerprint(file: Path) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["dataset_fingerprint"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"


def _read_report(file: Path) -> ShardReport | None:
    """Return a shard's report, or None where there is none that can be believed: the shard is then made again."""
    try:
        return ShardReport.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
