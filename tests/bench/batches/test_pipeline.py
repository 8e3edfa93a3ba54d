"""From pixels to the trainable part of a model: frozen stages are run once, alike for every image.

Covers two of the typical mistakes of METHODS 2.8: 2 (members of a pair prepared differently) and 9 (frozen layers left
in training mode).
"""

import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache

RULES = ["all", "head", "layer4+fc", "channels>=128"]


@pytest.fixture(scope="module")
def pixels(tiny_materials):
    return tiny_materials().train.images[:6]


@pytest.mark.parametrize("trainable", RULES)
def test_prefix_and_rest_are_the_trunk(make_pipeline, pixels, trainable):
    pipeline = make_pipeline(trainable)
    pipeline.model.eval()
    with torch.no_grad():
        expected = pipeline.model.trunk(pipeline.model.normalise(pixels))
        assert torch.equal(pipeline.vectors(pipeline.inputs(pixels)), expected)


@pytest.mark.parametrize("trainable", RULES)
def test_gradients_start_behind_the_prefix(make_pipeline, pixels, trainable):
    pipeline = make_pipeline(trainable)
    inputs = pipeline.inputs(pixels)
    assert not inputs.requires_grad
    pipeline.model.head(pipeline.vectors(inputs)).sum().backward()
    for name, weight in pipeline.model.named_parameters():
        assert (weight.grad is not None) == weight.requires_grad, name


def test_every_image_is_prepared_alike_whatever_its_company(make_pipeline, pixels):
    """Mistake 2: clean and occluded go through one function with one mean and deviation."""
    pipeline = make_pipeline("all")
    together = pipeline.inputs(pixels)
    assert torch.equal(torch.cat([pipeline.inputs(one[None]) for one in pixels]), together)
    assert torch.allclose(together, (pixels.float() / 255 - 0.5) / 0.25, atol=1e-6)


def test_the_pixels_are_left_as_they_are(make_pipeline, pixels):
    before = pixels.clone()
    make_pipeline("all").inputs(pixels)
    assert torch.equal(pixels, before)


def test_the_hash_names_the_frozen_stages_and_nothing_else(make_pipeline):
    one = make_pipeline("layer4+fc").prefix_hash
    assert len(one) == 64
    assert make_pipeline("layer4+fc").prefix_hash == one
    assert make_pipeline("layer4+fc", classes=5).prefix_hash == one, "the head is not frozen"
    assert make_pipeline("layer4+fc", precision="bf16").prefix_hash != one
    assert make_pipeline("layer4+fc", seed=1).prefix_hash != one
    assert make_pipeline("head").prefix_hash != one
    assert make_pipeline("all").prefix_hash == ""


def test_a_changed_frozen_statistic_is_another_prefix(make_pipeline):
    one, other = make_pipeline("head"), make_pipeline("head")
    other.model.trunk.stages[0][1].running_mean[0] += 1e-6
    assert one.prefix_hash != other.prefix_hash


def test_frozen_statistics_do_not_move_in_training_mode(make_pipeline, pixels):
    """Mistake 9: frozen BatchNorm in training mode would drift."""
    pipeline = make_pipeline("layer4+fc")
    before = {name: value.clone() for name, value in pipeline.model.frozen_state().items()}
    pipeline.model.train()
    moved = pipeline.model.trunk.stages[-1][1].running_mean.clone()
    pipeline.vectors(pipeline.inputs(pixels))
    assert all(torch.equal(before[name], value) for name, value in pipeline.model.frozen_state().items())
    assert not torch.equal(pipeline.model.trunk.stages[-1][1].running_mean, moved)


class Counter:
    """A computation that counts how often it is done."""

    def __init__(self, numbers):
        self.calls, self._numbers = 0, numbers

    def __call__(self):
        self.calls += 1
        return torch.arange(self._numbers, dtype=torch.float32)


def test_the_cache_computes_once():
    cache, one, other = ActivationCache(), Counter(3), Counter(4)
    for _ in range(3):
        assert cache.recall(("a",), one).tolist() == [0, 1, 2]
        assert cache.recall(("b",), other).tolist() == [0, 1, 2, 3]
    assert (one.calls, other.calls) == (1, 1)


def test_what_exceeds_the_budget_is_computed_again_and_smaller_things_still_fit():
    cache, large, small = ActivationCache(budget_bytes=20), Counter(6), Counter(5)
    for _ in range(2):
        cache.recall(("large",), large)
        cache.recall(("small",), small)
    assert (large.calls, small.calls) == (2, 1)
