"""Jobs on a Ray cluster; one that loses its worker or its whole machine is run again, elsewhere if need be.

Every machine of the cluster must have the same versions of occbench and what it needs as the driver (each task checks
it, because the output would differ), and must see the files that jobs read and write under the same paths. Ray sends
jobs between machines as pickles, as any such system does: run it in a network that you trust.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from occbench.core.errors import ConfigError, OccbenchError, WorkerError
from occbench.core.interfaces import Executor, Item, Result
from occbench.core.messages import one_line
from occbench.engine.cluster_task import Facts, run_task

__all__ = ["RayExecutor"]

_log = logging.getLogger(__name__)

#: Seconds between two looks at how many tasks the cluster takes: machines come and go.
_COUNT_S: Final = 5.0
#: Seconds without any task done or running before the reason is said.
_SILENCE_S: Final = 30.0
#: Seconds that cancelled tasks have to end in.
_STOP_S: Final = 20.0
#: Seconds that a cluster's address may take to answer.
_KNOCK_S: Final = 10.0


@dataclass(frozen=True)
class RayExecutor(Executor):
    """Runs jobs as tasks of a Ray cluster. A connection that the program has is used; one made here stays open.

    Attributes:
        address: ``auto`` finds the cluster that this machine belongs to (or ``RAY_ADDRESS`` names), ``HOST:PORT`` one
            in the same network, ``ray://HOST:PORT`` one through its client server, ``local`` starts one here.
        workers: at most so many tasks at the same time; 0 as many as the cluster takes.
        cpus: processors that a task keeps busy.
        gpu: whether jobs work with a network: where the cluster has GPUs, each task gets one for itself.
        tries: how often one item may lose its worker before the run stops.
    """

    address: str = "auto"
    workers: int = 0
    cpus: int = 1
    gpu: bool = False
    tries: int = 3

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.workers < 0 or self.cpus < 1 or self.tries < 1:
            raise ConfigError(
                "workers must be 0 or more, cpus and tries 1 or more, found "
                f"{self.workers}, {self.cpus} and {self.tries}"
            )

    def map(self, job: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """Run ``job`` on every item; see ``Executor.map``.

        Raises:
            ConfigError: Ray is not installed, there is no cluster at the address, or a machine has other versions.
        """
        if not items:
            return
        run = _Run(self, self.connect(), job, items)
        try:
            yield from run.results()
        finally:
            run.stop()

    def connect(self) -> Any:  # noqa: ANN401 - the ray module, which cannot be imported for its type
        """Connect to the cluster, unless the program is connected, and return the ``ray`` module.

        Raises:
            ConfigError: as ``map``.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody unless asked to
        try:
            import ray
        except ImportError as error:
            raise ConfigError(
                f"--engine ray needs Ray ({error}): pip install 'occbench[ray]', here and on every machine of the "
                "cluster; or leave --engine out."
            ) from error
        if not ray.is_initialized():
            address = (os.environ.get("RAY_ADDRESS") or "auto") if self.address == "auto" else self.address
            try:
                _knock(address)
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
            except (OSError, RuntimeError, ValueError, ImportError) as error:
                raise ConfigError(
                    f"no Ray cluster answers at --address {address} ({one_line(error)}). `ray start --head` starts "
                    "one here, `ray start --address HOST:PORT` adds a machine; --address local needs neither."
                ) from error
        return ray

    def places(self) -> list[int]:
        """Return how many tasks each machine of the cluster takes at a time; machines that take none are left out.

        Raises:
            ConfigError: as ``map``.
        """
        return _places(self, self.connect())

    def cpus_per_gpu(self) -> int:
        """Return how many processors there are for each GPU, on the machine that has fewest; 0 in a cluster without.

        Raises:
            ConfigError: as ``map``.
        """
        machines = [has for has in _machines(self.connect()) if has.get("GPU", 0) >= 1]
        return min((max(1, int(has.get("CPU", 0) // has["GPU"])) for has in machines), default=0)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at ``HOST:PORT`` or ``ray://HOST:PORT``: Ray itself would wait for ever."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


class _Run:
    """One call of ``map``: what waits, what runs, and how often each item has lost its worker."""

    def __init__(
        self,
        executor: RayExecutor,
        ray: Any,  # noqa: ANN401 - a module that cannot be imported for its type
        job: Callable[[Item], Result],
        items: Sequence[Item],
    ) -> None:
        self._executor = executor
        self._ray = ray
        self._items = items
        self._job = ray.put(job)
        self._facts = Facts.here()
        self._task = ray.remote(run_task).options(
            # tries are counted here, so that one piece of work which kills its workers does not keep the others waiting
            max_retries=0,
            num_cpus=executor.cpus,
            num_gpus=1 if executor.gpu and ray.cluster_resources().get("GPU", 0) >= 1 else 0,
        )
        self._waiting = deque(range(len(items)))
        self._lost: dict[int, int] = {}
        self._running: dict[Any, int] = {}
        self._room, self._counted_s = 0, float("-inf")
        self._heard_s = time.monotonic()

    def results(self) -> Iterator[tuple[Any, Any]]:
        given_up: list[int] = []
        while self._waiting or self._running:
            self._submit()
            done, _ = self._ray.wait([*self._running], num_returns=1, timeout=_COUNT_S)
            for ref in done:
                number = self._running.pop(ref)
                try:
                    outcome = self._ray.get(ref)
                except _losses(self._ray) as error:
                    if self._count_loss(number, error) < self._executor.tries:
                        self._waiting.append(number)
                    else:
                        given_up.append(number)
                    continue
                except self._ray.exceptions.RayTaskError as error:
                    # a bug in a job, as the job raised it where it can travel
                    raise (error.cause if isinstance(error.cause, Exception) else error) from error
                if isinstance(outcome, OccbenchError):
                    raise outcome
                yield self._items[number], outcome
            self._say_what_is_missing(bool(done))
        if given_up:
            raise WorkerError(
                f"the worker died {self._executor.tries} times on "
                f"{', '.join(str(self._items[number]) for number in given_up)}: out of memory, a crash in native code, "
                "or machines that went away. Everything else is finished and kept; run again with fewer --workers "
                "(--jobs), or leave that input out."
            )

    def stop(self) -> None:
        """End what still runs, and wait for it: nothing is written after the driver has ended."""
        for ref in self._running:
            self._ray.cancel(ref, force=True)
        if self._running:
            self._ray.wait([*self._running], num_returns=len(self._running), timeout=_STOP_S)
        self._running.clear()

    def _submit(self) -> None:
        """Keep twice as many tasks submitted as the cluster takes: one that can grow sees that there is more to do."""
        if time.monotonic() - self._counted_s > _COUNT_S:
            self._room = 2 * max(1, sum(_places(self._executor, self._ray)))
            self._room = min(self._room, self._executor.workers or self._room)
            self._counted_s = time.monotonic()
        while self._waiting and len(self._running) < self._room:
            number = self._waiting.popleft()
            ref = self._task.remote(self._job, self._items[number], self._lost.get(number, 0), self._facts)
            self._running[ref] = number

    def _count_loss(self, number: int, error: Exception) -> int:
        self._lost[number] = self._lost.get(number, 0) + 1
        self._counted_s = float("-inf")  # a machine may be gone
        _log.warning("a worker was lost on %s (%s)", self._items[number], type(error).__name__)
        return self._lost[number]

    def _say_what_is_missing(self, heard: bool) -> None:
        """Say once in a while that no machine can take a task, which would otherwise look like a hang."""
        if heard or _places(self._executor, self._ray):
            self._heard_s = time.monotonic()
        elif time.monotonic() - self._heard_s > _SILENCE_S:
            self._heard_s = time.monotonic()
            wanted = f"{self._executor.cpus} CPUs" + (" and a GPU" if self._executor.gpu else "")
            _log.warning(
                "no machine of the Ray cluster has %s for a task; waiting for one that has. Ctrl-C stops.", wanted
            )


def _places(executor: RayExecutor, ray: Any) -> list[int]:  # noqa: ANN401
    machines = _machines(ray)
    takes_gpu = executor.gpu and any(has.get("GPU", 0) >= 1 for has in machines)
    takes = [
        int(min(has.get("CPU", 0) // executor.cpus, has.get("GPU", 0) if takes_gpu else float("inf")))
        for has in machines
    ]
    return [places for places in takes if places]


def _machines(ray: Any) -> list[dict[str, float]]:  # noqa: ANN401
    """Return what each machine of the cluster has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _losses(ray: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401
    """Return what Ray raises where a worker, its machine or its result is gone."""
    found = ray.exceptions
    return (
        found.WorkerCrashedError,
        found.NodeDiedError,
        found.LocalRayletDiedError,
        found.OutOfMemoryError,
        found.ObjectLostError,
    )
