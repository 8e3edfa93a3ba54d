"""Measure `--engine ray`: how two workers compare with one, and what the driver spends on each of 10,000 tasks.

    OMP_NUM_THREADS=1 python benchmarks/speed/cluster.py --photos FOLDER [--out FILE.json]

Ray runs on this machine, one cluster of one worker and one of two by turns; the local engine with as many processes
takes its turns beside them, which shows what is Ray's and what is the machine's. Throughput is taken from the moment
that every worker has finished a shard, or nearly, to the last shard, so starting workers does not count. A lone
busy loop per worker, at the end of each pass, says how much processor two processes got just then.
"""

import argparse
import json
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from generate import copy_photos, recipe
from machine import load, machine

from occbench.core.interfaces import Executor
from occbench.data.recipe import Recipe
from occbench.engine.cluster import RayExecutor
from occbench.engine.local import LocalExecutor
from occbench.generate.run import Progress, generate

#: Steps of the busy loop: a second or so.
_LOOP = 12_000_000


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
        "efficiency_of_two_busy_loops": _median(item["busy_loop_efficiency"] for item in passes),
        "ray_over_local_with_one": _median(_ratio(item, "one") for item in passes),
        "ray_over_local_with_two": _median(_ratio(item, "two") for item in passes),
        "tasks": options.tasks,
        "overhead": overhead,
        "driver_ms_per_task": _median(item["driver_ms_per_task"] for item in overhead),
        "wall_ms_per_task": _median(item["wall_ms_per_task"] for item in overhead),
        "load_at_end": load(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


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
            found["ray"][name] = _images_per_s(what, folder, executor, workers, options.images)
        found["local"][name] = _images_per_s(what, folder, LocalExecutor(workers), workers, options.images)
    for engine in ("ray", "local"):
        found[engine]["efficiency"] = round(found[engine]["two"] / found[engine]["one"] / 2, 3)
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


def _images_per_s(what: Recipe, folder: Path, executor: Executor, workers: int, images: int) -> float:
    finished: list[tuple[float, int]] = []

    def watch(progress: Progress) -> None:
        if progress.images_done:
            finished.append((time.perf_counter(), progress.images_done))

    with TemporaryDirectory(dir=folder) as out:
        source = str(folder / "photos")
        generate(what, Path(out) / "dataset", source_path=source, executor=executor, limit=images, on_progress=watch)
    # the first shards pay for imports and for preparing the patterns, the last for workers that have nothing left
    start, end = 2 * workers - 1, len(finished) - workers
    (first_s, first), (last_s, last) = finished[start], finished[end]
    return round((last - first) / (last_s - first_s), 2)


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
    return float(item["ray"][workers] / item["local"][workers])


def _median(values: Iterator[float]) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
