"""A run directory: one process at a time works in it, and what its manifest says is checked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from occbench.core.canonical import canonical_json
from occbench.core.errors import DatasetError
from occbench.core.files import locked, remove_partial_files, storage_errors
from occbench.core.run_folder import RunFolder
from occbench.core.worker import takes_over

__all__ = ["LOCK_FILE", "exclusive", "stored_manifest"]

LOCK_FILE: Final = "lock"
#: How long the lock of a lost worker may outlive it, seconds: NFS servers give a silent client 90.
_PATIENCE_S: Final = 120.0


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Keep other processes out of a run directory, and clear what a killed one was writing; it is made if absent.

    The lock dies with the process. Who takes over from a worker that was lost waits for its lock.

    Raises:
        StorageError: another process is at work in it, or it cannot be written.
    """
    with storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    refusal = f"another process is training or scoring {home} right now. Wait for it or stop it, then run again."
    with locked(home / LOCK_FILE, refusal, _PATIENCE_S if takes_over() else 0.0):
        remove_partial_files(home)
        yield


def stored_manifest(home: RunFolder, own_facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the manifest of a run directory, or None where there is none yet.

    Args:
        home: the directory.
        own_facts: what the run's fingerprint is made of.

    Raises:
        DatasetError: it cannot be read, or is of another run or version.
    """
    if (found := home.read_manifest(("facts",))) is None:
        return None
    facts, mine = found["facts"], json.loads(canonical_json(own_facts))
    if facts != mine:
        other = sorted(name for name in {*facts, *mine} if facts.get(name) != mine.get(name))
        raise DatasetError(
            f"{home.manifest} was written by another version of occbench or changed by hand (other "
            f"{', '.join(other)}): move {home.path} away and run again. Nothing in it was touched."
        )
    return found
