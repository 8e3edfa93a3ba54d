"""Reading a virtual dataset, whose rows are rendered as they are read, beside one that stores every row.

One after the other and at random, in one process; a dataset is opened once. Then random rows of 240 patterns: just
opened, warm, and opened anew with its files dropped from the page cache. Last, how long the command line takes to
start.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from occbench.core.seeding import stream
from occbench.data.datasets import OccludedDataset, VirtualDataset, load
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

from .generating import FORMATS
from .photographs import copy_photos, recipe
from .settings import Settings
from .turns import Row, compare, processor_clock, quantity, take_turns, wall_clock

_STORED = ("Parquet, PNG", "Parquet, spliced JPEG")


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        many = settings.many(1000, least=20)
        copy_photos(settings.photos, many, folder / "photos")
        yield from _beside_stored(folder, settings)
        yield from _random_rows(folder, settings)
    command = [sys.executable, "-c", "from occbench.cli import main; main()", "--help"]
    helps = [_ms(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(settings.turns)]
    yield quantity("occbench --help", helps, "ms", wall_clock)


def _beside_stored(folder: Path, settings: Settings) -> Iterator[Row]:
    images = settings.many(40, least=4)
    datasets = {}
    for name in ("virtual", *_STORED):
        out = folder / name.replace(", ", "-").replace(" ", "-")
        generate(recipe(**FORMATS[name]), out, source_path=str(folder / "photos"), limit=images)
        datasets[name] = load(out)
    count = len(datasets["virtual"])
    orders = {"in order": range(count), "at random": stream(0, "reading", "order").permutation(count).tolist()[:500]}
    for order, rows in orders.items():
        ways = {name: partial(_read, dataset, rows) for name, dataset in datasets.items()}
        seconds = take_turns(ways, settings.turns, processor_clock)
        for stored in _STORED:
            what = f"virtual / {stored}, rows {order}"
            yield compare(what, seconds, ("virtual", stored), len(rows), processor_clock)


def _read(dataset: OccludedDataset, rows: Sequence[int]) -> None:
    for row in rows:
        dataset.sample(row)


def _random_rows(folder: Path, settings: Settings) -> Iterator[Row]:
    out, count = folder / "dataset", settings.many(200, least=20)
    generate(recipe("occbench-30"), out, source_path=str(folder / "photos"), executor=LocalExecutor(2))
    files = sorted(out.rglob("*.parquet"))
    found: dict[str, list[list[float]]] = {"just opened": [], "warm": [], "files dropped from the page cache": []}
    for turn in range(settings.turns):
        dataset = VirtualDataset(out)
        draws = stream(0, "reading", "random rows", turn)
        first, again = (draws.integers(len(dataset), count).tolist() for _ in range(2))
        found["just opened"].append([_ms(partial(dataset.sample, row)) for row in first])
        found["warm"].append([_ms(partial(dataset.sample, row)) for row in again])
        cold = []
        for row in first[: max(2, count // 20)]:
            dataset = VirtualDataset(out)
            for file in files:
                _drop_from_cache(file)
            cold.append(_ms(partial(dataset.sample, row)))
        found["files dropped from the page cache"].append(cold)
    for name, turns in found.items():
        marks = [float(np.percentile(times, 95)) for times in turns]
        median_ms = round(float(np.median(np.concatenate(turns))), 2)
        what = f"a random row of 240 patterns, {name}: 95 % mark"
        yield quantity(what, marks, "ms", wall_clock, median_ms=median_ms, rows=len(turns[0]))


def _ms(run: Callable[[], object]) -> float:
    start = wall_clock()
    run()
    return (wall_clock() - start) * 1e3


def _drop_from_cache(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # only pages that are on disk can be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
