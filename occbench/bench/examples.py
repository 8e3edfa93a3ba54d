"""Example predictions: test images under test conditions, rendered again, with what every row answered."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from occbench.bench.materials import Materials
from occbench.bench.predictions import block_file
from occbench.bench.run import test_set
from occbench.core.errors import DatasetError
from occbench.core.results import ExampleAnswer, ExamplePrediction, ResultSet
from occbench.core.types import Condition

__all__ = ["Answers", "LabelAnswers", "example_predictions", "read_answers", "read_label_answers"]

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

    def example(self, row: str, image: int, target: Tensor, classes: Sequence[str]) -> ExampleAnswer:
        """Return what ``row`` answered for one image.

        Args:
            row: label of the row.
            image: its position in the test set.
            target: its label.
            classes: names in label order.
        """
        answer, confidence = int(self.top1[image]), float(self.confidence[image])
        return ExampleAnswer(row, classes[answer], answer == int(target), None if np.isnan(confidence) else confidence)


@dataclass(frozen=True, eq=False)
class LabelAnswers:
    """What one row answered under one condition where images have several labels.

    Attributes:
        there: bool[n_images, n_classes], the classes that were said to be there.
    """

    there: NDArray[np.bool_]

    def example(self, row: str, image: int, target: Tensor, classes: Sequence[str]) -> ExampleAnswer:
        """Return what ``row`` answered for one image; right where every known class is. See ``Answers.example``."""
        said, known = self.there[image].tolist(), target.tolist()
        right = all(one == bool(other) for one, other in zip(said, known, strict=True) if other in (0, 1))
        return ExampleAnswer(row, _named(said, classes), right, None)


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
    scores = {row.label: runs / first[row.label] / "scores" / results.test_set for row in results.rows}
    chosen = _choose(len(test.images), test.occluded or test.conditions, count)
    shown = {condition.name: condition for _, condition in chosen}.values()
    for row, folder in scores.items():
        if not all(block_file(folder, condition).is_file() for condition in shown):
            raise DatasetError(
                f"examples need every prediction, and {row} was scored in part: run the benchmark without --precision, "
                "or leave --examples out."
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
    classes = materials.split.classes
    blocks: dict[Path, Answers | LabelAnswers] = {}
    for image, condition in chosen:
        example, target = materials.test.examples[image], materials.test.labels[image]
        pixels, _ = materials.renderer.render(example, condition)
        png = BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        answers = []
        for row, folder in scores.items():
            path = block_file(folder, condition)
            if path not in blocks:
                blocks[path] = read_answers(path) if target.ndim == 0 else read_label_answers(path)
            answers.append(blocks[path].example(row, image, target, classes))
        truth = classes[int(target)] if target.ndim == 0 else _named((target == 1).tolist(), classes)
        yield ExamplePrediction(example.key, truth, condition.name, condition.group, png.getvalue(), tuple(answers))


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


def read_label_answers(path: Path) -> LabelAnswers:
    """Read a block of several labels: a class is said to be there from a probability of one half."""
    logits = pq.read_table(path, columns=["logits"])["logits"]
    return LabelAnswers(np.stack([np.asarray(row) for row in logits.to_pylist()]) >= 0)


def _named(there: Sequence[bool], classes: Sequence[str]) -> str:
    return ", ".join(name for name, one in zip(classes, there, strict=True) if one) or "nothing"
