"""Example predictions: test images under test conditions, rendered again, with what every row answered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from occbench.bench.images.materials import Materials
from occbench.bench.measures.label_metrics import decide
from occbench.bench.scoring.label_predictions import read_label_block, stored_labels
from occbench.bench.scoring.predictions import block_file
from occbench.bench.scoring.test_set import test_set
from occbench.core.errors import DatasetError
from occbench.core.results.examples import ExampleAnswer, ExamplePrediction
from occbench.core.results.result_set import ResultSet
from occbench.core.run_folder import RunFolder
from occbench.core.types import Condition

__all__ = ["Answers", "example_predictions", "read_answers"]

#: Image -> (answer, whether it is right, its probability where that can be told).
_Told = Callable[[int], tuple[str, bool, float | None]]

#: Steps of the golden ratio visit conditions in an order whose every beginning is evenly spread.
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True, eq=False)
class Answers:
    """What one row answered under one condition.

    Attributes:
        top1: int[n_images], the answers.
        confidence: float64[n_images], softmax probability of the answer; NaN where it cannot be told.
    """

    top1: NDArray[np.integer]
    confidence: NDArray[np.float64]


def example_predictions(
    results: ResultSet, runs: Path, materials: Materials, count: int
) -> Iterator[ExamplePrediction]:
    """Make ``count`` examples, evenly spread over test images and occluded conditions, whatever was answered.

    No image is shown a second time, under another condition, before every one was shown once.

    Args:
        results: a table.
        runs: the folder that it was made from.
        materials: of the same benchmark, with the same test images.
        count: how many; fewer where test images and conditions have fewer combinations.

    Returns:
        An iterator that renders an example when it is asked for it, so that any number fits in memory.

    Raises:
        DatasetError: the materials are not those that the runs were scored on, or a run was scored in part.
    """
    test = test_set(materials)
    if test.fingerprint != results.test_set:
        raise DatasetError(
            f"examples were asked of test set {results.test_set}, the source gives {test.fingerprint}: give the same "
            "--source and --set as for `occbench run-benchmark`, or leave --examples out."
        )
    first = {run.label: run.fingerprint for run in reversed(results.runs)}
    scores = {row.label: RunFolder(runs / first[row.label]).scores(results.test_set) for row in results.rows}
    chosen = _choose(len(test.images), test.occluded or test.conditions, count)
    shown = {condition.name: condition for _, condition in chosen}.values()
    for row, folder in scores.items():
        if not all(block_file(folder, condition).is_file() for condition in shown):
            raise DatasetError(
                f"examples need every prediction, and {row} was scored in part: run the benchmark without "
                "--half-width, or leave --examples out."
            )
    return _examples(materials, chosen, scores)


def _choose(images: int, conditions: tuple[Condition, ...], count: int) -> list[tuple[int, Condition]]:
    """Return distinct (image, condition): evenly spread images, and as many rounds over all of them as are needed."""
    shown = min(count, images)
    chosen = []
    for number in range(min(count, images * len(conditions))):
        turn, place = divmod(number, shown)
        start = int(place * _GOLDEN % 1 * len(conditions))
        chosen.append((place * images // shown, conditions[(start + turn) % len(conditions)]))
    return chosen


def _examples(
    materials: Materials, chosen: list[tuple[int, Condition]], scores: Mapping[str, Path]
) -> Iterator[ExamplePrediction]:
    labels, classes = materials.test.labels, materials.split.classes
    blocks: dict[Path, _Told] = {}
    for image, condition in chosen:
        example = materials.test.examples[image]
        pixels, _ = materials.renderer.render(example, condition)
        png = BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        answers = []
        for row, folder in scores.items():
            path = block_file(folder, condition)
            if path not in blocks:
                blocks[path] = _several(path, labels, classes) if labels.ndim == 2 else _one(path, labels, classes)
            answers.append(ExampleAnswer(row, *blocks[path](image)))
        truth = _named((labels[image] == 1).tolist(), classes) if labels.ndim == 2 else classes[int(labels[image])]
        yield ExamplePrediction(example.key, truth, condition.name, condition.group, png.getvalue(), tuple(answers))


def _one(path: Path, labels: Tensor, classes: Sequence[str]) -> _Told:
    """Read a block of images with one label."""
    found = read_answers(path)

    def told(image: int) -> tuple[str, bool, float | None]:
        answer, confidence = int(found.top1[image]), float(found.confidence[image])
        return classes[answer], answer == int(labels[image]), None if np.isnan(confidence) else confidence

    return told


def _several(path: Path, labels: Tensor, classes: Sequence[str]) -> _Told:
    """Read a block of images with several labels: an answer is right that is right about every known class."""
    predicted = decide(read_label_block(path)[0])
    truth = stored_labels(labels)

    def told(image: int) -> tuple[str, bool, float | None]:
        known = truth[image] >= 0
        right = bool((predicted[image][known] == (truth[image][known] == 1)).all())
        return _named(predicted[image].tolist(), classes), right, None

    return told


def _named(there: Sequence[bool], classes: Sequence[str]) -> str:
    return ", ".join(name for name, one in zip(classes, there, strict=True) if one) or "nothing"


def read_answers(path: Path) -> Answers:
    """Read a block; the probability of an answer follows from the label's.

    A wrong answer has the largest other logit, which the margin says: p = p_label x exp(-margin). It cannot be told
    where the label's probability is too small for a normal float32.
    """
    table = pq.read_table(path, columns=["label", "top1", "p_label", "margin"])
    label, top1 = table["label"].to_numpy(), table["top1"].to_numpy()
    p_label, margin = (table[name].to_numpy().astype(np.float64) for name in ("p_label", "margin"))
    told = p_label >= np.finfo(np.float32).tiny
    wrong = np.where(told, p_label * np.exp(np.where(told, -margin, 0)), np.nan)
    return Answers(top1, np.minimum(np.where(top1 == label, p_label, wrong), 1))
