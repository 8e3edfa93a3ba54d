"""Cells as independent jobs: in this process, or in several of them, each with its share of the machine.

A job's predictions do not depend on the others. On the CPU they are bit-equal for any number of jobs whose number of
threads is the same, because the order of a sum depends on how many threads share it and on nothing else.
"""

import platform
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.batches.ranks import rank_and_size
from occbench.bench.images.materials import Materials, load_materials
from occbench.bench.images.memory import memory_bytes
from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.measures.records import Record
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.protocol.cell import Cell
from occbench.bench.running.journal import journal
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import finished_records, run_cell, trained
from occbench.bench.running.tracking import tracked
from occbench.bench.scoring.precision import check_half_width
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, StorageError
from occbench.core.interfaces import Executor
from occbench.core.run_folder import RunFolder
from occbench.core.worker import worker_number

__all__ = ["Request", "Workplace", "first_jobs", "run_cells"]

#: Activations that one process keeps; the jobs of a machine share its memory.
_CACHE_BYTES = 6 * 10**9


@dataclass(frozen=True)
class Request:
    """What all cells of one command share; it travels to worker processes.

    Attributes:
        benchmark: what is compared.
        source: path that the benchmark's source reads.
        test_images: at most so many test images; None takes all.
        runs: folder of all runs.
        half_width: of the occluded average at 95 %, a share, that scoring stops at; None scores everything.
        jobs: processes that run at the same time and share a machine.
        threads: CPU threads of each; 0 leaves torch's own number.
        track: module that runs are logged to, or empty.
        decoded: folder for decoded images that do not fit into memory; None keeps them in memory all the same.
        elsewhere: whether jobs may run on other machines, which must see ``runs`` and the source under the same paths.

    Raises:
        ConfigError: a number that makes no sense.
    """

    benchmark: Benchmark
    source: str
    test_images: int | None
    runs: Path
    half_width: float | None = None
    jobs: int = 1
    threads: int = 0
    track: str = ""
    decoded: Path | None = None
    elsewhere: bool = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f"--jobs needs 1 job or more, found {self.jobs}.")
        check_half_width(self.half_width)

    @property
    def apart(self) -> bool:
        """Whether jobs run in other processes than the caller's."""
        return self.elsewhere or self.jobs > 1

    @property
    def cache_bytes(self) -> int:
        """Memory that each job may keep activations in."""
        return _CACHE_BYTES // self.jobs

    def open(self, on_decoded: Callable[[int, int], None] = lambda _more, _total: None) -> Materials:
        """Draw the split; nothing is decoded yet.

        Args:
            on_decoded: as for ``PixelStore``.

        Raises:
            ConfigError: the source does not fit the benchmark.
        """
        store = PixelStore(self.decoded, memory_bytes() // 2 // self.jobs, on_decoded)
        return load_materials(self.benchmark, self.benchmark.source_at(self.source), self.test_images, store)


@dataclass(frozen=True, eq=False)
class Workplace:
    """What the jobs of one process share: images, and activations of frozen stages."""

    materials: Materials
    cache: ActivationCache


@dataclass(frozen=True)
class _Job:
    """One cell to run, or only to train.

    Attributes:
        request: of the command.
        cell: which one.
        listener: told about progress.
        only_train: of warm-ups, which are not scored.
        workplace: of this process; None opens the worker's own.
        meeting: a folder in ``request.runs`` that must be seen where the job runs; None asks for none.
    """

    request: Request
    cell: Cell
    listener: Listener
    only_train: bool = False
    workplace: Workplace | None = None
    meeting: Path | None = None

    def __str__(self) -> str:
        return f"{self.cell.arm_name} {self.cell.backbone} seed {self.cell.seed}"


def run_cells(
    request: Request, todo: Sequence[Cell], executor: Executor, listener: Listener, here: Workplace
) -> Generator[tuple[Cell, list[Record]], None, None]:
    """Train and score cells, or what is missing of them, and yield each with its records: finished ones first.

    Args:
        request: of the command; with several jobs, each process opens its own images.
        todo: the cells.
        executor: where jobs run: ``request.jobs`` processes, this one where that is 1, or a cluster.
        listener: told about progress.
        here: images and activations of this process.

    Raises:
        WorkerError: a worker process kept dying on a cell. The others are finished.
        OccbenchError: as ``run_cell``; finished cells are kept.
    """
    left = []
    for cell in todo:
        records = finished_records(cell, here.materials, request.runs, request.half_width)
        if records is None:
            left.append(cell)
        else:
            yield cell, records
    if not request.apart:
        jobs = [_Job(request, cell, listener, workplace=here) for cell in left]
        yield from ((job.cell, records) for job, records in executor.map(_run, jobs))
    elif left:
        yield from _run_apart(request, left, executor, listener)


def _run_apart(
    request: Request, left: Sequence[Cell], executor: Executor, listener: Listener
) -> Iterator[tuple[Cell, list[Record]]]:
    starts = first_jobs(left, request.runs)
    with journal([*starts, *left], listener, request.runs if request.elsewhere else None) as told:
        meeting = told.folder if request.elsewhere else None
        # arms that start from the same warm-up must not train it at the same time
        first = [_Job(request, cell, told.writer, only_train=True, meeting=meeting) for cell in starts]
        for _ in executor.map(_run, first):
            told.drain()
        for job, records in executor.map(_run, [_Job(request, cell, told.writer, meeting=meeting) for cell in left]):
            told.drain()
            yield job.cell, records


def first_jobs(todo: Sequence[Cell], runs: Path) -> list[Cell]:
    """Return the warm-ups that cells start from and that are not trained yet, each once."""
    found = {start.fingerprint: start for cell in todo if (start := cell.warm_up) is not None}
    return [start for name, start in found.items() if not RunFolder(runs / name).checkpoint.is_file()]


def _run(job: _Job) -> list[Record]:
    request, cell = job.request, job.cell
    if job.meeting is not None and not job.meeting.is_dir():
        raise StorageError(
            f"the machine {platform.node()} does not see the folder of runs {request.runs}. Give --runs a folder that "
            "all machines of the cluster share under the same path."
        )
    place = job.workplace or _worker_place(request)
    if request.threads:
        torch.set_num_threads(request.threads)
    device = take_device()
    try:
        with tracked(job.listener, request.track) as listener:
            if job.only_train:
                trained(cell, place.materials, request.runs, place.cache, listener, device)
                return []
            return run_cell(cell, place.materials, request.runs, place.cache, listener, request.half_width)
    except torch.OutOfMemoryError as error:
        raise ConfigError(
            f"{job}: the GPU's memory is full. Lower train.batch_size (--set) or --jobs, then run again; what is "
            "finished is kept."
        ) from error


#: A worker process's own images and activations: its next jobs find them open.
_opened: dict[str, Workplace] = {}


def _worker_place(request: Request) -> Workplace:
    name = fingerprint([request.benchmark.model_dump(mode="json"), request.source, request.test_images])
    if name not in _opened:
        materials = request.open()
        materials.decode()
        _opened.clear()
        _opened[name] = Workplace(materials, ActivationCache(request.cache_bytes))
    return _opened[name]


def take_device() -> torch.device:
    """Return the device of this process: workers take the GPUs in turn."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if rank_and_size()[1] == 1:  # several processes of one cell have their devices already
        torch.cuda.set_device(worker_number() % torch.cuda.device_count())
    return torch.device("cuda")
