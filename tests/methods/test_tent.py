"""TENT: one step against the entropy's gradient written down, what it touches, and where it starts anew."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.cell import cells
from occbench.bench.running.run import run_cell
from occbench.bench.scoring.predictions import read_outcomes
from occbench.bench.scoring.test_set import test_set
from occbench.bench.training.training_run import Prediction
from occbench.core.errors import ConfigError
from occbench.methods.tent import Tent, entropy
from occbench.models.trainable import adaptable


def behind(names=None):
    return ImageBatch(lambda: torch.empty(0), lambda: torch.empty(0), names)


def test_entropy_is_the_mean_of_the_answers():
    logits = torch.tensor([[0.0, 0.0], [0.0, torch.log(torch.tensor(3.0))]])
    quarter = 0.25 * torch.log(torch.tensor(4.0)) + 0.75 * torch.log(torch.tensor(4 / 3))
    assert entropy(logits).item() == pytest.approx(float(torch.log(torch.tensor(2.0)) + quarter) / 2)


class OneLayer(Prediction):
    """BatchNorm of feature vectors, then a matrix: everything can be differentiated by hand."""

    def __init__(self):
        draws = torch.Generator().manual_seed(0)
        self.layer = nn.BatchNorm1d(4).eval()
        with torch.no_grad():
            self.layer.weight.copy_(torch.rand(4, generator=draws) + 0.5)
            self.layer.running_mean.fill_(7.0)
        self.linear = nn.Linear(4, 3, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(torch.randn(3, 4, generator=draws))
        self.network = nn.Sequential(self.layer, self.linear)
        self.memory = {}
        self.batch = behind()

    def adaptable(self):
        return adaptable(self.network)

    def vectors(self, inputs):
        return self.layer(inputs)

    def head(self, vectors):
        return self.linear(vectors)


def test_one_step_is_the_gradient_written_down():
    """dH/dlogit_c = - p_c (log p_c + H) / B, through logits = W (scale x^ + shift) with x^ normalised by the batch."""
    run, rate = OneLayer(), 0.3
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    scale, shift, matrix = (weight.detach().clone() for weight in run.network.parameters())
    normal = (inputs - inputs.mean(0)) / (inputs.var(0, unbiased=False) + run.layer.eps).sqrt()
    likely = ((normal * scale + shift) @ matrix.T).softmax(1)
    own = -(likely * likely.log()).sum(1, keepdim=True)
    slope = -likely * (likely.log() + own) / 5 @ matrix
    adapted = normal * (scale - rate * (slope * normal).sum(0)) + shift - rate * slope.sum(0)
    with torch.inference_mode():
        found = Tent(lr=rate).predict(run, inputs)
    assert torch.allclose(found, adapted @ matrix.T, atol=1e-5)
    kept = run.memory["adapted"]
    assert torch.allclose(kept[0], scale - rate * (slope * normal).sum(0), atol=1e-5)
    assert torch.allclose(kept[1], shift - rate * slope.sum(0), atol=1e-5)


def test_the_network_is_what_it_was_afterwards(make_pipeline):
    pipeline = make_pipeline("layer4+fc")
    pipeline.model.eval()
    before = {name: value.clone() for name, value in pipeline.model.state_dict().items()}
    trains = [weight.requires_grad for weight in pipeline.model.parameters()]
    run = Prediction(pipeline)
    inputs = pipeline.inputs(torch.rand(6, 3, 32, 32) * 255)
    run.ask(Tent(lr=1.0), inputs, behind())
    for name, value in pipeline.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert [weight.requires_grad for weight in pipeline.model.parameters()] == trains
    assert all(weight.grad is None for weight in pipeline.model.parameters())


def test_only_scales_and_shifts_of_layers_that_train_are_adapted(make_pipeline):
    pipeline = make_pipeline("layer4+fc")
    pipeline.model.eval()
    last = [layer for layer in pipeline.model.trunk.stages[-1].modules() if isinstance(layer, nn.BatchNorm2d)]
    run = Prediction(pipeline)
    with run.adaptable() as weights:
        assert {id(weight) for weight in weights} == {id(one) for layer in last for one in (layer.weight, layer.bias)}
        assert [weight for weight in pipeline.model.parameters() if weight.requires_grad] == weights
        assert all(layer.running_mean is None for layer in last)
        earlier = next(layer for layer in pipeline.model.modules() if isinstance(layer, nn.BatchNorm2d))
        assert earlier.running_mean is not None
    assert all(layer.running_mean is not None for layer in last)


def test_adaptation_goes_on_within_a_column_and_a_batch_alone_starts_anew(make_pipeline):
    pipeline = make_pipeline()
    pipeline.model.eval()
    one, other = (pipeline.inputs(torch.rand(6, 3, 32, 32) * 255) for _ in range(2))

    def answers(method, *batches):
        run = Prediction(pipeline)
        return [run.ask(method, batch, behind()) for batch in batches][-1]

    column, batch = Tent(lr=1.0), Tent(lr=1.0, reset="batch")
    assert not torch.allclose(answers(column, one, other), answers(column, other))
    assert torch.equal(answers(batch, one, other), answers(batch, other))
    assert torch.equal(answers(column, other), answers(batch, other))


def test_an_image_that_fills_a_batch_up_counts_once(make_pipeline):
    pipeline = make_pipeline()
    pipeline.model.eval()
    inputs = pipeline.inputs(torch.rand(5, 3, 32, 32) * 255)
    filled = torch.cat([inputs, inputs[-1:].expand(4, -1, -1, -1)])
    names = [*"abcde", *"eeee"]
    bare = Prediction(pipeline).ask(Tent(lr=1.0), inputs, behind(list("abcde")))
    found = Prediction(pipeline).ask(Tent(lr=1.0), filled, behind(names))
    assert torch.equal(found[:5], bare)
    assert torch.equal(found[5:], bare[-1:].expand(4, -1))


@pytest.fixture
def cell_of(tiny_benchmark, tiny_materials):
    """Return a function that makes (cell, materials) of TENT with other test conditions."""

    def make(**changes):
        arms = {"tent": {"method": {"name": "tent", "lr": 0.5}}}
        changed = {"train": {"epochs": 1}, **changes}
        materials = tiny_materials(**changed)
        benchmark = tiny_benchmark(**changed).model_copy(update={"arms": tiny_benchmark().arms})
        content = benchmark.model_dump(mode="json") | {"arms": arms}
        made = type(benchmark).model_validate(content)
        materials = replace(materials, benchmark=made)
        return next(cells(made, {}, materials.fingerprint)), materials

    return make


def test_a_column_does_not_depend_on_those_scored_before_it(cell_of, tmp_path):
    """All six patterns, or the last one alone: its answers are the same."""
    cell, materials = cell_of()
    run_cell(cell, materials, tmp_path, ActivationCache())
    test = test_set(materials)
    folder = tmp_path / cell.fingerprint / "scores" / test.fingerprint
    whole = read_outcomes(folder, test.conditions)
    last = test.conditions[-1]
    for block in folder.glob("*"):
        if last.name in block.name:
            block.unlink()
    assert len(list(folder.glob("*"))) == len(test.conditions) - 1
    run_cell(cell, materials, tmp_path, ActivationCache())
    again = read_outcomes(folder, test.conditions)
    assert (whole.correct == again.correct).all()


def test_a_precision_is_refused(cell_of, tmp_path):
    cell, materials = cell_of()
    with pytest.raises(ConfigError, match=r"arm tent adapts to whole test columns .*--half-width"):
        run_cell(cell, materials, tmp_path, ActivationCache(), half_width=0.05)


def test_a_network_that_cannot_be_adapted_is_refused(make_pipeline):
    with pytest.raises(ConfigError, match="tent adapts BatchNorm, and no such layer"):
        Tent().build(Prediction(make_pipeline("head")))
