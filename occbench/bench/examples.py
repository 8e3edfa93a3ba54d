"""Example predictions: a few test images under a few conditions, rendered again, with what every row answered."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
from PIL import Image
from torch import Tensor

from occbench.bench.materials import Materials
from occbench.bench.predictions import block_file
from occbench.bench.run import test_set
from occbench.core.errors import DatasetError
from occbench.core.results import ExamplePrediction, ResultSet
from occbench.core.types import CLEAN, Condition

__all__ = ["example_predictions"]

#: Steps of the golden ratio visit conditions in an order whose every beginning is evenly spread.
_GOLDEN: Final = 0.6180339887498949


def example_predictions(
    results: ResultSet, runs: Path, materials: Materials, count: int
) -> tuple[ExamplePrediction, ...]:
    """Return ``count`` examples, evenly spread over test images and occluded conditions, whatever was answered.

    Args:
        results: a table.
        runs: the folder that it was made from.
        materials: of the same benchmark, with the same test images.
        count: how many; fewer where there are fewer test images.

    Raises:
        DatasetError: the materials are not those that the runs were scored on.
    """
    test = test_set(materials)
    if test.fingerprint != results.test_set:
        raise DatasetError(
            f"examples were asked of test set {results.test_set}, the source gives {test.fingerprint}: give the same "
            "--source and --set as for `occbench run-benchmark`, or leave --examples out."
        )
    first = {run.label: run.fingerprint for run in reversed(results.runs)}
    scores = {row.label: runs / first[row.label] / "scores" / results.test_set for row in results.rows}
    occluded = [condition for condition in test.conditions if condition.group != CLEAN.group]
    images = len(test.images)
    count = min(count, images)
    return tuple(
        _example(materials, number * images // count, occluded[int(number * _GOLDEN % 1 * len(occluded))], scores)
        for number in range(count)
    )


def _example(materials: Materials, image: int, condition: Condition, scores: dict[str, Path]) -> ExamplePrediction:
    classes = materials.split.classes
    example, target = materials.test.examples[image], materials.test.labels[image]
    pixels, _ = materials.renderer.render(example, condition)
    png = BytesIO()
    Image.fromarray(pixels).save(png, "PNG", optimize=True)
    answers = []
    for row, folder in scores.items():
        if not block_file(folder, condition).is_file():
            raise DatasetError(
                f"examples need every prediction, and {row} was scored in part: run the benchmark without --precision, "
                "or leave --examples out."
            )
        answers.append((row, *_answer(block_file(folder, condition), image, target, classes)))
    truth = classes[int(target)] if target.ndim == 0 else _named((target == 1).tolist(), classes)
    return ExamplePrediction(example.key, truth, condition.name, png.getvalue(), tuple(answers))


def _answer(block: Path, image: int, target: Tensor, classes: Sequence[str]) -> tuple[str, bool]:
    """Return what was answered for an image, and whether it is right: of several labels, whether all known ones are."""
    if target.ndim == 0:
        answer = int(pq.read_table(block, columns=["top1"])["top1"][image].as_py())
        return classes[answer], answer == int(target)
    predicted = [logit >= 0 for logit in pq.read_table(block, columns=["logits"])["logits"][image].as_py()]
    right = all(one == bool(other) for one, other in zip(predicted, target.tolist(), strict=True) if other in (0, 1))
    return _named(predicted, classes), right


def _named(there: Sequence[bool], classes: Sequence[str]) -> str:
    return ", ".join(name for name, one in zip(classes, there, strict=True) if one) or "nothing"
