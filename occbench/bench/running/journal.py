"""Progress of jobs in other processes: each appends lines to a file of its own, and the driver tells its listener.

Files need no server and no queue, and whoever dies leaves the others undisturbed. In a folder that machines share they
carry progress from one to the other: no two processes append to the same file, which network file systems do not order.
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

from occbench.bench.measures.records import Record
from occbench.bench.protocol.cell import Cell
from occbench.bench.running.listener import Listener
from occbench.bench.training.train import Epoch
from occbench.core.files import process_name, storage_errors

__all__ = ["Journal", "journal"]

#: Seconds between two lines on steps or predictions of one job, and between two looks of the driver.
_PAUSE_S: Final = 0.2
_PREFIX: Final = ".occbench-jobs-"
_SUFFIX: Final = ".jsonl"


class Journal:
    """The driver's side.

    Attributes:
        folder: where jobs write.
        writer: the jobs' listener; it can be pickled.
    """

    def __init__(self, folder: Path, cells: Sequence[Cell], listener: Listener) -> None:
        """Take a folder, the cells that jobs will run (with their warm-ups), and whom to tell."""
        scribe = _Scribe(folder)
        self.folder = folder
        self.writer = Listener(scribe.on_epoch, scribe.on_step, scribe.on_predictions, scribe.on_records)
        self._cells = {cell.fingerprint: cell for cell in cells}
        self._listener = listener
        self._read_bytes: dict[str, int] = {}
        self._lock = threading.Lock()

    def drain(self) -> None:
        """Tell the listener everything that was written since the last call."""
        with self._lock:
            for file in sorted(self.folder.glob(f"*{_SUFFIX}")):
                for line in self._new_lines(file):
                    name, cell, value = json.loads(line)
                    made = Epoch(**value) if name == "on_epoch" else value
                    getattr(self._listener, name)(self._cells[cell], made)

    def _new_lines(self, file: Path) -> list[bytes]:
        """Return the lines that were finished since the last call; half a line waits for its other half."""
        with file.open("rb") as opened:
            opened.seek(self._read_bytes.get(file.name, 0))
            *lines, _ = opened.read().split(b"\n")
        self._read_bytes[file.name] = self._read_bytes.get(file.name, 0) + sum(len(line) + 1 for line in lines)
        return lines


@contextmanager
def journal(cells: Sequence[Cell], listener: Listener, shared: Path | None = None) -> Iterator[Journal]:
    """Yield a journal in a temporary folder; its listener is told in a thread of its own.

    Args:
        cells: that jobs will run, with their warm-ups.
        listener: whom to tell.
        shared: a folder that the jobs' machines share, in which the temporary one is made; None where they are one.

    Raises:
        StorageError: the shared folder cannot be written.
    """
    if shared is not None:
        with storage_errors(shared):
            shared.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=_PREFIX, dir=shared) as folder:
        made, stop = Journal(Path(folder), cells, listener), threading.Event()

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
            made.drain()


class _Scribe:
    """A job's side: steps and predictions are added up and written now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        file = self._folder / f"{process_name()}{_SUFFIX}"
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())  # one call: lines of several threads do not mix
        finally:
            os.close(descriptor)
