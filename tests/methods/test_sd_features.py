"""Diffusion features: equal to the plain network at first, fused as written down, and taken of what the network sees.

Covers METHODS 8, item 11: step-0 logits, cached features equal to recomputed ones, the masked tensor on both paths.
"""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, layer_norm

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.batches.side import side_vectors
from occbench.bench.images.images import render_batch
from occbench.bench.scoring.score import score
from occbench.bench.scoring.test_set import TestSet
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, extend
from occbench.core.build import build_plugin
from occbench.core.errors import ConfigError
from occbench.core.training import Method
from occbench.methods.fine_tune import FineTune
from occbench.methods.sd_features import DiffusionFusion

TINY = f"{Path(__file__).parents[1] / 'contracts' / 'colour_extractor.py'}:ColourPlaces"
FUSIONS = ("concat", "add", "gated")


@pytest.fixture
def images(tiny_materials):
    return tiny_materials().train


@pytest.fixture
def run_of(make_pipeline, images):
    """Return a function that makes a run with a method's module, its batch the first eight images."""

    def make(method, seed=0, name="tiny"):
        pipeline = make_pipeline(name=name)
        extend(pipeline, method, seed)
        run = Prediction(pipeline)
        run.batch = ImageBatch(images.images[:8].float, lambda: None, images.keys[:8])
        run.network = pipeline.model
        return run

    return make


def side_of(run):
    return side_vectors(TINY, {}, run.batch, ActivationCache())


@pytest.mark.parametrize("name", ["tiny", "torchvision/resnet18", "timm/convnext_atto"])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_at_the_first_step_logits_and_gradients_are_those_of_the_plain_network(run_of, images, fusion, name):
    method = DiffusionFusion(fusion, TINY)
    run = run_of(method, name=name)
    run.network.eval()
    inputs, labels = run.inputs(run.batch.pixels()), images.labels[:8]
    plain = run.network(inputs)
    assert torch.equal(method.predict(run, inputs), plain)
    of_plain = torch.autograd.grad(FineTune().loss(run, inputs, labels), list(run.network.head.parameters()))
    of_fused = torch.autograd.grad(method.loss(run, inputs, labels), list(run.network.head.parameters()))
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(of_plain, of_fused, strict=True))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_everything_learns_within_two_steps(run_of, images, fusion):
    """What starts at zero must not keep what stands before it from learning."""
    method = DiffusionFusion(fusion, TINY)
    run = run_of(method)
    before = {name: weight.detach().clone() for name, weight in run.network.named_parameters()}
    optimizer = torch.optim.SGD(run.network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        method.loss(run, run.inputs(run.batch.pixels()), images.labels[:8]).backward()
        optimizer.step()
    still = {name for name, weight in run.network.named_parameters() if torch.equal(weight, before[name])}
    assert not still
    assert torch.isfinite(method.predict(run, run.inputs(run.batch.pixels()))).all()


def trained(run):
    """Give a run's module weights that are not zero."""
    draws = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in run.module.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=draws))
    run.network.eval()
    return run


def test_concat_is_a_linear_head_on_the_concatenation(run_of):
    run = trained(run_of(method := DiffusionFusion("concat", TINY)))
    inputs, module, head = run.inputs(run.batch.pixels()), run.module, run.network.head
    own = layer_norm(side_of(run) @ module.project.weight.T, (128,), module.norm.weight, module.norm.bias)
    weight = torch.cat([head.weight, module.head.weight], dim=1)
    expected = torch.cat([run.vectors(inputs), own], dim=1) @ weight.T + head.bias
    assert torch.allclose(method.predict(run, inputs), expected, atol=1e-4)


def test_add_and_gated_change_the_feature_vector(run_of):
    for fusion in ("add", "gated"):
        run = trained(run_of(method := DiffusionFusion(fusion, TINY)))
        inputs, module = run.inputs(run.batch.pixels()), run.module
        vectors = run.vectors(inputs)
        own = layer_norm(side_of(run) @ module.project.weight.T, (128,), module.norm.weight, module.norm.bias)
        gate = 1.0
        if fusion == "gated":
            gate = (torch.cat([vectors, own], dim=1) @ module.gate.weight.T + module.gate.bias).tanh()
        assert torch.allclose(method.predict(run, inputs), run.head(vectors + gate * own), atol=1e-4)


