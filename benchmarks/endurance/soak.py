"""Generate, verify, read, score, and now and then train and report, for hours in one process; watch what it holds.

    OMP_NUM_THREADS=1 python benchmarks/endurance/soak.py --hours 2 --out FILE.json [--folder FOLDER]
    python benchmarks/endurance/soak.py --judge FILE.json [--out FILE.json]

Every verb runs through the command line's own function in this process. The record is written after every round, so an
interrupted soak is one too; it is judged with ``--judge``. SIGTERM ends the soak after the round it is in. A round in
which the process was stopped and continued (SIGSTOP, SIGCONT) counts as long as a usual one.
Exit code 1: something grew.
"""

import argparse
import io
import json
import os
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from judgement import LEAST_ROUNDS, judge
from process import children, entries, holdings, processor_s, shared_memory_of

_PACKAGES = ("occbench", "torch", "numpy", "pyarrow", "pillow", "opencv-python-headless", "matplotlib")
_GENERATE = ("generate", "quickstart", "--materialise", "--limit", "24", "--set", "storage.rows_per_shard=144")
_SETTINGS = (
    *("--set", "warm_up=null", "--set", "train.epochs=1", "--set", "source.images_per_class=10"),
    *("--set", "split.test_per_class=4", "--set", "split.test_source.images_per_class=4"),
)
_BENCHMARK = ("run-benchmark", "quickstart", "--arms", "C,C-Full", "--test-images", "12", *_SETTINGS)
_REPORT = ("--examples", "4", *_SETTINGS)


class Soak:
    """Rounds in one folder, which is empty after each.

    Attributes:
        folder: for what is made.
        temporary: where this process and its workers put temporary files.
        period: every so many rounds is a long one, with a reader's workers, a benchmark and its report.
    """

    def __init__(self, folder: Path, temporary: Path, period: int) -> None:
        self.folder, self.temporary, self.period = folder, temporary, period
        self.workers = {os.getpid()}
        self.said = io.StringIO()  # one for all commands: typer keeps every stream that it has written to
        self.weights = folder.parent / "tiny.safetensors"

    def round(self, number: int) -> None:
        """Do one round."""
        several, alone = self.folder / "several", self.folder / "alone"
        self.occbench(*_GENERATE, "--out", several, "--workers", 2)
        self.occbench(*_GENERATE, "--out", alone, "--workers", 0)
        for dataset in (several, alone):
            self.occbench("verify", dataset, "--sample", 4)
        if (one := _rows(alone, 0)) != (other := _rows(several, 0)):
            raise RuntimeError(f"round {number}: the number of workers changed the rows, {one} and {other}")
        self.occbench(
            "score", "--model", "tiny", "--weights", self.weights, "--data", alone, "--out", self.folder / "s"
        )
        if number % self.period == self.period - 1:
            _rows(several, 2, self.workers.update)
            self.occbench(*_BENCHMARK, "--runs", self.folder / "runs")
            self.occbench("report", self.folder / "runs", "--out", self.folder / "report", *_REPORT)
        for entry in self.folder.iterdir():
            shutil.rmtree(entry)

    def occbench(self, *arguments: object) -> None:
        """Run a command in this process."""
        from occbench.cli import main

        before = sys.argv
        self.said.seek(0)
        self.said.truncate()
        sys.argv = ["occbench", *map(str, arguments)]
        try:
            with redirect_stdout(self.said), redirect_stderr(self.said):
                main()
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"{' '.join(sys.argv)} ended with {stop.code}:\n{self.said.getvalue()}") from stop
        finally:
            sys.argv = before

    def left(self) -> dict[str, int]:
        """Return what lies about after a round."""
        self.workers.update(children())
        return {
            "temporary_entries": entries(self.temporary) + entries(self.folder),
            "shared_memory_entries": shared_memory_of(self.workers),
        }


