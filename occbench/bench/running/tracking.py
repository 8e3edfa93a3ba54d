"""Runs logged to an experiment tracker with the interface of ``wandb``: ``init``, ``log`` and ``finish``.

The tracker is any module that has the three (wandb, trackio, a file of one's own) and is imported when it is asked for.
What it is told can be read from the run directories, too; if it fails, the run goes on without it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from occbench.bench.measures.records import Record
from occbench.bench.protocol.cell import Cell
from occbench.bench.running.listener import Listener
from occbench.bench.training.train import Epoch
from occbench.core.errors import ConfigError

__all__ = ["find_tracker", "tracked"]

_log = logging.getLogger(__name__)

_VERBS: Final = ("init", "log", "finish")


def find_tracker(name: str) -> Any:  # noqa: ANN401 - a third-party module
    """Import a tracker.

    Raises:
        ConfigError: there is no such module, or it lacks ``init``, ``log`` or ``finish``.
    """
    try:
        module = import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"--track {name}: cannot be imported ({error}). `pip install occbench[tracking]` brings trackio; wandb and "
            "others are installed by their own names."
        ) from error
    if missing := [verb for verb in _VERBS if not callable(getattr(module, verb, None))]:
        raise ConfigError(f"--track {name}: the module has no {missing[0]}; a tracker needs {', '.join(_VERBS)}.")
    return module


@contextmanager
def tracked(listener: Listener, name: str) -> Iterator[Listener]:
    """Yield a listener that tells the tracker, too; a cell of which nothing is computed starts no tracked run.

    Args:
        listener: told as before.
        name: the tracker's module; empty tracks nothing.

    Raises:
        ConfigError: there is no such tracker.
    """
    if not name:
        yield listener
        return
    tracker = _Tracker(find_tracker(name), name)

    def on_epoch(cell: Cell, epoch: Epoch) -> None:
        tracker.log(cell, _numbers(epoch), epoch.epoch + 1)
        listener.on_epoch(cell, epoch)

    def on_records(cell: Cell, records: list[Record]) -> None:
        values = {f"{record.metric}/{record.group}": record.value for record in records if record.low != record.high}
        tracker.log(cell, values | {"of a part": any(record.part for record in records)}, None)
        listener.on_records(cell, records)

    try:
        yield replace(listener, on_epoch=on_epoch, on_records=on_records)
    finally:
        tracker.finish()


def _numbers(epoch: Epoch) -> dict[str, float]:
    return {
        "train/loss": epoch.loss,
        "validation/clean": 100 * epoch.clean,
        "validation/occluded": 100 * epoch.occluded,
    }


class _Tracker:
    """One tracked run after another: a warm-up and the cell that starts from it are two."""

    def __init__(self, module: Any, name: str) -> None:  # noqa: ANN401 - a third-party module
        self._module: Any = module
        self._name = name
        self._cell = ""

    def log(self, cell: Cell, values: dict[str, float], step: int | None) -> None:
        if self._cell != cell.fingerprint:
            self.finish()
            self._call("init", **_start_of(cell))
            self._cell = cell.fingerprint
        self._call("log", values, step=step)

    def finish(self) -> None:
        if self._cell:
            self._call("finish")
        self._cell = ""

    def _call(self, verb: str, *arguments: object, **named: object) -> None:
        if self._module is None:
            return
        try:
            getattr(self._module, verb)(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - whatever a service on the network does must not cost a training
            self._module = None
            _log.warning(
                "%s failed in %s (%s: %s): the cell goes on untracked; run directories hold the same numbers.",
                *(self._name, verb, type(error).__name__, error),
            )


def _start_of(cell: Cell) -> dict[str, Any]:
    name = f"{cell.arm_name}-{cell.backbone.replace('/', '-')}-seed{cell.seed}-{cell.fingerprint[:8]}"
    # one name for one cell, so that a tracker which can takes up the run of an interrupted training
    return {
        "project": f"occbench-{cell.benchmark.name}",
        "name": name,
        "group": cell.arm_name,
        "config": cell.facts | {"fingerprint": cell.fingerprint},
        "resume": "allow",
    }
