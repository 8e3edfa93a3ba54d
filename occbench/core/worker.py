"""What a worker process of a run knows: which one it is, and whether it takes over from one that was lost."""

import os
from typing import Final

__all__ = ["become_worker", "takes_over", "worker_number"]

_NUMBER: Final = "OCCBENCH_WORKER"
_LOST: Final = "OCCBENCH_LOST"


def become_worker(number: int, lost: int = 0) -> None:
    """Say that this process is worker ``number``; called by the executor that started it.

    Args:
        number: 0 or more; workers of one machine that run at the same time have consecutive ones.
        lost: how many workers were lost on the piece of work that comes next.
    """
    os.environ[_NUMBER] = str(number)
    os.environ[_LOST] = str(lost)


def worker_number() -> int:
    """Return this process's number among the workers of its machine; 0 where work is done in one process."""
    return int(os.environ.get(_NUMBER, "0"))


def takes_over() -> bool:
    """Whether the present piece of work was begun by a worker that was lost.

    On another machine nobody can tell a process that is gone from one that cannot be reached, and a file system keeps
    the locks of a lost client for a while.
    """
    return os.environ.get(_LOST, "0") != "0"