def main() -> None:
    options = _options()
    if options.judge is not None:
        found = json.loads(options.judge.read_text(encoding="utf-8"))
        verdict = judge(found["rounds"], options.bound_kb, found["period"])
        if options.out is not None:
            _write(options.out, found | {"verdict": verdict})
        _end(verdict)
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=options.folder, prefix="soak-") as name:
        place = Path(name)
        for part in ("made", "temporary"):
            (place / part).mkdir()
        os.environ["TMPDIR"] = str(place / "temporary")  # before anything asks for a temporary file; workers inherit it
        soak = Soak(place / "made", place / "temporary", options.period)
        from record import machine, write_model  # loads torch, which asks for a temporary folder

        write_model(soak.weights)
        record = _run(soak, options, machine(_PACKAGES))
    verdict = judge(record["rounds"], options.bound_kb, options.period)
    _write(options.out, record | {"finished": True, "verdict": verdict})
    _end(verdict)


def _run(soak: Soak, options: argparse.Namespace, machine: dict[str, Any]) -> dict[str, Any]:
    """Do rounds until the time is over or SIGTERM comes, and return the record."""
    signals = {signal.SIGTERM: 0, signal.SIGCONT: 0}

    def count(number: int, _: object) -> None:
        signals[signal.Signals(number)] += 1

    for one in signals:
        signal.signal(one, count)
    record: dict[str, Any] = machine | {"hours": options.hours, "period": options.period, "finished": False}
    rounds: list[dict[str, Any]] = []
    soaked_s = 0.0
    while (soaked_s < options.hours * 3600 and not signals[signal.SIGTERM]) or len(rounds) < LEAST_ROUNDS:
        continued, started, used = signals[signal.SIGCONT], time.monotonic(), processor_s()
        soak.round(len(rounds))
        wall_s = time.monotonic() - started
        paused = signals[signal.SIGCONT] > continued
        usual_s = statistics.median(one["wall_s"] for one in rounds if not one["paused"]) if rounds else wall_s
        soaked_s += min(wall_s, usual_s) if paused else wall_s
        rounds.append(
            {
                "round": len(rounds), "long": len(rounds) % soak.period == soak.period - 1, "paused": paused,
                "wall_s": round(wall_s, 2), "processor_s": round(processor_s() - used, 2), **holdings(), **soak.left(),
            }
        )  # fmt: skip
        record |= {"soaked_s": round(soaked_s, 1), "rounds": rounds}
        _write(options.out, record)
    return record


def _rows(dataset: Path, workers: int, on_workers: Callable[[list[int]], None] = lambda _: None) -> tuple[int, int]:
    """Read a dataset through a data loader; return (rows, sum of all pixels)."""
    from torch.utils.data import DataLoader

    import occbench

    context = "spawn" if workers else None
    loader = DataLoader(occbench.load(dataset), batch_size=48, num_workers=workers, multiprocessing_context=context)
    rows = pixels = 0
    for batch in loader:
        on_workers(children())
        rows += len(batch["label"])
        pixels += int(batch["image"].long().sum())
    return rows, pixels


def _write(file: Path, record: dict[str, Any]) -> None:
    """Write a record, one line a round, whole or not at all."""
    from occbench.core.files import write_bytes

    head = json.dumps({name: value for name, value in record.items() if name != "rounds"}, indent=2)
    rounds = ",\n    ".join(json.dumps(one) for one in record["rounds"])
    write_bytes(file, f'{head[:-2]},\n  "rounds": [\n    {rounds}\n  ]\n}}\n'.encode())


def _end(verdict: dict[str, Any]) -> None:
    print(json.dumps(verdict, indent=2))
    sys.exit(0 if verdict["sound"] else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument(
        "--period", type=int, default=5, help="every so many rounds trains, reports and reads in workers"
    )
    parser.add_argument("--bound-kb", type=float, default=64.0, help="growth of memory per round that is allowed, kB")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--folder", type=Path, default=Path("soak"), help="for what is made; emptied after every round")
    parser.add_argument(
        "--judge", type=Path, metavar="FILE.json", help="only judge a record; --out writes it anew with the verdict"
    )
    options = parser.parse_args()
    if options.judge is None and options.out is None:
        parser.error("give --out FILE.json")
    return options


if __name__ == "__main__":
    main()
