"""The rows of a table and what is said of them: numbers, differences, verdicts.

Every accuracy, difference and margin is in percentage points, unrounded.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["ClaimVerdict", "Comparison", "Number", "PublishedRow", "ResultRow", "TableCell"]


@dataclass(frozen=True, slots=True)
class Number:
    """An estimate with its 95 % interval.

    Attributes:
        value: percentage points.
        low: lower end of the interval; None where there is none.
        high: upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class TableCell:
    """One number of the headline table.

    Attributes:
        number: of the headline metric, mean over seeds; the interval is for other images and, with several seeds,
            other seeds.
        between_seeds: standard deviation of the seeds' values; None with one seed.
        published: the paper's number, or None.
        difference: ours minus the paper's, or None.
    """

    number: Number
    between_seeds: float | None
    published: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One arm with one backbone.

    Attributes:
        label: names the row in this table: the arm, and whatever else is needed to tell the rows apart.
        arm: name of the arm.
        method: name of its method.
        backbone: name of the backbone.
        seeds: training seeds that are finished.
        cells: one per column of the table.
        summaries: (name, mean over seeds in percentage points) of top-5, macro accuracy, area under the curve, ...
    """

    label: str
    arm: str
    method: str
    backbone: str
    seeds: tuple[int, ...]
    cells: tuple[TableCell, ...]
    summaries: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of the paper's table that no finished run stands beside.

    Attributes:
        arm: the paper's arm or the method that it quotes.
        values: one per column of our table; None where the paper gives none.
        source: paper and table.
    """

    arm: str
    values: tuple[float | None, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference between a row and the baseline of its backbone, row minus baseline.

    Attributes:
        label: of the row.
        baseline: label of the baseline's row.
        column: what is compared.
        difference: the difference and the percentile interval of the bootstrap over images (and seeds).
        p_value: two-sided, of no difference, uncorrected.
        p_corrected: Holm's, over all comparisons of the table.
    """

    label: str
    baseline: str
    column: str
    difference: Number
    p_value: float
    p_corrected: float


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What the runs say about a claim.

    Attributes:
        title: the claim in a few words; may be empty.
        statement: the claim in the language of claims; empty for a fact that runs cannot judge.
        source: where it stands.
        printed: the number that the paper gives with it, with its unit; may be empty.
        backbone: whose rows it was judged on.
        verdict: ``holds`` or ``fails`` when the margin's whole interval is on that side.
        margin: by how much it holds, negative where it does not; None when it was not judged.
        reason: why it was not judged; otherwise empty.
    """

    title: str
    statement: str
    source: str
    printed: str
    backbone: str
    verdict: Literal["holds", "fails", "undecided", "not judged"]
    margin: Number | None
    reason: str
