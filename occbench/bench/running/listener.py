"""What a caller of the harness is told while cells run."""

from collections.abc import Callable
from dataclasses import dataclass

from occbench.bench.measures.records import Record
from occbench.bench.protocol.cell import Cell
from occbench.bench.training.train import Epoch

__all__ = ["Listener"]


@dataclass(frozen=True)
class Listener:
    """What a caller wants to be told while cells run.

    Attributes:
        on_epoch: after every epoch.
        on_step: after every training step, which share of an epoch it was.
        on_predictions: after every batch of test images, how many predictions it made.
        on_records: when a cell was finished now, with its records.
    """

    on_epoch: Callable[[Cell, Epoch], None] = lambda _cell, _epoch: None
    on_step: Callable[[Cell, float], None] = lambda _cell, _share: None
    on_predictions: Callable[[Cell, int], None] = lambda _cell, _count: None
    on_records: Callable[[Cell, list[Record]], None] = lambda _cell, _records: None
