"""Files that appear whole or not at all, and errors of the disk in plain words."""

import errno
import fcntl
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from occbench.core.errors import StorageError

__all__ = [
    "PART_SUFFIX",
    "hash_file",
    "locked",
    "process_name",
    "readable_json",
    "remove_partial_files",
    "storage_errors",
    "whole_file",
    "write_bytes",
    "write_json",
]

#: Temporary names end in this; whatever carries it after a crash is garbage.
PART_SUFFIX = ".part"

#: What a place where nothing can be written answers.
_REFUSALS = frozenset(
    (
        *(errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    )
)

#: What a file system without locks answers.
_LOCKLESS = frozenset((errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK))
#: Between two looks whether a lock is free, seconds.
_LOOK_AGAIN_S = 0.5


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed to disk and renamed, on error removed.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{process_name()}{PART_SUFFIX}")
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):  # cleaning up must not hide the error that made it necessary
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def readable_json(value: object) -> bytes:
    """Return ``value`` as JSON for people: sorted keys, two spaces, final newline, UTF-8."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as ``readable_json``, whole or not at all."""
    write_bytes(path, readable_json(value))


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_partial_files(folder: Path) -> int:
    """Delete what a killed writer left anywhere under ``folder``; return how many files that were."""
    leftovers = list(folder.rglob(f"*{PART_SUFFIX}"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


@contextmanager
def locked(file: Path, refusal: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file while the block runs, alone among all processes; the lock dies with its process.

    Machines that share a folder keep each other out where its file system passes locks on (NFS from version 4).

    Args:
        file: is made if absent; its folder must be there.
        refusal: the error's text where another process holds it.
        patience_s: how long to wait for a holder that may be gone already, seconds.

    Raises:
        StorageError: another process holds it, the file system knows no locks, or the file cannot be written.
    """
    with storage_errors(file.parent):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, file, refusal, time.monotonic() + patience_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path, refusal: str, end_s: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end_s:
                raise StorageError(refusal) from error
            time.sleep(_LOOK_AGAIN_S)
        except OSError as error:
            if error.errno not in _LOCKLESS:
                raise
            raise StorageError(
                f"the file system of {file.parent} knows no locks ({error.strerror}), so two runs could mix in it. "
                "Mount it with locks (NFS version 4, Lustre with -o flock), or choose another folder."
            ) from error
        else:
            return


def process_name() -> str:
    """Return a name of this process for files: processes of machines that share a folder may have the same number."""
    machine = "".join(letter if letter.isalnum() else "-" for letter in platform.node()[:32])
    return f"{machine}-{os.getpid()}"


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the disk's own errors into one clear line about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(
                f"no space left while writing {path}: everything finished so far is kept. "
                "Free some space (or lower --limit) and run the same command again."
            ) from error
        if error.errno in _REFUSALS or _concerns(error, path):
            raise StorageError(
                f"cannot write {path}: {error.strerror}. Choose a folder that you may write, then run again."
            ) from error
        raise


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error names the path, a folder above it or a file below it: ``/proc`` says ENOENT where it refuses."""
    if not isinstance(error.filename, str | os.PathLike):
        return False
    named = Path(error.filename)
    return named in (path, *path.parents) or path in named.parents


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; some file systems (network shares) do not offer it, which loses nothing but durability."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
