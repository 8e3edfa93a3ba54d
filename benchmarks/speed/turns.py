"""Ways of doing the same work take turns, so that what the machine does meanwhile meets all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from occbench.core.seeding import stream

__all__ = ["Row", "Spread", "compare", "network_clock", "processor_clock", "quantity", "take_turns", "wall_clock"]

Clock = Callable[[], float]
Seconds = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Spread:
    """A number as the turns had it.

    Attributes:
        median: of the turns.
        least: of them.
        greatest: of them.
    """

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one value a turn, to four digits."""
        found = (statistics.median(values), min(values), max(values))
        return cls(*(float(f"{value:.4g}") for value in found))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: which way beside which.
        value: ratio of the two, turn by turn, or a quantity of one way.
        unit: ``times as fast``, ``times as long``, or a unit.
        per_s: images a second of the ways, by the median turn; ours first.
        turns: how many were counted.
        clock: ``processor`` seconds of the process, or ``wall``.
        detail: what else was found out.
    """

    what: str
    value: Spread
    unit: str
    per_s: Mapping[str, float]
    turns: int
    clock: Literal["processor", "wall"]
    detail: Mapping[str, Any] = field(default_factory=dict)


def processor_clock() -> float:
    """Return processor seconds of this process: the turns of other programs are not in them."""
    return time.process_time()


def wall_clock() -> float:
    """Return seconds by the wall clock; what a GPU has in its queue is waited for first."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def network_clock() -> Clock:
    """Return the clock of what a network does: the wall's with a GPU, the processor's without."""
    return wall_clock if torch.cuda.is_available() else processor_clock


def take_turns(
    ways: Mapping[str, Callable[[], object]], turns: int, clock: Clock, *, warm_up: bool = True, first: int = 0
) -> dict[str, list[float]]:
    """Return the seconds of each way, one entry a turn.

    The order of a turn is drawn: were it only rotated, a way would always meet the memory and the caches that the same
    other one has left.

    Args:
        ways: name -> the work.
        turns: how many are counted.
        clock: what is read before and after.
        warm_up: whether a turn goes before them that is not counted.
        first: number of the first turn, which names its order.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1 if warm_up else 0, turns):
        for place in stream(first + turn + 1, "speed", "order").permutation(len(names)).tolist():
            name = names[place]
            start = clock()
            ways[name]()
            taken = clock() - start
            if turn >= 0:
                seconds[name].append(taken)
    return seconds


def compare(
    what: str,
    seconds: Seconds,
    pair: tuple[str, str],
    done: int,
    clock: Clock,
    unit: Literal["times as fast", "times as long"] = "times as fast",
    **detail: Any,  # noqa: ANN401 - JSON values
) -> Row:
    """Return the row of one way (the first of ``pair``) beside another, each of which did ``done`` images a turn."""
    ours, other = (seconds[name] for name in pair)
    both = zip(ours, other, strict=True)
    ratios = [b / a if unit == "times as fast" else a / b for a, b in both]
    per_s = {name: float(f"{done / statistics.median(seconds[name]):.4g}") for name in pair}
    return Row(what, Spread.of(ratios), unit, per_s, len(ours), _name(clock), detail)


def quantity(what: str, values: Sequence[float], unit: str, clock: Clock, **detail: Any) -> Row:  # noqa: ANN401 - JSON
    """Return the row of something that is no ratio, one value a turn."""
    return Row(what, Spread.of(values), unit, {}, len(values), _name(clock), detail)


def _name(clock: Clock) -> Literal["processor", "wall"]:
    return "processor" if clock is processor_clock else "wall"
