"""What is to lie in a repository on the Hub: its files, in the order in which they are sent, with their hashes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from occbench.core.files import hash_file

__all__ = ["Bundle", "HubFile", "file_of", "text_of", "total_bytes"]


@dataclass(frozen=True)
class HubFile:
    """One file of a repository.

    Attributes:
        path: in the repository, parts joined by ``/``.
        origin: the local file, or the content itself.
        bytes: its size.
        sha256: of its content, 64 hexadecimal digits.
    """

    path: str
    origin: Path | bytes
    bytes: int
    sha256: str

    def git_oid(self) -> str:
        """Return git's name of the content, by which the Hub knows files outside of large-file storage."""
        content = self.origin if isinstance(self.origin, bytes) else self.origin.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """The files of one repository.

    Attributes:
        kind: what the Hub calls the repository.
        files: what is sent first, in order.
        seal: what is sent last, in one commit: its presence says that the rest is there.
        ours: pattern of the paths that only we write; those of an earlier publication are removed.
        notes: what the publisher should know, a sentence each.
    """

    kind: Literal["dataset", "model"]
    files: tuple[HubFile, ...]
    seal: tuple[HubFile, ...]
    ours: str
    notes: tuple[str, ...] = ()

    @property
    def all_files(self) -> tuple[HubFile, ...]:
        """Every file, in the order in which it is sent."""
        return (*self.files, *self.seal)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return total_bytes(self.all_files)


def file_of(path: str, origin: Path, sha256: str = "") -> HubFile:
    """Describe a local file; ``sha256`` where it is known and has just been checked."""
    return HubFile(path, origin, origin.stat().st_size, sha256 or hash_file(origin))


def text_of(path: str, content: str | bytes) -> HubFile:
    """Describe a file that exists only in memory."""
    # what JSON holds may be no text (half of a surrogate pair)
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    return HubFile(path, data, len(data), hashlib.sha256(data).hexdigest())


def total_bytes(files: Iterable[HubFile]) -> int:
    """Return the size of some files."""
    return sum(file.bytes for file in files)
