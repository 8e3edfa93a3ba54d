"""Which worker process of a run this is, so that each can take a device of its own."""

import os
from typing import Final

__all__ = ["become_worker", "worker_number"]

_VARIABLE: Final = "OCCBENCH_WORKER"


def become_worker(number: int) -> None:
    """Say that this process is worker ``number``; called by the executor that started it.

    Args:
        number: 0 or more; workers that run at the same time have consecutive ones.
    """
    os.environ[_VARIABLE] = str(number)


def worker_number() -> int:
    """Return this process's number among the workers; 0 where work is done in one process."""
    return int(os.environ.get(_VARIABLE, "0"))