def test_options_go_to_the_extractor_and_those_left_out_do_not():
    assert DiffusionFusion()._options == {}
    given = {"model": "m", "revision": "r", "block": "mid", "timestep": 0, "size_px": 64, "dtype": "fp32"}
    assert DiffusionFusion(**given)._options == given
    method = build_plugin("sd_features", "methods", Method, {"extractor": TINY, "block": "mid"})
    with pytest.raises(ConfigError, match="has no option block"):
        method.build(Prediction(None))


def test_the_extractor_sees_the_occluded_image_at_test_time(run_of, tiny_materials, tmp_path):
    """METHODS 8, item 11: what is hidden from the classifier is hidden from the diffusion model, too."""
    materials, seen = tiny_materials(), {}
    method = DiffusionFusion("concat", TINY)
    run = trained(run_of(method))
    test = TestSet(materials.test, materials.renderer, materials.test_conditions, "test")

    def predict(inputs, batch):
        run.batch = batch
        for name, pixels in zip(batch.names, batch.pixels(), strict=True):
            seen[name] = pixels
        return method.predict(run, inputs)

    score(predict, run._pipeline, test, tmp_path, cache=ActivationCache())
    assert len(seen) == len(materials.test) * len(test.conditions)
    for condition in test.conditions:
        whole = slice(0, len(materials.test))
        shown = render_batch(materials.test, whole, condition, materials.renderer, torch.device("cpu")).float()
        for key, pixels in zip(materials.test.keys, shown, strict=True):
            (name,) = [name for name in seen if name.startswith(f"{key}~") and name.endswith(f"-{condition.name}")]
            assert torch.equal(seen[name], pixels)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_kept_features_train_to_the_same_weights_as_recomputed_ones(make_pipeline, tiny_materials, tmp_path, fusion):
    materials = tiny_materials(train={"augment": "none", "epochs": 2, "batch_size": 12})
    method, weights = DiffusionFusion(fusion, TINY), []
    for budget in (10**9, 0):
        pipeline, folder = make_pipeline(), tmp_path / f"{fusion}-{budget}"
        extend(pipeline, method, 0)
        train(
            pipeline, method, materials.benchmark.arms["C"], materials,
            rule=materials.benchmark.train, seed=1, folder=folder, cache=ActivationCache(budget),
        )  # fmt: skip
        weights.append(pipeline.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_with_a_real_diffusion_pipeline(run_of, images, tiny_pipeline):
    method = DiffusionFusion(model=str(tiny_pipeline), block="up0", dtype="fp32")
    run = run_of(method)
    inputs, labels = run.inputs(run.batch.pixels()), images.labels[:8]
    run.network.eval()
    assert torch.equal(method.predict(run, inputs), run.network(inputs))
    run.network.train()
    loss = method.loss(run, inputs, labels)
    loss.backward()
    assert run.module.head.weight.grad.any()
    side = run.side_vectors("diffusion_features", method._options)
    assert side.shape == (8, 32)
    again = side_vectors("diffusion_features", method._options, run.batch, ActivationCache())
    assert torch.equal(side, again)
    dark = ImageBatch(lambda: run.batch.pixels() / 2, run.batch.masks, None)
    assert not torch.equal(side_vectors("diffusion_features", method._options, dark, ActivationCache()), side)
    assert loss.item() == pytest.approx(cross_entropy(run.network.train()(inputs), labels).item(), rel=1e-5)


def test_a_model_that_is_not_there_is_one_clear_line(make_pipeline):
    with pytest.raises(ConfigError) as caught:
        extend(make_pipeline(), DiffusionFusion(model="/nowhere/at/all"), 0)
    assert "/nowhere/at/all" in str(caught.value)
    assert "\n" not in str(caught.value)
