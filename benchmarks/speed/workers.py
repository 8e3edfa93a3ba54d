"""Measure the worker processes of `occbench generate`: how two compare with one, and how much memory each takes.

    OMP_NUM_THREADS=1 python benchmarks/speed/workers.py --photos FOLDER [--out FILE.json]

Throughput is taken from each worker's first finished shard to the last, so starting processes does not count. Peak
memory is the kernel's own high-water mark of each worker (VmHWM), read after every shard; Linux only.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from generate import copy_photos, recipe
from machine import load, machine

from occbench.data.recipe import Recipe
from occbench.engine.local import LocalExecutor
from occbench.generate.run import Progress, generate


def main() -> None:
    options = _options()
    result = machine()
    with TemporaryDirectory() as folder:
        copy_photos(options.photos, max(options.memory_images), Path(folder) / "photos")
        what = recipe(options.bank, 224)
        scaling = []
        for _ in range(options.passes):
            one, two = (
                _run(_materialised(what, "jpeg", 24 * 25), Path(folder), workers, options.images) for workers in (1, 2)
            )
            scaling.append({"one": one, "two": two, "speedup": round(two["images_per_s"] / one["images_per_s"], 3)})
        memory = {
            kind: {
                images: _run(_materialised(what, kind), Path(folder), 2, images)["peak_mib_per_worker"]
                for images in options.memory_images
            }
            for kind in ("jpeg", "png")
        }
    result |= {
        "load_at_end": load(),
        "images": options.images,
        "scaling": scaling,
        "two_workers_over_one": statistics.median(item["speedup"] for item in scaling),
        "cpu_of_two_over_one": round(
            statistics.median(item["two"]["cpu_ms_per_image"] / item["one"]["cpu_ms_per_image"] for item in scaling), 3
        ),
        "peak_mib_per_worker_by_images": memory,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--bank", default="occbench-3")
    parser.add_argument("--images", type=int, default=400, help="photographs in a throughput run")
    parser.add_argument("--passes", type=int, default=3, help="throughput runs with one and two workers by turns")
    parser.add_argument("--memory-images", type=int, nargs="+", default=[500, 3000])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def _materialised(what: Recipe, kind: str, rows_per_shard: int | None = None) -> Recipe:
    update: dict[str, Any] = {"layout": "materialised", "occluded": kind}
    if rows_per_shard:
        update["rows_per_shard"] = rows_per_shard
    return what.model_copy(update={"storage": what.storage.model_copy(update=update)})


def _run(what: Recipe, folder: Path, workers: int, images: int) -> dict[str, Any]:
    """Generate once and return throughput, processor time and each worker's peak memory."""
    peaks: dict[int, int] = {}
    finished: list[tuple[float, float, int]] = []

    def watch(progress: Progress) -> None:
        alive = [process.pid for process in multiprocessing.active_children() if process.pid is not None]
        peaks.update({pid: _peak_mib(pid) for pid in alive})
        if progress.images_done:
            finished.append((time.perf_counter(), sum(map(_processor_s, alive)), progress.images_done))

    with TemporaryDirectory(dir=folder) as out:
        generate(
            what,
            Path(out) / "dataset",
            source_path=str(folder / "photos"),
            limit=images,
            executor=LocalExecutor(workers=workers),
            on_progress=watch,
        )
    measured: dict[str, Any] = {"peak_mib_per_worker": sorted(peaks.values()), "load": load()}
    if len(finished) > workers:
        # from where every worker has finished one shard, or nearly
        (first_s, first_cpu_s, first), (last_s, last_cpu_s, last) = finished[workers - 1], finished[-1]
        measured["images_per_s"] = round((last - first) / (last_s - first_s), 2)
        measured["cpu_ms_per_image"] = round((last_cpu_s - first_cpu_s) / (last - first) * 1e3, 2)
    return measured


def _peak_mib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def _processor_s(pid: int) -> float:
    # user and system time are fields 14 and 15; the name before them may hold blanks
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
