"""How much memory this process may use: the machine's, or its container's where that is less."""

import os
from pathlib import Path
from typing import Final

__all__ = ["memory_bytes"]

#: Limits of a container, under control groups version 2 and version 1.
_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """Return the bytes of physical memory, or the container's limit where it is lower."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [int(text) for file in _LIMITS if file.is_file() and (text := file.read_text().strip()).isdecimal()]
    return min(physical, *limits) if limits else physical
