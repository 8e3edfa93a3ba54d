"""Every measurement in one go, into one record and one table.

    python -m benchmarks.speed.all --photos FOLDER [--only rendering,scoring] [--out FILE.json]

Run it from the root of the repository, on a machine that does nothing else: about 15 minutes on two cores without a
GPU. A GPU is used where there is one. Each measurement runs in a process of its own, with one thread for each worker.
Without ``--out`` the record is ``results/table.json``, and the table in README.md is written anew from it; ``--only``
replaces these measurements in a record of the same machine and versions.
"""

import argparse
import importlib
import json
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from .settings import Settings
from .table import markdown, put_into

__all__ = ["MEASUREMENTS", "main"]

#: Modules with a function ``measure``, in the order of the table.
MEASUREMENTS: Final = (
    "rendering", "encoding", "generating", "reading", "training", "scoring", "diffusion", "publishing", "workers",
)  # fmt: skip
_HERE: Final = Path(__file__).parent
_RECORD: Final = _HERE / "results" / "table.json"
_PACKAGES: Final = (
    "occbench", "numpy", "pillow", "pyarrow", "torch", "torchvision", "timm", "diffusers", "huggingface_hub", "ray",
    "webdataset",
)  # fmt: skip


def main() -> None:
    """Run what is asked for and write it down."""
    options = _options()
    record: Path = options.out
    if not options.table_only:
        settings = Settings(
            options.photos, options.turns, options.share, options.images, options.bank, options.albumentations,
            options.inpainter,
        )  # fmt: skip
        _run(options.only, settings, record)
    table = markdown(json.loads(record.read_text(encoding="utf-8")))
    print(table)
    if record == _RECORD:
        put_into(_HERE / "README.md", table)


def _run(names: Sequence[str], settings: Settings, record: Path) -> None:
    """Measure and add to the record after every measurement, so that one that fails costs no other."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    for name in names:
        print(f"{datetime.now(UTC):%H:%M:%S}  {name}", flush=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            facts, group = process.submit(measured, name, settings).result()
        known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else facts | {"groups": {}}
        if changed := [key for key in facts if known.get(key) != facts[key]]:
            raise SystemExit(f"{record} is of another {', '.join(changed)}: give another --out, or remove it.")
        groups = known["groups"] | {name: group}
        known["groups"] = {name: groups[name] for name in MEASUREMENTS if name in groups}
        record.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def measured(name: str, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run one measurement in this process; return what it ran on, and its entry in the record."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    started, load = time.perf_counter(), _load()
    rows = []
    for row in importlib.import_module(f"{__package__}.{name}").measure(settings):
        print(f"    {row.what:<72} {row.value.median:>9.4g} {row.unit}", flush=True)
        rows.append(asdict(row))
    return _facts(), {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
        "load_at_start": load,
        "load_at_end": _load(),
        "turns": settings.turns,
        "share": settings.share,
        "rows": rows,
    }


def _facts() -> dict[str, Any]:
    """Return what numbers depend on besides the code: machine and versions."""
    import torch

    from occbench.data.encode import encoder_version

    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    on_gpu = torch.cuda.is_available()
    return {
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "device": torch.cuda.get_device_name() if on_gpu else "no GPU, one thread",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "encoder": encoder_version(),
    }


def _load() -> float:
    """Return the load average of the last minute: processes that ran or wanted to, our own among them."""
    return round(os.getloadavg()[0], 2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.all", description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, help="folder of JPEG or PNG files, searched to any depth; 3,000 or more")
    parser.add_argument("--only", type=_names, default=MEASUREMENTS, help=f"some of {','.join(MEASUREMENTS)}")
    parser.add_argument("--turns", type=int, default=Settings.turns, help="of every way")
    parser.add_argument("--share", type=float, default=Settings.share, help="of the amount of work; 0.05 rehearses")
    parser.add_argument("--images", type=int, default=0, help="photographs in `generating`")
    parser.add_argument("--bank", default=Settings.bank, help="bank of the patterns in `generating`")
    parser.add_argument("--albumentations", default="", help="the Python of an environment that has albumentations")
    parser.add_argument("--inpainter", default="", help="folder or repository of an inpainting pipeline")
    parser.add_argument("--table-only", action="store_true", help="only write the table of the record anew")
    parser.add_argument("--out", type=Path, default=_RECORD, help="the record; any but the default leaves README.md")
    options = parser.parse_args()
    if not options.table_only and options.photos is None:
        parser.error("--photos FOLDER is missing")
    return options


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := sorted({*names} - {*MEASUREMENTS}):
        raise argparse.ArgumentTypeError(f"there is no {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    return names


if __name__ == "__main__":
    main()
