"""The worker's side of a Ray task: what its machine must have in common with the driver's, and how errors travel."""

import os
import platform
import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from occbench.core.errors import ConfigError, OccbenchError
from occbench.core.interfaces import Item, Result
from occbench.core.worker import become_worker

__all__ = ["Facts", "run_task"]


@dataclass(frozen=True)
class Facts:
    """What a task must find on its machine.

    Attributes:
        folder: the driver's working directory, which relative paths start from.
        versions: package -> version.
        machine: the driver's name, for messages.
    """

    folder: str
    versions: Mapping[str, str]
    machine: str

    @staticmethod
    def here() -> "Facts":
        """Return what the driver has."""
        return Facts(str(Path.cwd()), _versions(), socket.gethostname())


def run_task(job: Callable[[Item], Result], item: Item, lost: int, facts: Facts) -> Result | OccbenchError:
    """Do one piece of work on a machine of the cluster; our own errors are a result, so that they travel unchanged."""
    become_worker(0, lost)  # Ray shows a task no other GPU than its own
    try:
        _check_versions(facts)
        with suppress(OSError):  # a folder that is not here: whatever is read from it says so
            os.chdir(facts.folder)
        return job(item)
    except OccbenchError as error:
        return error


def _check_versions(facts: Facts) -> None:
    mine = _versions()
    if other := sorted(name for name in {*mine, *facts.versions} if mine.get(name) != facts.versions.get(name)):
        name = other[0]
        raise ConfigError(
            f"the machine {socket.gethostname()} has {name} {mine.get(name, 'not installed')}, the driver "
            f"{facts.machine} {facts.versions.get(name, 'not installed')}, so they would not make the same bytes. "
            "Install the same versions everywhere."
        )


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Return the versions of Python, occbench and everything that occbench needs."""
    found = {"python": platform.python_version()}
    needed = [text for text in metadata.requires("occbench") or [] if "extra ==" not in text]
    for name in ("occbench", *(re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needed)):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
