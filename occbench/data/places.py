"""Folders behind a URL that fsspec reads (``s3://bucket/folder``): listed, fetched, and written file by file.

A file appears there whole or not at all, because object stores show what was sent only when all of it has come.
Credentials and endpoints are those of the store's own client (for S3: ``AWS_*`` variables or ``~/.aws``).
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from occbench.core.canonical import fingerprint
from occbench.core.errors import StorageError
from occbench.core.files import locked, whole_file, write_bytes
from occbench.core.messages import one_line

__all__ = ["Place", "cache_folder", "fetch_folder", "is_url"]

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.DOTALL)
#: A name below a place that may become a file below a folder: nothing hidden, no way up, no root.
_INSIDE: Final = re.compile(r"[^/\\.\0][^/\\\0]*(/[^/\\.\0][^/\\\0]*)*")
#: How long one process waits for another that fetches the same folder, seconds.
_PATIENCE_S: Final = 12 * 3600.0
#: Packages whose errors mean that a store cannot be reached or refuses.
_CLIENTS: Final = frozenset(
    {"botocore", "aiobotocore", "s3fs", "aiohttp", "gcsfs", "adlfs", "azure", "huggingface_hub"}
)


def is_url(text: str | Path) -> bool:
    """Return whether a text names a place behind a URL rather than a local file or folder."""
    return isinstance(text, str) and bool(_URL.fullmatch(text))


@dataclass(frozen=True)
class Place:
    """A folder behind a URL; every method raises StorageError, in one line, for what the store refuses.

    Attributes:
        url: such as ``s3://bucket/folder``.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def sizes(self) -> dict[str, int]:
        """Return the bytes of every file below the place, by its name relative to it."""
        return {name: int(facts["size"] or 0) for name, facts in self._listing().items()}

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        return self.read_all([name]).get(name)

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the content of those files that are there."""
        with self._opened("read") as (store, root):
            paths = [f"{root}/{name}" for name in names]
            found = store.cat(paths, on_error="return") if paths else {}
            content = {path: value for path, value in found.items() if not isinstance(value, FileNotFoundError)}
            for value in content.values():
                if isinstance(value, Exception):
                    raise value
            return {path.removeprefix(f"{root}/"): bytes(value) for path, value in content.items()}

    def send(self, file: Path, name: str) -> None:
        """Write a local file there; it appears when all of it has come."""
        with self._opened("write") as (store, root):
            store.put_file(str(file), f"{root}/{name}")

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""
        with self._opened("write") as (store, root):
            store.pipe_file(f"{root}/{name}", content)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        with self._opened("write") as (store, root):
            if paths := [f"{root}/{name}" for name in names]:
                store.rm(paths)

    def fetch(self, name: str, file: Path) -> None:
        """Copy a file to a local path, whole or not at all."""
        with whole_file(file) as temporary, self._opened("read") as (store, root):
            store.get_file(f"{root}/{name}", str(temporary))

    def fetch_missing(self, sizes: Mapping[str, int], folder: Path) -> None:
        """Copy files into a folder, but for those that are there in their size.

        Args:
            sizes: of the files by name, as ``sizes`` returns them.
            folder: a local one.

        Raises:
            StorageError: a name is none that a file may have, too.
        """
        for name, size in sizes.items():
            if not _INSIDE.fullmatch(name):
                raise StorageError(f"{self.url} has an object of the name {name!r}, which cannot be a file. Remove it.")
            file = folder / name
            if not file.is_file() or file.stat().st_size != size:
                self.fetch(name, file)

    def _listing(self) -> dict[str, dict[str, Any]]:
        with self._opened("read") as (store, root):
            store.invalidate_cache()
            if self.url.startswith("s3://"):  # of a bucket that is not there, s3fs finds no files and says nothing
                store.call_s3("head_bucket", Bucket=root.partition("/")[0])
            found = store.find(root, detail=True)
            return {
                path.removeprefix(f"{root}/"): facts
                for path, facts in sorted(found.items())
                if facts["type"] == "file" and path.startswith(f"{root}/") and not path.endswith("/")
            }

    @contextmanager
    def _opened(self, doing: str) -> Iterator[tuple[Any, str]]:
        """Yield the store's file system and the place's path in it."""
        try:
            import fsspec

            store, root = fsspec.core.url_to_fs(self.url)
            yield store, root.rstrip("/")
        except StorageError:
            raise
        except Exception as error:
            reason = _explain(error, self.url)
            if reason is None:
                raise
            raise StorageError(f"cannot {doing} {self.url}: {reason}") from error


def fetch_folder(url: str) -> Path:
    """Fetch everything below a URL and return the local folder; a listing that was fetched before is not again.

    Raises:
        StorageError: the place cannot be read, or has no files.
    """
    place = Place(url)
    facts = place._listing()
    if not facts:
        raise StorageError(f"there is nothing at {url}. Check bucket and folder.")
    known = [[name, item["size"], str(item.get("ETag", item.get("LastModified", "")))] for name, item in facts.items()]
    folder = cache_folder([url, known])
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock"), f"another process is fetching {url} into {folder}.", _PATIENCE_S):
        done = folder.with_suffix(".done")
        if not done.is_file():
            place.fetch_missing({name: int(item["size"]) for name, item in facts.items()}, folder)
            write_bytes(done, b"")
    return folder


def cache_folder(what: object) -> Path:
    """Return a folder of the user's cache for something that JSON can name.

    It lies below ``OCCBENCH_CACHE``, by default ``~/.cache/occbench``, and may be deleted at any time.
    """
    given = (
        os.environ.get("OCCBENCH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "occbench"
    )
    return Path(given) / fingerprint(what, 24)


def _explain(error: Exception, url: str) -> str | None:
    """Say what an error of a store's client means and what to do; None where it is no such error."""
    scheme = url.partition(":")[0]
    if isinstance(error, ImportError):
        extra = "'occbench[s3]'" if scheme == "s3" else "the package that fsspec names"
        return f"{one_line(error)}. pip install {extra} brings what reads {scheme}:// addresses."
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket or folder. Check the name."
    if isinstance(error, PermissionError):
        return f"the store refuses ({one_line(error)}). Check the credentials, and that they may do this there."
    name = type(error).__name__
    if "Credential" in name or "Token" in name:
        return f"{one_line(error)}. Give credentials as the store's own client takes them (AWS_ACCESS_KEY_ID, ~/.aws)."
    if type(error).__module__.partition(".")[0] in _CLIENTS or isinstance(error, ConnectionError | TimeoutError):
        return f"the connection failed ({name}: {one_line(error)}). Check the network and the endpoint, then run again."
    if isinstance(error, OSError | ValueError):
        return f"{one_line(error)}."
    return None
