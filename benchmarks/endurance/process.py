"""What this process holds, as Linux tells it: memory, open files, threads, children, and what it leaves on the disk."""

import gc
import os
from collections.abc import Collection
from pathlib import Path

__all__ = ["children", "entries", "holdings", "processor_s", "shared_memory_of"]

_SELF = Path("/proc/self")
_SHARED_MEMORY = Path("/dev/shm")


def holdings() -> dict[str, int]:
    """Return memory in kB and numbers of what is open or running.

    Resident memory counts pages of files, which come and go with what else runs on the machine, as does what is unique
    to this process; anonymous memory is what was allocated. Objects are those that the collector of cycles knows.
    """
    gc.collect()
    status = _table(_SELF / "status")
    rollup = _table(_SELF / "smaps_rollup")
    return {
        "rss_kb": rollup["Rss"],
        "peak_rss_kb": status["VmHWM"],
        "uss_kb": rollup["Private_Clean"] + rollup["Private_Dirty"],
        "anonymous_kb": rollup["Anonymous"],
        "python_objects": len(gc.get_objects()),
        "open_files": len(list((_SELF / "fd").iterdir())) - 1,  # one is the listing's own
        "threads": status["Threads"],
        "children": len(children()),
    }


def children() -> list[int]:
    """Return the process numbers of the children of every thread, finished ones that nobody waited for among them."""
    return [int(number) for task in (_SELF / "task").iterdir() for number in (task / "children").read_text().split()]


def processor_s() -> float:
    """Return the seconds of processor that this process and its finished children have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def entries(folder: Path) -> int:
    """Return the number of files and folders below a folder."""
    return sum(1 for _ in folder.rglob("*"))


def shared_memory_of(processes: Collection[int]) -> int:
    """Return the number of entries of shared memory that carry the number of one of these processes in their name."""
    names = [entry.name for entry in _SHARED_MEMORY.iterdir()] if _SHARED_MEMORY.is_dir() else []
    return sum(1 for name in names if {*map(str, processes)} & {*name.replace("-", "_").split("_")})


def _table(file: Path) -> dict[str, int]:
    """Read lines ``Name:  number kB``; others are passed over."""
    lines = [line.split() for line in file.read_text().splitlines()]
    return {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}
