"""How far a verb has come: bars on a terminal, some plain lines elsewhere; always on standard error."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from occbench.cli.terminal import readable_time

if TYPE_CHECKING:
    from occbench.generate.run import Progress as Finished

__all__ = ["Pace", "Tenths", "counting", "decoding_lines", "generating", "work_progress"]

#: Plain lines about one piece of work, in all.
_LINES = 10
#: Seconds between two lines about decoding; what takes less is not spoken of.
_QUIET_S = 10.0


class Pace:
    """Time left of one kind of work while others go on in between: only time that ends in its own progress counts."""

    def __init__(self, total: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the amount of work; the clock is in seconds."""
        self.total = total
        self.done = 0.0
        self._spent_s = 0.0
        self._clock = clock

    def advance(self, amount: float, since_s: float) -> None:
        """Count work that was done since a moment of the clock."""
        self.done = min(self.total, self.done + amount)
        self._spent_s += self._clock() - since_s

    @property
    def left_s(self) -> float | None:
        """Seconds left, or None before anything was done."""
        return (self.total - self.done) * self._spent_s / self.done if self.done else None

    @property
    def left(self) -> str:
        """Time left, for people."""
        return "" if self.left_s is None else f"{readable_time(self.left_s)} left"


class Tenths:
    """Says when another tenth of some work is done, so that a log has ten lines of it."""

    def __init__(self) -> None:
        """Begin with nothing done."""
        self._said = 0

    def passed(self, done: float, total: float) -> bool:
        """Return whether it is more tenths than when this was asked last."""
        before, self._said = self._said, int(_LINES * done / total) if total else 0
        return self._said > before


@contextmanager
def work_progress(
    title: str,
    unit: str,
    amount: Callable[[float], str] = "{:,.0f}".format,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[..., None]]:
    """Yield ``show(done, total, note="")``, which is told how far some work has come.

    Args:
        title: what is done.
        unit: of what.
        amount: writes a number of them.
        console: where it is shown; standard error by default.
        clock: in seconds.
    """
    shown_on = console or Console(stderr=True)
    tenths, pace, last_s, first = Tenths(), Pace(0.0), clock(), 0.0
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        console=shown_on,
        disable=not shown_on.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=None, note="")

        def show(done: float, total: float, note: str = "") -> None:
            nonlocal pace, last_s, first
            if pace.total:
                pace.advance(done - first - pace.done, last_s)
            else:  # what was there before took no time now
                pace, first = Pace(total - done, clock), done
            last_s = clock()
            said = ", ".join(filter(None, (f"{amount(done)} of {amount(total)} {unit}", pace.left, note)))
            bar.update(task, total=total, completed=done, note=said)
            if not shown_on.is_terminal and tenths.passed(done, total):
                shown_on.print(f"  {title}: {said}", highlight=False, markup=False, soft_wrap=True)

        yield show


@contextmanager
def counting(title: str, unit: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more of ``total`` are done."""
    done = 0
    with work_progress(title, unit) as show:

        def more(count: int) -> None:
            nonlocal done
            done += count
            show(done, total)

        show(0, total)
        yield more


@contextmanager
def generating(title: str, conditions: int) -> "Iterator[Callable[[Finished], None]]":
    """Yield a function that is told where a run stands, each of whose clean images has so many conditions."""
    started_s = time.monotonic()
    with work_progress(title, "clean images") as show:

        def tell(now: "Finished") -> None:
            rate = (now.images_done - now.resumed) * conditions / max(time.monotonic() - started_s, 1e-9)
            notes = [f"{rate:,.0f} occluded images/s"] if rate else []
            notes += [f"{now.resumed:,} kept from before"] if now.resumed else []
            notes += [f"{now.quarantined:,} set aside"] if now.quarantined else []
            show(now.images_done, now.images, ", ".join(notes))

        yield tell


def decoding_lines(
    console: Console | None = None, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """Return a listener for ``images.pixel_store.PixelStore`` that says now and then how far decoding is.

    Args:
        console: where it is said; standard error by default.
        clock: in seconds.
    """
    shown_on = console or Console(stderr=True)
    paces: dict[int, Pace] = {}
    last_s = said_s = clock()

    def on_decoded(more: int, total: int) -> None:
        nonlocal last_s, said_s
        pace = paces.setdefault(total, Pace(total, clock))
        pace.advance(more, last_s)
        last_s = clock()
        if last_s - said_s >= _QUIET_S:
            said_s = last_s
            text = f"{pace.done:,.0f} of {total:,} images decoded; {pace.left}"
            shown_on.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    return on_decoded
