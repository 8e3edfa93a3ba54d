"""Measure `--engine ray`: how two workers compare with one, and what the driver spends on each of 10,000 tasks.

    OMP_NUM_THREADS=1 python benchmarks/speed/cluster.py --photos FOLDER [--out FILE.json]

Ray runs on this machine, one cluster of one worker and one of two by turns; the local engine with as many processes
takes its turns beside them, which shows what is Ray's and what is the machine's. Throughput is taken from the moment
that every worker has finished two shards, or nearly, to the last shard, so starting workers does not count.

On a machine that has other work, two workers get less than two processors. So each pass ends with busy loops, one alone
and two at once, which say how much they would have got; and an efficiency is given that other programs do not touch:
the share of the time that workers spend in shards (an engine that keeps them waiting loses it) times the processor time
of an image with one worker over that with two (engines whose workers hinder each other lose that).
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic

import ray
from generate import copy_photos, recipe
from machine import load, machine, tell

from occbench.core.interfaces import Executor, Item, Result
from occbench.data.recipe import Recipe
from occbench.engine.cluster import RayExecutor
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

#: Steps of the busy loop: a second or so.
_LOOP = 12_000_000


@dataclass(frozen=True)
class Metered(Executor):
    """Notes of every item what it took in its worker, and when it was done here.

    Attributes:
        engine: does the work.
        taken: (processor seconds, seconds, moment of the driver's clock) of each item, in order of completion.
    """

    engine: Executor
    taken: list[tuple[float, float, float]] = field(default_factory=list)

    def map(self, job: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """Run ``job`` on every item; see ``Executor.map``."""
        for item, (result, processor_s, wall_s) in self.engine.map(_Timed(job), items):
            self.taken.append((processor_s, wall_s, time.perf_counter()))
            yield item, result


@dataclass(frozen=True)
class _Timed(Generic[Item, Result]):
    job: Callable[[Item], Result]

    def __call__(self, item: Item) -> tuple[Result, float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        result = self.job(item)
        return result, time.process_time() - processor, time.perf_counter() - wall


def main() -> None:
    options = _options()
    result = machine()
    result["versions"]["ray"] = metadata.version("ray")
    with TemporaryDirectory() as folder:
        copy_photos(options.photos, options.images, Path(folder) / "photos")
        what = _materialised(recipe(options.bank, 224), options.images_per_shard)
        passes = [_pass(what, Path(folder), options) for _ in range(options.passes)]
    with _cluster(2) as executor:
        overhead = [_overhead(executor, options.tasks) for _ in range(options.overhead_passes)]
    result |= {
        "images": options.images,
        "images_per_shard": options.images_per_shard,
        "passes": passes,
        "efficiency_of_two_ray_workers": _median(item["ray"]["efficiency"] for item in passes),
        "efficiency_of_two_local_workers": _median(item["local"]["efficiency"] for item in passes),
        "efficiency_without_other_programs": {
            engine: _median(item[engine]["efficiency_without_other_programs"] for item in passes)
            for engine in ("ray", "local")
        },
        "efficiency_of_two_busy_loops": _median(item["busy_loop_efficiency"] for item in passes),
        "ray_over_local_with_one": _median(_ratio(item, "one") for item in passes),
        "ray_over_local_with_two": _median(_ratio(item, "two") for item in passes),
        "tasks": options.tasks,
        "overhead": overhead,
        "driver_ms_per_task": _median(item["driver_ms_per_task"] for item in overhead),
        "wall_ms_per_task": _median(item["wall_ms_per_task"] for item in overhead),
        "load_at_end": load(),
    }
    tell(result, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--bank", default="occbench-3")
    parser.add_argument("--images", type=int, default=720, help="photographs in a throughput run")
    parser.add_argument("--images-per-shard", type=int, default=24)
    parser.add_argument("--passes", type=int, default=3, help="turns of each engine with one and two workers")
    parser.add_argument(
        "--tasks", type=int, default=10_000, help="empty tasks that the driver's overhead is taken from"
    )
    parser.add_argument("--overhead-passes", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def _materialised(what: Recipe, images_per_shard: int) -> Recipe:
    rows = images_per_shard * len(what.conditions())
    update: dict[str, Any] = {"layout": "materialised", "occluded": "jpeg", "rows_per_shard": rows}
    return what.model_copy(update={"storage": what.storage.model_copy(update=update)})


def _pass(what: Recipe, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Let the engines take turns with one and two workers."""
    found: dict[str, Any] = {"ray": {}, "local": {}}
    for workers, name in ((1, "one"), (2, "two")):
        with _cluster(workers) as executor:
            found["ray"][name] = _measure(what, folder, executor, workers, options)
        found["local"][name] = _measure(what, folder, LocalExecutor(workers), workers, options)
    for engine in ("ray", "local"):
        one, two = found[engine]["one"], found[engine]["two"]
        found[engine]["efficiency"] = round(two["images_per_s"] / one["images_per_s"] / 2, 3)
        inflation = two["processor_ms_per_image"] / one["processor_ms_per_image"]
        found[engine]["efficiency_without_other_programs"] = round(two["share_in_shards"] / inflation, 3)
    alone, together = _busy_s(1), _busy_s(2)
    return found | {"busy_loop_efficiency": round(alone / together, 3), "load": load()}


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


def _measure(
    what: Recipe, folder: Path, engine: Executor, workers: int, options: argparse.Namespace
) -> dict[str, float]:
    """Generate once; return throughput, processor time and how much of the workers' time went into shards."""
    metered = Metered(engine)
    with TemporaryDirectory(dir=folder) as out:
        source = str(folder / "photos")
        generate(what, Path(out) / "dataset", source_path=source, executor=metered, limit=options.images)
    # the first shards pay for imports and for preparing the patterns, the last for workers that have nothing left
    start, end = 2 * workers - 1, len(metered.taken) - workers
    counted = metered.taken[start + 1 : end + 1]
    elapsed_s = metered.taken[end][2] - metered.taken[start][2]
    images = len(counted) * options.images_per_shard
    return {
        "images_per_s": round(images / elapsed_s, 2),
        "processor_ms_per_image": round(sum(taken[0] for taken in counted) / images * 1e3, 3),
        "share_in_shards": round(sum(taken[1] for taken in counted) / workers / elapsed_s, 3),
    }


def _busy_s(processes: int) -> float:
    """Return how long busy loops take, so many at the same time, seconds."""
    with get_context("spawn").Pool(processes) as pool:
        pool.map(_loop, [1] * processes, chunksize=1)
        return statistics.mean(pool.map(_loop, [_LOOP] * processes, chunksize=1))


def _loop(steps: int) -> float:
    start = time.perf_counter()
    total = 0
    for number in range(steps):
        total += number
    return time.perf_counter() - start


def _nothing(number: int) -> int:
    return number


def _overhead(executor: RayExecutor, tasks: int) -> dict[str, float]:
    """Run empty tasks and return what the driver's process and the clock spend on each, milliseconds."""
    ray.cloudpickle.register_pickle_by_value(__import__(__name__))
    done = sum(1 for _ in executor.map(_nothing, range(100)))  # workers are started by now
    clock, processor = time.perf_counter(), time.process_time()
    done += sum(1 for _ in executor.map(_nothing, range(tasks)))
    wall_s, driver_s = time.perf_counter() - clock, time.process_time() - processor
    if done != tasks + 100:
        raise RuntimeError(f"{done} results of {tasks + 100} tasks")
    return {
        "driver_ms_per_task": round(driver_s / tasks * 1e3, 3),
        "wall_ms_per_task": round(wall_s / tasks * 1e3, 3),
        "load": load(),
    }


def _ratio(item: dict[str, Any], workers: str) -> float:
    return float(item["ray"][workers]["images_per_s"] / item["local"][workers]["images_per_s"])


def _median(values: Iterator[float]) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
