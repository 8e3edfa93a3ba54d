"""CompositionalNets: activations, likelihood and loss against numbers written down; what trains and what does not."""

import math

import pytest
import torch
from torch import nn

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, extend
from occbench.methods.compositional_model import CompositionalModel
from occbench.methods.compositional_net import CompositionalNet
from occbench.models.load import load_backbone


@pytest.fixture
def small():
    """Two kernels in two dimensions, two classes of one mixture, two places, one background; kappa 2, prior 0.6."""
    model = CompositionalModel(2.0, 0.6)
    mixtures = torch.tensor([[[[0.9, 0.5], [0.1, 0.5]]], [[[0.2, 0.0], [0.8, 3.0]]]])  # class, mixture, kernel, place
    model.put(kernels=torch.tensor([[3.0, 0.0], [0.0, 0.5]]), mixtures=mixtures, backgrounds=torch.tensor([[0.5, 0.5]]))
    return model


@pytest.fixture
def maps():
    """One image of two places: (0.6, 0.8) times 5, and (-1, 0), which is at -1 and 0 from the kernels."""
    return torch.tensor([[[[3.0, -1.0]], [[4.0, 0.0]]]])


def test_activations_are_those_written_down(small, maps):
    cosines = small.cosines(maps)
    assert torch.allclose(cosines, torch.tensor([[[0.6, -1.0], [0.8, 0.0]]]))
    expected = torch.tensor([[[math.exp(1.2), 0.0], [math.exp(1.6), 0.0]]])  # a cosine of 0 counts as none
    assert torch.allclose(small.activations(cosines), expected)


def test_scores_are_those_written_down(small, maps):
    """Both classes' shares of the first place sum to 1; of the second class's second place, 3 is cut to 1."""
    one, two = math.exp(1.2), math.exp(1.6)
    nothing = math.log(1e-10)  # of the second place, where no kernel is near
    occluder = math.log(0.6 * (0.5 * one + 0.5 * two) + 1e-10)
    objects = [math.log(0.4 * (0.9 * one + 0.1 * two) + 1e-10), math.log(0.4 * (0.2 * one + 0.8 * two) + 1e-10)]
    expected = [(max(value, occluder) + nothing) / 2 for value in objects]
    assert small.scores(small.cosines(maps))[0].tolist() == pytest.approx(expected, rel=1e-5)


def test_the_best_mixture_and_background_count_for_the_whole_image():
    """A class's score is that of one mixture and one background, never of another one at each place."""
    model = CompositionalModel(5.0, 0.5)
    first = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # kernel, place: expects kernel 0, then kernel 1
    mixtures = torch.stack([first, first.flip(0)])[None]
    model.put(kernels=torch.eye(2), mixtures=mixtures, backgrounds=torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    maps = torch.tensor([[[[1.0, 1.0]], [[0.0, 0.0]]]])  # kernel 0 at both places
    fits = math.log(math.exp(5) * 0.5 + 1e-10)
    # background 1 explains both places; without it each mixture explains one of them
    assert model.scores(model.cosines(maps)).item() == pytest.approx(fits, rel=1e-5)
    model.put(backgrounds=torch.tensor([[0.0, 0.0], [0.0, 0.0]]))
    assert model.scores(model.cosines(maps)).item() == pytest.approx((fits + math.log(1e-10)) / 2, rel=1e-5)


class MapsRun(Prediction):
    def __init__(self, model):
        self.model = model

    module = property(lambda self: self.model)

    def features(self, inputs):
        return inputs


@pytest.mark.parametrize("legacy", [False, True])
def test_the_loss_is_the_sum_of_its_terms(small, legacy):
    maps = torch.rand(3, 2, 1, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1])
    cosines = small.cosines(maps)
    scores = small.scores(cosines)
    likely = (2 * scores).softmax(1)
    if legacy:  # probabilities taken for logits
        likely = likely.softmax(1)
    rows = torch.arange(3)
    expected = (
        -likely[rows, labels].log().mean() + 0.7 * (1 - cosines.amax(1)).mean() - 0.3 * scores[rows, labels].mean()
    )
    method = CompositionalNet(vmf=0.7, mixture=0.3, legacy_double_softmax=legacy)
    assert method.loss(MapsRun(small), maps, labels).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_vmf_term_draws_kernels_to_their_vectors_alone(small, maps):
    """One step: the nearest kernel of each place turns towards it, and no mixture moves."""
    only = CompositionalNet(vmf=1.0, mixture=0.0)
    loss = only.loss(MapsRun(small), maps, torch.tensor([0]))
    bare = CompositionalNet(vmf=0.0, mixture=0.0).loss(MapsRun(small), maps, torch.tensor([0]))
    slope, mixtures = torch.autograd.grad(loss - bare, [small.kernels, small.mixtures], allow_unused=True)
    # kernel 1, of length 0.5 along y, is the nearest of both places: f_1 = (0.6, 0.8) and f_2 = (-1, 0), a mean of two
    tangent = torch.tensor([0.6, 0.0]) / 0.5 + torch.tensor([-1.0, 0.0]) / 0.5
    assert torch.allclose(slope, torch.stack([torch.zeros(2), -tangent / 2]), atol=1e-5)
    assert mixtures is None or not mixtures.abs().gt(1e-6).any()


