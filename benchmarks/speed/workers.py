"""Two workers of `occbench generate` beside one, on this machine's processes and on Ray; what a Ray task costs; memory.

Ray runs on this machine, a cluster of one worker and one of two by turns, beside the local engine with as many
processes: that shows what is Ray's and what is the machine's. Two busy loops beside one show how much two workers
could get. Throughput is taken from where every worker has finished a shard, or nearly, to the last shard, so starting
workers does not count. Peak memory is the kernel's own high-water mark of each worker (VmHWM), read after every shard;
Linux only.
"""

import logging
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import ray

from occbench.core.interfaces import Executor
from occbench.data.recipe import Recipe
from occbench.engine.cluster import RayExecutor
from occbench.engine.local import LocalExecutor
from occbench.generate.run import Progress, generate

from .generating import FORMATS
from .photographs import copy_photos, recipe
from .settings import Settings
from .turns import Row, compare, processor_clock, quantity, wall_clock

#: Steps of the busy loop: a second or so.
_LOOP: Final = 12_000_000
_IMAGES_PER_SHARD: Final = 24


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    few, many = settings.many(500, least=24), settings.many(3000, least=48)
    scaling = settings.many(720, least=10 * _IMAGES_PER_SHARD)
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy_photos(settings.photos, max(many, scaling), folder / "photos")
        yield from _scaling(folder, scaling, min(3, settings.turns))
        for kind in ("PNG", "spliced JPEG"):
            for images in (few, many):
                peaks = _peaks_mib(recipe(**FORMATS[f"Parquet, {kind}"]), folder, images)
                what = f"peak memory of a worker, Parquet, {kind}, {images} photographs"
                yield quantity(what, peaks, "MiB", wall_clock)
    yield from _overhead(settings.many(5000, least=100), min(3, settings.turns))


def _scaling(folder: Path, images: int, turns: int) -> Iterator[Row]:
    rows = _IMAGES_PER_SHARD * len(recipe().conditions())
    what = recipe(**FORMATS["Parquet, spliced JPEG"], rows_per_shard=rows)
    seconds: dict[str, list[float]] = {}
    for _ in range(turns):
        for workers, name in ((1, "one"), (2, "two")):
            with _cluster(workers) as executor:
                seconds.setdefault(f"Ray, {name}", []).append(_variant_s(what, folder, executor, images, workers))
            local = _variant_s(what, folder, LocalExecutor(workers), images, workers)
            seconds.setdefault(f"local, {name}", []).append(local)
            seconds.setdefault(f"{name} busy", []).append(_busy_s(workers) / workers)
    for engine in ("local", "Ray"):
        yield compare(f"{engine}: two workers / one", seconds, (f"{engine}, two", f"{engine}, one"), 1, wall_clock)
    for name in ("one", "two"):
        yield compare(f"Ray / local, {name} worker(s)", seconds, (f"Ray, {name}", f"local, {name}"), 1, wall_clock)
    busy = [one / two for one, two in zip(seconds["one busy"], seconds["two busy"], strict=True)]
    yield quantity("two busy loops / one, what the processors allow", busy, "times as fast", wall_clock)


@contextmanager
def _cluster(workers: int) -> Iterator[RayExecutor]:
    """Run Ray on this machine with so many processors."""
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        object_store_memory=2 * 10**8,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    try:
        yield RayExecutor()
    finally:
        ray.shutdown()


def _variant_s(what: Recipe, folder: Path, engine: Executor, images: int, workers: int) -> float:
    """Generate once and return the seconds of a variant."""
    moments: list[tuple[float, int]] = []

    def note(progress: Progress) -> None:
        if progress.images_done:
            moments.append((time.perf_counter(), progress.images_done))

    _generate(what, folder, engine, images, note)
    # the first shards pay for imports and for preparing the patterns, the last for workers that have nothing left
    (start_s, start), (end_s, end) = moments[2 * workers - 1], moments[-workers]
    return (end_s - start_s) / ((end - start) * len(what.conditions()))


def _generate(what: Recipe, folder: Path, engine: Executor, images: int, note: Callable[[Progress], None]) -> None:
    with TemporaryDirectory(dir=folder) as out:
        photos = str(folder / "photos")
        generate(what, Path(out) / "dataset", source_path=photos, limit=images, executor=engine, on_progress=note)


def _peaks_mib(what: Recipe, folder: Path, images: int) -> list[int]:
    """Generate with two workers and return the peak memory of each."""
    peaks: dict[int, int] = {}

    def note(_: Progress) -> None:
        alive = [process.pid for process in multiprocessing.active_children() if process.pid is not None]
        peaks.update({pid: _peak_mib(pid) for pid in alive})

    _generate(what, folder, LocalExecutor(2), images, note)
    return sorted(peaks.values())


def _peak_mib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise RuntimeError(f"the kernel names no peak of process {pid}")


def _busy_s(processes: int) -> float:
    """Return how long busy loops take, so many at the same time, seconds."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(_loop, [1] * processes, chunksize=1)
        return sum(pool.map(_loop, [_LOOP] * processes, chunksize=1)) / processes


def _loop(steps: int) -> float:
    start = time.perf_counter()
    total = 0
    for number in range(steps):
        total += number
    return time.perf_counter() - start


def _nothing(number: int) -> int:
    return number


def _overhead(tasks: int, turns: int) -> Iterator[Row]:
    """Run empty tasks: what the driver's process and the clock spend on each."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with _cluster(2) as executor:
        _run_empty(executor, 100)  # workers are started after that
        found = [_run_empty(executor, tasks) for _ in range(turns)]
    driver, wall = (list(times) for times in zip(*found, strict=True))
    yield quantity("the driver's time for a task on Ray", driver, "ms", processor_clock, tasks=tasks)
    yield quantity("a task on Ray, two workers", wall, "ms", wall_clock, tasks=tasks)


def _run_empty(executor: RayExecutor, tasks: int) -> tuple[float, float]:
    """Return milliseconds a task of the driver's process, and by the clock."""
    wall, driver = wall_clock(), processor_clock()
    done = sum(1 for _ in executor.map(_nothing, range(tasks)))
    if done != tasks:
        raise RuntimeError(f"{done} results of {tasks} tasks")
    return (processor_clock() - driver) / tasks * 1e3, (wall_clock() - wall) / tasks * 1e3
