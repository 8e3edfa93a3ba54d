"""How fast the network alone is: the yardstick that the cost of scoring is held against."""

import time
from statistics import median
from typing import Final

import torch

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.scoring.classify import logits_of
from occbench.bench.scoring.test_set import TestSet

__all__ = ["bare_images_per_s"]

#: Forward passes that are timed, after one that is not; a fixed number, for processes that share a batch keep step.
_PASSES: Final = 3


@torch.inference_mode()
def bare_images_per_s(pipeline: Pipeline, test: TestSet, batch_size: int) -> float:
    """Return how many images a second pass the whole network, from pixels that lie on the device to logits.

    Nothing is rendered, kept, compared or written, and no method is asked; precision and batch are those of scoring.

    Args:
        pipeline: the model.
        test: whose first images are classified.
        batch_size: images in a forward pass; fewer where the test set is smaller.
    """
    pipeline.model.eval()
    rows = slice(0, min(batch_size, len(test.images)))
    pixels = test.on(pipeline.device).render(rows, test.conditions[0])
    _pass_s(pipeline, pixels)
    return len(pixels) / median(_pass_s(pipeline, pixels) for _ in range(_PASSES))


def _pass_s(pipeline: Pipeline, pixels: torch.Tensor) -> float:
    started = time.perf_counter()
    with pipeline.autocast():
        logits = logits_of(pipeline, pipeline.inputs(pixels))
    if logits.is_cuda:
        torch.cuda.synchronize(logits.device)
    return max(time.perf_counter() - started, 1e-9)
