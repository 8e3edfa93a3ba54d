"""Progress of jobs in other processes: they append lines to a file, and the driver tells its listener.

A file needs no server and no queue, and whoever dies leaves the others undisturbed.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from occbench.bench.cell import Cell
from occbench.bench.records import Record
from occbench.bench.run import Listener
from occbench.bench.train import Epoch

__all__ = ["Journal", "journal"]

#: Seconds between two lines on steps or predictions of one job, and between two looks of the driver.
_PAUSE_S: Final = 0.2


class Journal:
    """The driver's side.

    Attributes:
        writer: the jobs' listener; it can be pickled.
    """

    def __init__(self, path: Path, cells: Sequence[Cell], listener: Listener) -> None:
        """Take a file's path, the cells that jobs will run (with their warm-ups), and whom to tell."""
        path.touch()
        scribe = _Scribe(path)
        self.writer = Listener(scribe.on_epoch, scribe.on_step, scribe.on_predictions, scribe.on_records)
        self._cells = {cell.fingerprint: cell for cell in cells}
        self._listener = listener
        self._file = path.open(encoding="utf-8")
        self._rest = ""
        self._lock = threading.Lock()

    def drain(self) -> None:
        """Tell the listener everything that was written since the last call."""
        with self._lock:
            *lines, self._rest = (self._rest + self._file.read()).split("\n")
            for line in lines:
                name, cell, value = json.loads(line)
                made = Epoch(**value) if name == "on_epoch" else value
                getattr(self._listener, name)(self._cells[cell], made)

    def close(self) -> None:
        """Drain, and close the file."""
        self.drain()
        self._file.close()


@contextmanager
def journal(cells: Sequence[Cell], listener: Listener) -> Iterator[Journal]:
    """Yield a journal in a temporary file; its listener is told in a thread of its own."""
    with TemporaryDirectory(prefix="occbench-jobs-") as folder:
        made, stop = Journal(Path(folder) / "journal", cells, listener), threading.Event()

        def watch() -> None:
            while not stop.wait(_PAUSE_S):
                made.drain()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            stop.set()
            thread.join()
            made.close()


class _Scribe:
    """A job's side: steps and predictions are added up and written now and then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sums = {"on_step": 0.0, "on_predictions": 0.0}
        self._written = 0.0

    def on_epoch(self, cell: Cell, epoch: Epoch) -> None:
        self._flush(cell)
        self._write("on_epoch", cell, vars(epoch))

    def on_step(self, cell: Cell, share: float) -> None:
        self._add("on_step", cell, share)

    def on_predictions(self, cell: Cell, count: int) -> None:
        self._add("on_predictions", cell, count)

    def on_records(self, cell: Cell, _: list[Record]) -> None:
        self._flush(cell)

    def _add(self, name: str, cell: Cell, amount: float) -> None:
        self._sums[name] += amount
        if time.monotonic() - self._written > _PAUSE_S:
            self._flush(cell)

    def _flush(self, cell: Cell) -> None:
        self._written = time.monotonic()
        for name, amount in self._sums.items():
            if amount:
                self._write(name, cell, amount)
            self._sums[name] = 0.0

    def _write(self, name: str, cell: Cell, value: Any) -> None:  # noqa: ANN401 - any JSON value
        line = json.dumps([name, cell.fingerprint, value]) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line.encode())  # one call: lines of several jobs do not mix
        finally:
            os.close(descriptor)
