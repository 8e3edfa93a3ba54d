"""Measured results as plain values: what `bench` makes of finished runs and `report` draws. No logic, no files.

Every accuracy, difference and margin is in percentage points, unrounded.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ClaimVerdict",
    "ClassAccuracy",
    "Comparison",
    "Cost",
    "Curve",
    "ExampleAnswer",
    "ExamplePrediction",
    "HeatMap",
    "MetricTable",
    "Number",
    "PublishedRow",
    "ResultRow",
    "ResultSet",
    "RunEntry",
    "TableCell",
]


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


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run that a row rests on.

    Attributes:
        fingerprint: of the run; names its directory.
        label: of the row.
        seed: training seed.
        weights: what the backbone started from.
    """

    fingerprint: str
    label: str
    seed: int
    weights: str


@dataclass(frozen=True, slots=True)
class ResultSet:
    """One table and all that belongs to it. Everything in it was scored on one test set.

    Attributes:
        benchmark: name of the benchmark.
        setting: what sets this table apart from others of the benchmark, e.g. ``train.epochs 10``; may be empty.
        test_set: fingerprint of images, labels and overlays.
        images: test images.
        columns: ``clean``, condition groups, ``avg``.
        conditions: how many conditions each column averages.
        rows: in table order; the first of a backbone is its baseline.
        published_only: rows of the paper's table without a run of ours.
        published_source: where the paper's numbers stand; may be empty.
        comparisons: every row against its baseline.
        verdicts: the claims.
        curves: one per row; empty where a condition has no ratio.
        heat_maps: one per row; empty where no condition names its occluder.
        classes: the worst first, by the mean over rows.
        costs: one per row.
        runs: every run that the table rests on.
        provenance: (name, value) pairs.
        warnings: full sentences: what is missing or must be read with care.
        metric: short name of the headline metric, whose values the table's cells, curves and classes hold.
        metric_title: what it is, for people.
        metric_tables: further metrics; none where the summaries say it all.
    """

    benchmark: str
    setting: str
    test_set: str
    images: int
    columns: tuple[str, ...]
    conditions: tuple[int, ...]
    rows: tuple[ResultRow, ...]
    published_only: tuple[PublishedRow, ...]
    published_source: str
    comparisons: tuple[Comparison, ...]
    verdicts: tuple[ClaimVerdict, ...]
    curves: tuple[Curve, ...]
    heat_maps: tuple[HeatMap, ...]
    classes: tuple[ClassAccuracy, ...]
    costs: tuple[Cost, ...]
    runs: tuple[RunEntry, ...]
    provenance: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    metric: str = "top1"
    metric_title: str = "top-1 accuracy"
    metric_tables: tuple[MetricTable, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleAnswer:
    """What one row answered.

    Attributes:
        label: of the row.
        class_name: the answer.
        right: whether that is right.
        confidence: softmax probability of the answer, 0 to 1; None where the stored predictions cannot say.
    """

    label: str
    class_name: str
    right: bool
    confidence: float | None


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """One test image under one condition and what every row answered.

    Attributes:
        key: of the clean image.
        class_name: the right answer.
        condition: name of the condition.
        group: of the condition.
        png: the picture, as a PNG file.
        answers: one per row.
    """

    key: str
    class_name: str
    condition: str
    group: str
    png: bytes
    answers: tuple[ExampleAnswer, ...]
