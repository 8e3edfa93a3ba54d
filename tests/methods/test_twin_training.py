"""Equation 1 of arXiv 2504.06432: images and twins weighted by alpha, their silhouettes by beta."""

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.training.training_run import Prediction
from occbench.core.errors import ConfigError
from occbench.methods.fine_tune import FineTune
from occbench.methods.part_blackout import PartBlackout
from occbench.methods.part_replace import PartReplace
from occbench.methods.sd_inpaint import DiffusionInpaint

METHODS = (PartBlackout, PartReplace, DiffusionInpaint)


@pytest.fixture
def run(make_pipeline, tiny_materials):
    """A run in training mode whose batch are four images with their part masks."""
    images = tiny_materials().train
    masks = torch.stack(
        [torch.from_numpy(sum(part.astype("f4") for part in example.parts.values())) for example in images.examples[:4]]
    )
    made = Prediction(make_pipeline())
    # soft edges, as an augmentation leaves them
    made.batch = ImageBatch(images.images[:4].float, lambda: masks[:, None].clamp(max=1) * 0.8, None)
    made.labels = images.labels[:4]
    made.network = made._pipeline.model.train()
    return made


def test_one_step_equals_the_one_written_down_for_two_samples():
    """METHODS 8: one optimiser step of equation 1, with every gradient by hand."""
    draws = torch.Generator().manual_seed(3)
    trunk, head = torch.randn(12, 5, generator=draws), torch.randn(5, 3, generator=draws)
    pixels = 255 * torch.rand(2, 3, 2, 2, generator=draws)
    masks = torch.tensor([[[1.0, 0.0], [0.6, 0.4]], [[0.0, 0.0], [1.0, 1.0]]])[:, None]
    labels, alpha, beta, rate = torch.tensor([2, 0]), 0.7, 0.4, 0.05

    class Linear(Prediction):
        """Trunk and head are matrices; the input is the image in -0.5..0.5."""

        def __init__(self):
            self.trunk, self.linear = trunk.clone().requires_grad_(), head.clone().requires_grad_()
            self.batch = ImageBatch(lambda: pixels, lambda: masks, None)

        def inputs(self, images):
            return (images / 255 - 0.5).flatten(1)

        def vectors(self, inputs):
            return inputs @ self.trunk

        def head(self, vectors):
            return vectors @ self.linear

        def held_statistics(self):
            return torch.enable_grad()  # there are no statistics to hold

    run = Linear()
    optimizer = torch.optim.SGD([run.trunk, run.linear], lr=rate)
    loss = PartBlackout(alpha, beta).loss(run, run.inputs(pixels), labels)
    loss.backward()
    optimizer.step()

    silhouettes = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 1]]).repeat(1, 3) - 0.5  # over a half is in; three channels
    expected, of_trunk, of_head = 0.0, torch.zeros(12, 5), torch.zeros(5, 3)
    for weight, inputs in ((alpha, (pixels / 255 - 0.5).flatten(1)), (beta, silhouettes)):
        for row in range(2):
            vector = inputs[row] @ trunk
            share = (vector @ head).exp() / (vector @ head).exp().sum()
            error = share - one_hot(labels[row], 3)
            expected -= weight * share[labels[row]].log().item() / 2
            of_head += weight * torch.outer(vector, error) / 2
            of_trunk += weight * torch.outer(inputs[row], head @ error) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(run.linear, head - rate * of_head, atol=1e-6)
    assert torch.allclose(run.trunk, trunk - rate * of_trunk, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_without_beta_it_is_alpha_times_cross_entropy_and_no_mask_is_asked_for(run, method):
    def refuse():
        raise AssertionError("a mask was asked for")

    run.batch = ImageBatch(run.batch.pixels, refuse, None)
    inputs = run.inputs(run.batch.pixels())
    plain = FineTune().loss(run, inputs, run.labels)
    assert torch.equal(method().loss(run, inputs, run.labels), plain)
    assert torch.equal(method(alpha=0.5).loss(run, inputs, run.labels), 0.5 * plain)


@pytest.mark.parametrize("method", METHODS)
def test_silhouettes_are_classified_white_on_black_and_leave_the_statistics_alone(run, method):
    shown, network = [], run.network
    inputs = run.inputs(run.batch.pixels())

    class Watching(Prediction):
        def inputs(self, pixels):
            shown.append(pixels)
            return super().inputs(pixels)

    watching = Watching(run._pipeline)
    watching.batch = run.batch
    modes = [layer.training for layer in network.modules()]
    before = {name: value.clone() for name, value in network.named_buffers()}
    plain = FineTune().loss(watching, inputs, run.labels)
    moved = {name: value.clone() for name, value in network.named_buffers()}
    for name, value in network.named_buffers():  # back to the start, for the same step once more
        value.copy_(before[name])
    both = method(beta=0.5).loss(watching, inputs, run.labels)
    (pixels,) = shown
    assert pixels.shape == (4, 3, 32, 32)
    assert pixels.unique().tolist() == [0.0, 255.0]
    assert torch.equal(pixels[:, :1] > 0, run.batch.masks() > 0.5)
    assert torch.equal(pixels[:, 0], pixels[:, 2])
    # photographs move the statistics, silhouettes do not
    assert all(torch.equal(value, moved[name]) for name, value in network.named_buffers())
    assert not all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    assert [layer.training for layer in network.modules()] == modes
    network.eval()
    own = cross_entropy(network(run.inputs(pixels)), run.labels)
    assert both.item() == pytest.approx((plain + 0.5 * own).item(), rel=1e-5)


def test_silhouettes_need_masks(tiny_materials, make_pipeline):
    """A source without masks is said so, and what to do about it."""
    from occbench.bench.batches.augment import Geometry
    from occbench.bench.batches.batch import silhouettes
    from occbench.bench.images.images import ImageSet

    drawn = tiny_materials().train
    bare = ImageSet.of(
        [dataclasses.replace(example, parts={}, object_mask=None) for example in drawn.examples[:2]], drawn.labels[:2]
    )
    run = Prediction(make_pipeline())
    device = torch.device("cpu")
    run.batch = ImageBatch(bare.images[:].float, lambda: silhouettes(bare, [0, 1], Geometry(), device), None)
    inputs = run.inputs(run.batch.pixels())
    PartBlackout().loss(run, inputs, bare.labels)
    with pytest.raises(ConfigError, match=r"trains on silhouettes.*or set beta to 0"):
        PartBlackout(beta=0.1).loss(run, inputs, bare.labels)


def test_each_has_its_family_and_the_inferred_weights():
    assert [method.twins for method in METHODS] == ["part_blackout", "part_replace", "inpaint"]
    assert all((method().alpha, method().beta) == (1.0, 0.0) for method in METHODS)
