"""Mixed batches: the pixels of the renderer, and answers that do not depend on the company."""

import numpy as np
import pytest
import torch

from occbench.bench.ready.ready_images import load_test_set
from occbench.bench.scoring.classify import RenderedPixels, StoredPixels, classify
from occbench.data.datasets import StoredDataset
from occbench.data.manifest import read_manifest

CELLS = np.array([3, 0, 11, 3, 7, 5, 1]), np.array([0, 7, 2, 1, 7, 4, 3])


@pytest.fixture(scope="module")
def stored(finished):
    return finished(layout="materialised")


@pytest.fixture(scope="module")
def test(stored):
    return load_test_set(stored, read_manifest(stored), "test")


def test_rendered_and_stored_pixels_are_those_of_the_renderer(stored, test):
    rendered = RenderedPixels(test, test.conditions[1:], torch.device("cpu"))(*CELLS)
    assert rendered.shape == (7, 3, 48, 48)
    for pixels, image, column in zip(rendered, *CELLS, strict=True):
        alone, _ = test.renderer.render(test.images.examples[image], test.conditions[1 + column])
        assert np.array_equal(pixels.permute(1, 2, 0).numpy(), alone)
    assert torch.equal(StoredPixels(StoredDataset(stored))(*CELLS), rendered)


def test_an_answer_does_not_depend_on_the_batch(make_pipeline, test):
    pipeline, labels = make_pipeline(classes=3), test.images.labels
    pixels = RenderedPixels(test, test.conditions[1:], torch.device("cpu"))
    together = classify(pipeline, pixels, labels, CELLS, batch_size=5)
    for place in range(7):
        one = CELLS[0][place : place + 1], CELLS[1][place : place + 1]
        alone = classify(pipeline, pixels, labels, one, batch_size=5)
        assert [part.item() for part in alone] == [part[place].item() for part in together]
