"""What stands beside a table: its rows by share hidden, by occluder, by class, by further metrics, and their cost.

Every accuracy is in percentage points, unrounded.
"""

from dataclasses import dataclass
from typing import Literal

from occbench.core.results.rows import Number

__all__ = ["ClassAccuracy", "Cost", "Curve", "HeatMap", "MetricTable"]


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy of one row against how much is hidden.

    Attributes:
        label: of the row.
        points: (share that is hidden, accuracy), shares ascending; clean images stand at 0.
        of: whether the share is of the ``image`` or of the ``object``; the same for all rows of a table.
    """

    label: str
    points: tuple[tuple[float, Number], ...]
    of: Literal["image", "object"] = "image"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Accuracy of one row for every occluder at every ratio and position.

    Attributes:
        label: of the row.
        occluders: names, top to bottom.
        places: ratio and position, left to right, e.g. ``20 % r1``.
        values: percentage points, one tuple per occluder; None where the test set has no such pattern.
    """

    label: str
    occluders: tuple[str, ...]
    places: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """The headline metric of one class, under occlusion.

    Attributes:
        name: of the class, or ``class 7`` where the runs do not name their classes.
        images: test images of it.
        values: percentage points, one per row of the table.
    """

    name: str
    images: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MetricTable:
    """Further metrics of the rows, beside the headline one.

    Attributes:
        title: what they are.
        columns: names of the metrics.
        rows: (label of the row, condition group, one number per column; None where the metric is not defined).
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Number | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a row took, as means over its seeds.

    Attributes:
        label: of the row.
        train_s: seconds of training.
        score_s: seconds of scoring.
        images_per_s: images rendered and classified in a second.
        device: what it ran on.
        of_bare: ``images_per_s`` in units of what the network alone classifies in a second, from pixels that lie ready;
            more than 1 where the frozen stages' activations were known already. None where a run did not measure it.
    """

    label: str
    train_s: float
    score_s: float
    images_per_s: float
    device: str
    of_bare: float | None = None
