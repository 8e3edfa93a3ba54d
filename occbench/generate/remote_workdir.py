"""The output at a URL: every shard is made in a local folder and sent whole, the manifest last.

A shard counts as finished when its report is there, which is sent after its files, and its files have the sizes that
the report says. There is no lock: two runs of the same recipe at the same URL write the same bytes twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from occbench.core.errors import ConfigError, StorageError
from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER
from occbench.data.manifest import Manifest, parse_manifest
from occbench.data.places import Place
from occbench.generate.make_shard import make_shard
from occbench.generate.plan import Plan
from occbench.generate.shard import Shard, ShardReport
from occbench.generate.workdir import PLAN_FILE, Workdir, plan_note, planned_fingerprint, refuse_other

__all__ = ["RemoteWorkdir"]

_PLAN: str = f"{WORK_FOLDER}/{PLAN_FILE}"


@dataclass(frozen=True)
class _MakeAndSend:
    """The job of a shard, on any machine that reaches the URL.

    Attributes:
        place: where shards go.
        scratch: the driver's temporary folder, which goes when the driver does; other machines take one of their own.
    """

    place: Place
    scratch: Path

    def __call__(self, shard: Shard) -> ShardReport:
        near = self.scratch if self.scratch.is_dir() else None
        with TemporaryDirectory(prefix="occbench-shard-", dir=near, ignore_cleanup_errors=True) as folder:
            local = replace(shard, directory=Path(folder))
            report = make_shard(local)
            for file in report.files:
                self.place.send(local.directory / file.path, file.path)
            self.place.send(local.report_file, _report_name(shard))
        return report


class RemoteWorkdir(Workdir):
    """A dataset at a URL while it is being made."""

    def __init__(self, url: str, planned: Plan) -> None:
        """Remember URL and plan; nothing is touched yet.

        Raises:
            ConfigError: a place where every file is a commit.
        """
        if url.startswith("hf://"):
            raise ConfigError(
                f"--out {url}: on the Hub every file sent alone is a commit, and there may be some hundred a day. "
                "Generate into a folder or s3://, then `occbench publish` it, which sends many files a commit."
            )
        self._place = Place(url.rstrip("/"))
        self._plan = planned
        self._folder = self._scratch = Path()

    @property
    def complete(self) -> bool:
        """See ``Workdir.complete``."""
        content = self._place.read(MANIFEST_FILE)
        if content is None:
            return False
        found = parse_manifest(content, f"{self._place}/{MANIFEST_FILE}").dataset_fingerprint
        refuse_other(str(self._place), self._plan, found, "a finished dataset")
        self._remove_progress()
        return True

    def manifest(self) -> Manifest:
        """See ``Workdir.manifest``."""
        return parse_manifest(self._place.read(MANIFEST_FILE) or b"", f"{self._place}/{MANIFEST_FILE}")

    @contextmanager
    def claimed(self) -> Iterator[Path]:
        """Make the URL ours; yield a local folder for what belongs to the whole dataset, which ``close`` sends.

        Raises:
            DatasetError: an unfinished run of another recipe, source or limit.
            StorageError: other files are there, or it cannot be written.
        """
        names = self._place.sizes().keys()
        if _PLAN in names:
            if any(not name.startswith(f"{WORK_FOLDER}/") for name in names):
                found = planned_fingerprint(self._place.read(_PLAN) or b"")
                refuse_other(str(self._place), self._plan, found, "an unfinished run")
        elif names:
            raise StorageError(
                f"{self._place} is not empty and is no occbench dataset: it has {len(names)} files, {min(names)} among "
                "them. Choose another --out; nothing in it was touched."
            )
        self._place.write(_PLAN, plan_note(self._plan))
        with TemporaryDirectory(prefix="occbench-out-", ignore_cleanup_errors=True) as folder:
            self._folder, self._scratch = Path(folder, "whole"), Path(folder, "shards")
            self._folder.mkdir()
            self._scratch.mkdir()
            yield self._folder

    def finished(self, shards: Sequence[Shard]) -> dict[int, ShardReport]:
        """See ``Workdir.finished``; files count as there when they have their size."""
        sizes = self._place.sizes()
        wanted = {_report_name(shard): shard.number for shard in shards if _report_name(shard) in sizes}
        found = {}
        for name, content in self._place.read_all(wanted).items():
            try:
                report = ShardReport.model_validate_json(content)
            except ValidationError:
                continue  # it is made again
            if all(sizes.get(file.path) == file.bytes for file in report.files):
                found[wanted[name]] = report
        return found

    @property
    def job(self) -> _MakeAndSend:
        """See ``Workdir.job``."""
        return _MakeAndSend(self._place, self._scratch)

    def close(self) -> None:
        """See ``Workdir.close``."""
        names = sorted(path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*") if path.is_file())
        for name in [name for name in names if name != MANIFEST_FILE] + [MANIFEST_FILE]:
            self._place.send(self._folder / name, name)
        self._remove_progress()

    def _remove_progress(self) -> None:
        self._place.remove(name for name in self._place.sizes() if name.startswith(f"{WORK_FOLDER}/"))


def _report_name(shard: Shard) -> str:
    return shard.report_file.relative_to(shard.directory).as_posix()
