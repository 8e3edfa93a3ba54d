"""The output in a directory: locked while a run works in it, its finished shards hashed again before they count."""

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from occbench.core.errors import StorageError
from occbench.core.files import PART_SUFFIX, hash_file, locked, remove_partial_files, storage_errors, write_bytes
from occbench.data.layout import MANIFEST_FILE, OVERLAYS_FOLDER, WORK_FOLDER
from occbench.data.manifest import Manifest, read_manifest
from occbench.generate.make_shard import make_shard
from occbench.generate.plan import Plan
from occbench.generate.shard import Shard, ShardReport
from occbench.generate.workdir import PLAN_FILE, Workdir, plan_note, planned_fingerprint, refuse_other

__all__ = ["LocalWorkdir"]

_LOCK_FILE: Final = "lock"


class LocalWorkdir(Workdir):
    """One dataset directory while it is being made."""

    def __init__(self, directory: Path, planned: Plan) -> None:
        """Remember directory and plan; nothing is touched yet."""
        self._directory = directory
        self._plan = planned
        self._work = directory / WORK_FOLDER

    @property
    def complete(self) -> bool:
        """See ``Workdir.complete``."""
        with storage_errors(self._directory):
            if not (self._directory / MANIFEST_FILE).is_file():
                return False
        found = read_manifest(self._directory).dataset_fingerprint
        refuse_other(str(self._directory), self._plan, found, "a finished dataset")
        shutil.rmtree(self._work, ignore_errors=True)  # left by a run that died between manifest and clean-up
        return True

    def manifest(self) -> Manifest:
        """See ``Workdir.manifest``."""
        return read_manifest(self._directory)

    @contextmanager
    def claimed(self) -> Iterator[Path]:
        """Create the directory, or take up an unfinished run of the same plan; yield it.

        Raises:
            DatasetError: an unfinished run of another recipe, source or limit.
            StorageError: other files are in it, another process is at work in it, or it cannot be written.
        """
        plan_file = self._work / PLAN_FILE
        if plan_file.is_file():
            if self._holds_shards():  # a run that failed before its first shard keeps nobody out
                found = planned_fingerprint(plan_file.read_bytes())
                refuse_other(str(self._directory), self._plan, found, "an unfinished run")
        elif self._directory.exists():
            self._refuse_foreign()
        with storage_errors(self._directory):
            self._work.mkdir(parents=True, exist_ok=True)
        with self._locked():
            remove_partial_files(self._directory)
            write_bytes(plan_file, plan_note(self._plan))
            yield self._directory

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

    @property
    def job(self) -> Callable[[Shard], ShardReport]:
        """See ``Workdir.job``."""
        return _make_claimed

    def close(self) -> None:
        """See ``Workdir.close``."""
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


def _make_claimed(shard: Shard) -> ShardReport:
    """Make a shard in a directory that the driver has claimed, perhaps on another machine."""
    if not (shard.directory / WORK_FOLDER / PLAN_FILE).is_file():
        raise StorageError(
            f"the machine {platform.node()} does not see the dataset's directory {shard.directory}. Give --out a "
            "folder that all machines of the cluster share under the same path, or s3://BUCKET/NAME."
        )
    return make_shard(shard)


def _read_report(file: Path) -> ShardReport | None:
    """Return a shard's report, or None where there is none that can be believed: the shard is then made again."""
    try:
        return ShardReport.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
