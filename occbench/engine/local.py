"""Jobs on local processes; a worker that dies is replaced and its piece of work tried again."""

import logging
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from occbench.core.errors import ConfigError, WorkerError
from occbench.core.interfaces import Executor, Item, Result
from occbench.core.worker import become_worker

__all__ = ["LocalExecutor"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalExecutor(Executor):
    """Runs jobs in ``workers`` processes of this machine.

    Attributes:
        workers: number of processes; 0 runs in the calling process (for notebooks and debugging: nothing then protects
            the run from a crash in native code).
        tries: how often one item may lose its worker before the run stops.
    """

    workers: int = 0
    tries: int = 3

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.workers < 0 or self.tries < 1:
            raise ConfigError(f"workers must be 0 or more and tries 1 or more, found {self.workers} and {self.tries}")

    def map(self, job: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """Run ``job`` on every item; see ``Executor.map``."""
        if self.workers == 0:
            yield from ((item, job(item)) for item in items)
            return
        waiting = dict.fromkeys(range(len(items)), 0)  # item number -> workers lost on it
        while queue := self._queue(waiting):
            yield from self._one_pool(job, items, waiting, queue)
        if waiting:
            raise WorkerError(
                f"the worker died {self.tries} times on {', '.join(str(items[number]) for number in waiting)}: out of "
                "memory, or a crash in native code. Everything else is finished and kept; run again with fewer "
                "--workers (--jobs), or leave that input out."
            )

    def _queue(self, waiting: dict[int, int]) -> list[int]:
        """Return what one pool should work on; empty when nothing is left that may still be tried."""
        # An item that has lost a worker waits until all others are done, then runs alone: it cannot take its
        # neighbours' tries with it, and they are finished even if it never will be.
        untouched = [number for number, lost in waiting.items() if not lost]
        return untouched or [number for number, lost in waiting.items() if lost < self.tries][:1]

    def _one_pool(
        self, job: Callable[[Item], Result], items: Sequence[Item], waiting: dict[int, int], queue: Sequence[int]
    ) -> Iterator[tuple[Item, Result]]:
        """Work through ``queue`` until it is empty or a worker dies; finished items leave ``waiting``."""
        pool = ProcessPoolExecutor(
            max_workers=min(self.workers, len(queue)),
            mp_context=multiprocessing.get_context("spawn"),  # fork copies threads' locks, which deadlocks pyarrow
            initializer=_start_worker,
        )
        running: dict[Future[Result], int] = {}
        try:
            for number in queue:
                with _interrupts_held():
                    running[pool.submit(job, items[number])] = number
                if len(running) >= 2 * self.workers:  # a short queue, so that an error or Ctrl-C stops at once
                    yield from self._finished(running, items, waiting)
            while running:
                yield from self._finished(running, items, waiting)
            # workers that have nothing left to do tidy up after themselves (semaphores of libraries); others are ended
            pool.shutdown()
        except BrokenProcessPool:
            self._count_loss([*running.values()], items, waiting)
        finally:
            _stop(pool)

    def _finished(
        self, running: dict[Future[Result], int], items: Sequence[Item], waiting: dict[int, int]
    ) -> Iterator[tuple[Item, Result]]:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            result = future.result()
            number = running.pop(future)
            del waiting[number]
            yield items[number], result

    def _count_loss(self, lost: Sequence[int], items: Sequence[Item], waiting: dict[int, int]) -> None:
        for number in lost[: self.workers]:
            waiting[number] += 1
            _log.warning("a worker process died, perhaps on %s", items[number])


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a worker starts, which inherits that: it is for the driver, and would end the worker."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    # a name ends in the process's number among its parent's children, from 1, after those of its parents where they
    # are children themselves: SpawnProcess-3, SpawnProcess-1:3 [multiprocessing.Process.name]
    become_worker(int(re.split("[-:]", multiprocessing.current_process().name)[-1]) - 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the driver, which stops the workers
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    """End this worker when its driver is gone (kill -9): it would write into a directory that a new run has taken."""
    if driver := multiprocessing.parent_process():
        driver.join()
        os._exit(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now; what they were writing never appears, because files are written whole or not at all."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()  # does nothing to one that has just died by itself
    for process in processes:
        process.join()