@pytest.fixture
def pipeline_of():
    def make(method):
        model = load_backbone("tiny", 12)
        model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map=True)
        extend(pipeline, method, 0)
        return pipeline

    return make


METHOD = CompositionalNet(kernels=12, mixtures=2, natural=3)


def test_training_moves_kernels_and_mixtures_alone_and_resumes(pipeline_of, tiny_materials, tmp_path):
    materials = tiny_materials(train={"epochs": 2, "batch_size": 8, "augment": "none", "lr_head": 0.01})
    arm, rule = materials.benchmark.arms["C"], materials.benchmark.train

    class Stopped(Exception):  # noqa: N818 - as by a key
        pass

    def stop(epoch):
        raise Stopped

    whole, broken = pipeline_of(METHOD), pipeline_of(METHOD)
    train(whole, METHOD, arm, materials, rule=rule, seed=0, folder=tmp_path / "whole", cache=ActivationCache())
    with pytest.raises(Stopped):
        train(
            broken, METHOD, arm, materials,
            rule=rule, seed=0, folder=tmp_path / "broken", cache=ActivationCache(), on_epoch=stop,
        )  # fmt: skip
    resumed = pipeline_of(METHOD)
    train(resumed, METHOD, arm, materials, rule=rule, seed=0, folder=tmp_path / "broken", cache=ActivationCache())
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    start = load_backbone("tiny", 12)
    for half in ("trunk", "head"):
        for name, value in getattr(start, half).state_dict().items():
            assert torch.equal(value, getattr(whole.model, half).state_dict()[name]), name
    model = whole.model.extension
    places = 2 * 2  # of a 32 px image
    assert model.kernels.shape == (12, 128)
    assert model.mixtures.shape == (12, 2, 12, places)
    assert model.backgrounds.shape == (2 + 3, 12)
    assert [name for name, _ in model.named_parameters()] == ["kernels", "mixtures"]


def test_it_starts_from_encodings_that_are_shares(pipeline_of, tiny_materials, tmp_path):
    from occbench.bench.training.training_run import Training

    materials = tiny_materials()
    pipeline = pipeline_of(METHOD)
    pipeline.model.eval()
    run = Training(pipeline, materials, materials.benchmark.arms["C"], ActivationCache(), 0)
    with torch.no_grad():
        METHOD.on_training_start(run)
    model = pipeline.model.extension
    for weights, dim in ((model.mixtures, 2), (model.backgrounds, 1)):
        sums = weights.sum(dim)
        assert torch.allclose(sums, torch.ones_like(sums), atol=2e-2)  # encodings are held in half precision
        assert (weights >= 0).all()
    assert torch.allclose(model.kernels.norm(dim=1), torch.ones(12), atol=1e-5)


def test_the_frozen_networks_statistics_stay(pipeline_of):
    pipeline = pipeline_of(METHOD)
    pipeline.model.train()
    assert not any(layer.training for layer in pipeline.model.trunk.modules() if isinstance(layer, nn.BatchNorm2d))
