"""Time random rows of a virtual dataset of 240 patterns, and the start of the command line.

    OMP_NUM_THREADS=1 python benchmarks/speed/random_rows.py --photos FOLDER [--out FILE.json]

Wall-clock milliseconds. `first visit`: random rows of a dataset just opened, so patterns are still being prepared.
`warm`: as many again. `cold file`: the dataset opened anew, its files dropped from the page cache, one row read.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from generate import copy_photos, recipe
from machine import load, machine

from occbench.core.seeding import stream
from occbench.data.datasets import VirtualDataset
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    result = machine()
    with TemporaryDirectory() as folder:
        copy_photos(options.photos, options.images, Path(folder) / "photos")
        out = Path(folder) / "dataset"
        generate(recipe(options.bank, 224), out, source_path=str(Path(folder) / "photos"), executor=LocalExecutor(2))
        dataset = VirtualDataset(out)
        rows = stream(0, "random rows", "benchmark").integers(len(dataset), 2 * options.rows + 50).tolist()
        times = {
            "first visit": [_milliseconds(partial(dataset.sample, row)) for row in rows[: options.rows]],
            "warm": [_milliseconds(partial(dataset.sample, row)) for row in rows[options.rows : 2 * options.rows]],
            "cold file": [],
        }
        files = sorted(out.rglob("*.parquet"))
        for row in rows[2 * options.rows :]:
            dataset = VirtualDataset(out)
            for file in files:
                _drop_from_cache(file)
            times["cold file"].append(_milliseconds(partial(dataset.sample, row)))
    command = [sys.executable, "-c", "from occbench.cli import main; main()", "--help"]
    helps = [_milliseconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(5)]
    result |= {
        "load_at_end": load(),
        "images": options.images,
        "variants_per_image": len(dataset.conditions),
        "row_ms": {name: _summary(values) for name, values in times.items()},
        "help_ms": _summary(helps),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files, searched to any depth")
    parser.add_argument("--bank", default="occbench-30")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def _milliseconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def _drop_from_cache(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # only pages that are on disk can be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _summary(values: list[float]) -> dict[str, float]:
    shares = {"median": 50, "p95": 95, "greatest": 100}
    return {name: round(float(np.percentile(values, share)), 2) for name, share in shares.items()}


if __name__ == "__main__":
    main()
