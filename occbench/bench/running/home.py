"""The directory of one cell: one process at a time works in it, and what its manifest says is checked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from occbench.bench.protocol.cell import Cell
from occbench.core.canonical import canonical_json
from occbench.core.errors import DatasetError
from occbench.core.files import locked, remove_partial_files, storage_errors
from occbench.core.worker import takes_over

__all__ = ["exclusive", "stored_manifest"]

_LOCK_FILE: Final = "lock"
#: How long the lock of a lost worker may outlive it, seconds: NFS servers give a silent client 90.
_PATIENCE_S: Final = 120.0


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Keep other processes out of a cell's directory, and clear what a killed one was writing; it is made if absent.

    The lock dies with the process. Who takes over from a worker that was lost waits for its lock.

    Raises:
        StorageError: another process is at work in it, or it cannot be written.
    """
    with storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
    refusal = f"another process is training or scoring {home} right now. Wait for it or stop it, then run again."
    with locked(home / _LOCK_FILE, refusal, _PATIENCE_S if takes_over() else 0.0):
        remove_partial_files(home)
        yield


def stored_manifest(home: Path, cell: Cell) -> Mapping[str, Any] | None:
    """Return the manifest of a cell's directory, or None where there is none yet.

    Raises:
        DatasetError: it cannot be read, or is of another cell or version.
    """
    path = home / "manifest.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        facts = found["facts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is damaged ({type(error).__name__}: {error}): delete that one file and run again; predictions and "
            "weights are kept."
        ) from error
    mine = json.loads(canonical_json(cell.facts))
    if facts != mine:
        other = sorted(name for name in {*facts, *mine} if facts.get(name) != mine.get(name))
        raise DatasetError(
            f"{path} was written by another version of occbench or changed by hand (other {', '.join(other)}): move "
            f"{home} away and run again. Nothing in it was touched."
        )
    manifest: Mapping[str, Any] = found
    return manifest
