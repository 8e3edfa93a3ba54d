"""How far a benchmark has come: a bar for training and one for scoring on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from occbench.cli.progress import Pace, Tenths

if TYPE_CHECKING:
    from occbench.bench.protocol.cell import Cell
    from occbench.bench.running.listener import Listener
    from occbench.bench.training.train import Epoch

__all__ = ["run_progress"]


@contextmanager
def run_progress(epochs: int, predictions: int, console: Console | None = None) -> "Iterator[Listener]":
    """Yield a listener that shows progress.

    Args:
        epochs: left to train.
        predictions: left to make, at most.
        console: where it is shown; standard error by default.
    """
    shown_on = console or Console(stderr=True)
    if shown_on.is_terminal:
        with _bars(epochs, predictions, shown_on) as listener:
            yield listener
    else:
        yield _lines(epochs, predictions, shown_on)


class _Watch:
    """Two paces and the moment of the last event."""

    def __init__(self, epochs: float, predictions: float) -> None:
        self.training = Pace(epochs)
        self.scoring = Pace(predictions)
        self._last_s = time.monotonic()

    def advance(self, pace: Pace, amount: float) -> None:
        pace.advance(amount, self._last_s)
        self._last_s = time.monotonic()


def _epoch_line(cell: "Cell", epoch: "Epoch") -> str:
    validated = (
        ""
        if math.isnan(epoch.score)
        else (f", validation {100 * epoch.clean:.1f} clean, {100 * epoch.occluded:.1f} occluded")
    )
    return f"{cell.arm_name} seed {cell.seed}: epoch {epoch.epoch + 1}/{epoch.epochs}, loss {epoch.loss:.4f}{validated}"


@contextmanager
def _bars(epochs: int, predictions: int, console: Console) -> "Iterator[Listener]":
    from occbench.bench.running.listener import Listener

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    watch = _Watch(epochs, predictions)
    # results go to standard output, which may be a file while the bars are on a terminal
    with Progress(*columns, console=console, redirect_stdout=sys.stdout.isatty()) as bars:
        training = bars.add_task("Training", total=epochs, note="", visible=bool(epochs))
        scoring = bars.add_task("Scoring", total=predictions, note="", visible=bool(predictions))
        said = ""

        def on_step(_: "Cell", share: float) -> None:
            watch.advance(watch.training, share)
            pace = watch.training
            note = f"{pace.done:.1f}/{epochs} epochs  {pace.left}{said}"
            bars.update(training, completed=pace.done, note=note)

        def on_epoch(cell: "Cell", epoch: "Epoch") -> None:
            nonlocal said
            said = f"  {_epoch_line(cell, epoch)}"
            on_step(cell, 0.0)

        def on_predictions(_: "Cell", count: int) -> None:
            watch.advance(watch.scoring, count)
            pace = watch.scoring
            note = f"{pace.done:,.0f}/{predictions:,} predictions  {pace.left}"
            bars.update(scoring, completed=pace.done, note=note)

        yield Listener(on_epoch, on_step, on_predictions)


def _lines(epochs: int, predictions: int, console: Console) -> "Listener":
    from occbench.bench.running.listener import Listener

    watch, tenths = _Watch(epochs, predictions), Tenths()

    def say(text: str) -> None:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    def on_step(_: "Cell", share: float) -> None:
        watch.advance(watch.training, share)

    def on_epoch(cell: "Cell", epoch: "Epoch") -> None:
        say(f"{_epoch_line(cell, epoch)}; training {watch.training.left}")

    def on_predictions(_: "Cell", count: int) -> None:
        pace = watch.scoring
        watch.advance(pace, count)
        if tenths.passed(pace.done, predictions):
            say(f"{pace.done:,.0f} of {predictions:,} predictions; scoring {pace.left}")

    return Listener(on_epoch, on_step, on_predictions)
