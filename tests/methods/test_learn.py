"""LEARN: shapes, the four terms against numbers written down, and gradients that reach the auto-encoder alone.

Covers METHODS 8 item 9 and the typical mistakes of LEARN: a head or statistics that train, features rebuilt onto
themselves, centres with gradient or of occluded latents, an inter-class term without a least value, sizes that do not
come back.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction, Training, extend
from occbench.methods.learn import Learn, class_centres, inter_class_loss, intra_class_loss
from occbench.methods.learn_autoencoder import AutoEncoder
from occbench.models.load import load_backbone


def test_it_has_the_papers_number_of_parameters():
    """arXiv 2402.06936: "0.7M parameters for VGG16", whose last map has 512 channels; 2048 is ResNet-50's."""
    assert sum(weight.numel() for weight in AutoEncoder(512).parameters()) == 701_216
    assert sum(weight.numel() for weight in AutoEncoder(2048).parameters()) == 2_472_224


@pytest.mark.parametrize("sides", [(7, 7), (14, 14), (7, 9), (4, 6), (3, 8), (2, 2), (1, 1), (13, 28)])
def test_a_rebuilt_map_has_the_maps_own_shape(sides):
    model = AutoEncoder(5)
    maps = torch.rand(2, 5, *sides)
    rebuilt = model(maps)
    assert rebuilt.shape == maps.shape
    assert (rebuilt >= 0).all()


def test_the_latent_of_a_7_by_7_map_has_32_numbers():
    assert AutoEncoder(8).encode(torch.rand(3, 8, 7, 7)).shape == (3, 32, 1, 1)


def test_centres_are_means_of_clean_latents_without_gradient():
    clean = torch.tensor([[1.0, 0.0], [0.0, 4.0], [3.0, 2.0]], requires_grad=True)
    centres, members = class_centres(clean, torch.tensor([7, 2, 7]))
    assert torch.equal(centres, torch.tensor([[0.0, 4.0], [2.0, 1.0]]))
    assert members.tolist() == [1, 0, 1]
    assert not centres.requires_grad


def test_the_latent_terms_are_those_written_down():
    latents = torch.tensor([[3.0, 4.0], [-1.0, 0.0]], requires_grad=True)
    centres, members = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1])
    # squared distances 4 + 16 and 1 + 4, mean over 2 images
    assert intra_class_loss(latents, centres, members).item() == pytest.approx((20 + 5) / 2)
    # the first image meets the centre (0, 2) at cosine 4/5; the second meets (1, 0) at -1, which counts 0
    assert inter_class_loss(latents, centres, members).item() == pytest.approx((0.8 + 0.0) / 2)
    step = torch.autograd.grad(intra_class_loss(latents, centres, members), latents)[0]
    assert torch.allclose(step, torch.tensor([[2.0, 4.0], [-1.0, -2.0]]))


def test_the_inter_class_term_is_bounded_and_never_negative():
    draws = torch.Generator().manual_seed(0)
    for scale in (1e-3, 1.0, 1e4):
        latents, labels = scale * torch.randn(12, 6, generator=draws), torch.arange(12) % 3
        value = inter_class_loss(latents, *class_centres(latents, labels)).item()
        assert 0 <= value <= 1
    alone = torch.randn(4, 6, generator=draws)
    assert inter_class_loss(alone, *class_centres(alone, torch.zeros(4, dtype=torch.int64))).item() == 0


@pytest.fixture
def trained_on(tiny_materials):
    """Return a function that makes a run of LEARN over four toy images."""

    def make(method):
        materials = tiny_materials(train={"augment": "none"})
        model = load_backbone("tiny", 12)
        model.select_trainable("all")
        model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map=True)
        extend(pipeline, method, 0)
        run = Training(pipeline, materials, materials.benchmark.arms["C-Full"], ActivationCache(), 0)
        images = materials.train
        run.batch = ImageBatch(
            lambda: images.images[:4].float(), lambda: torch.zeros(4, 1, 1, 1), None, range(4), torch.Tensor.float
        )
        model.train()
        return run, pipeline.inputs(images.images[:4]), images.labels[:4], model

    return make


def test_each_term_alone_is_what_the_equation_says(trained_on):
    run, inputs, labels, model = trained_on(Learn())
    state = run.draws.get_state()
    occluded = run.occluded_inputs()
    encoder = run.module
    clean_maps, maps = run.features(inputs), run.features(occluded)
    assert not torch.equal(clean_maps, maps)
    rebuilt = encoder(maps)
    centres, members = class_centres(normalize(encoder.encode(clean_maps).flatten(1)), labels)
    codes = normalize(encoder.encode(maps).flatten(1))
    expected = {
        "rec": ((rebuilt - clean_maps) ** 2).mean(),
        "intra": intra_class_loss(codes, centres, members),
        "inter": inter_class_loss(codes, centres, members),
        "cls": cross_entropy(model.head(model.pool(rebuilt)), labels),
    }
    for name, value in expected.items():
        only = dict.fromkeys(expected, 0.0) | {name: 1.0}
        run.draws.set_state(state)
        found = Learn(**only, clean=0.0, clean_share=0.0).loss(run, inputs, labels)
        assert found.item() == pytest.approx(value.item(), rel=1e-5), name


def test_gradients_reach_the_auto_encoder_alone(trained_on):
    run, inputs, labels, model = trained_on(Learn())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Learn().loss(run, inputs, labels).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.extension.parameters())
    assert all(weight.grad is None for half in (model.trunk, model.head) for weight in half.parameters())
    assert not any(layer.training for layer in model.trunk.modules() if isinstance(layer, nn.BatchNorm2d))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_training_leaves_network_and_head_bit_for_bit(tiny_materials, tmp_path):
    materials = tiny_materials(train={"epochs": 2, "batch_size": 8, "augment": "none", "lr_head": 0.01})
    start = load_backbone("tiny", 12)
    model = load_backbone("tiny", 12)
    model.freeze()
    pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map=True)
    method = Learn()
    extend(pipeline, method, 0)
    fresh = {name: value.clone() for name, value in model.extension.state_dict().items()}
    arm, rule = materials.benchmark.arms["C-Full"], materials.benchmark.train
    train(pipeline, method, arm, materials, rule=rule, seed=0, folder=tmp_path, cache=ActivationCache())
    for half in ("trunk", "head"):
        for name, value in getattr(model, half).state_dict().items():
            assert torch.equal(value, getattr(start, half).state_dict()[name]), f"{half}.{name}"
    assert any(not torch.equal(value, fresh[name]) for name, value in model.extension.state_dict().items())


def test_kept_feature_maps_end_in_the_same_weights(tiny_materials, tmp_path):
    """Images that are not augmented come again: what the frozen network makes of them is computed once."""
    materials = tiny_materials(train={"epochs": 3, "batch_size": 8, "augment": "none", "lr_head": 0.01})
    arm, rule = materials.benchmark.arms["C-Full"], materials.benchmark.train
    weights = []
    for name, budget in (("kept", 10**9), ("again", 0)):
        model = load_backbone("tiny", 12)
        model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map=True)
        extend(pipeline, Learn(), 0)
        train(
            pipeline, Learn(), arm, materials,
            rule=rule, seed=0, folder=tmp_path / name, cache=ActivationCache(budget),
        )  # fmt: skip
        weights.append(model.extension.state_dict())
    for name, value in weights[0].items():
        assert torch.allclose(value, weights[1][name], rtol=1e-4, atol=1e-6), name


def test_longer_weights_do_not_lower_the_latent_terms(trained_on):
    """Otherwise training runs away: occluded features are weaker, and growing weights bring them nearer to a centre."""
    run, inputs, labels, _ = trained_on(Learn())
    state = run.draws.get_state()
    only = Learn(rec=0.0, cls=0.0, clean_share=0.0)
    before = only.loss(run, inputs, labels).item()
    with torch.no_grad():
        run.module.latent.weight.mul_(7)
        run.module.latent.bias.mul_(7)
    run.draws.set_state(state)
    assert only.loss(run, inputs, labels).item() == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("views", [0, 2])
def test_a_stopped_training_goes_on_to_the_same_weights_bit_for_bit(tiny_materials, tmp_path, views):
    """Kept feature maps and new ones must have one layout in memory, or sums of them round differently."""
    materials = tiny_materials(train={"epochs": 2, "batch_size": 8, "augment": "none", "lr_head": 0.01})
    arm, rule, method = materials.benchmark.arms["C"], materials.benchmark.train, Learn(views=views)

    class Stopped(Exception):  # noqa: N818 - as by a key
        pass

    def stop(_):
        raise Stopped

    def go(folder, on_epoch=lambda _: None):
        model = load_backbone("tiny", 12)
        model.freeze()
        pipeline = Pipeline(model, torch.device("cpu"), "fp32", keep_map=True)
        extend(pipeline, method, 0)
        train(
            pipeline, method, arm, materials,
            rule=rule, seed=0, folder=tmp_path / folder, cache=ActivationCache(), on_epoch=on_epoch,
        )  # fmt: skip
        return model.extension.state_dict()

    whole = go("whole")
    with pytest.raises(Stopped):
        go("stopped", stop)
    resumed = go("stopped")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_few_views_of_an_image_are_the_same_for_every_seed(trained_on):
    run, _, _, _ = trained_on(Learn())
    occluder = run._occluder
    seen = {
        seed: {
            condition.name
            for _ in range(30)
            for condition in occluder.draw([3], torch.Generator().manual_seed(seed + 100 * _), 2)
        }
        for seed in (0, 1)
    }
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2
    every = {condition.name for _ in range(60) for condition in occluder.draw([3], run.draws)}
    assert every == {condition.name for condition in occluder.conditions}


class OnePlace(Prediction):
    """Maps of one place and two channels: without negative weights the auto-encoder is a product of six matrices."""

    def __init__(self, occluded):
        draws = torch.Generator().manual_seed(0)
        self.built, self.linear = AutoEncoder(2), torch.randn(3, 2, generator=draws)
        self.occluded = occluded
        self.draws = draws
        with torch.no_grad():
            for name, weight in self.built.named_parameters():
                weight.copy_(torch.rand(weight.shape, generator=draws) / 30 if "weight" in name else torch.zeros(()))

    module = property(lambda self: self.built)

    def occluded_inputs(self, views=0):
        return self.occluded

    def features(self, inputs):
        return inputs

    def pool(self, maps):
        return maps.flatten(1)

    def head(self, vectors):
        return vectors @ self.linear.T


def by_hand(term, run, clean, occluded, labels):
    """Return the gradient of a term for the encoder's last matrix, float64[32, 64], in numpy."""
    weights = {name: value.detach().double().numpy() for name, value in run.built.named_parameters()}
    # convolutions keep [out, in], transposed ones [in, out]; at one place only the middle of the kernel counts
    down1, down2, last = (weights[f"{name}.weight"][:, :, 1, 1] for name in ("down1", "down2", "latent"))
    up1, up2, out = (weights[f"{name}.weight"][:, :, 1, 1].T for name in ("up1", "up2", "out"))
    clean, occluded = (maps.flatten(1).double().numpy() for maps in (clean, occluded))
    inner, inner_clean = (maps @ down1.T @ down2.T for maps in (occluded, clean))
    latents, decoder = inner @ last.T, out @ up2 @ up1
    count = len(labels)
    lengths = np.linalg.norm(latents, axis=1, keepdims=True)
    codes = latents / lengths
    clean_codes = inner_clean @ last.T
    clean_codes /= np.linalg.norm(clean_codes, axis=1, keepdims=True)
    centres = np.stack([clean_codes[labels.numpy() == label].mean(0) for label in range(3)])
    if term == "rec":
        slope = 2 * (latents @ decoder.T - clean) @ decoder / clean.size
    elif term == "cls":
        logits = latents @ decoder.T @ run.linear.double().numpy().T
        likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        slope = (likely - np.eye(3)[labels]) @ run.linear.double().numpy() @ decoder / count
    else:
        if term == "intra":
            of_codes = 2 * (codes - centres[labels]) / count
        else:  # all cosines of vectors without negative numbers count
            directions = centres / np.linalg.norm(centres, axis=1, keepdims=True)
            of_codes = (directions.sum(0) - directions[labels]) / (2 * count)
        slope = (of_codes - (of_codes * codes).sum(1, keepdims=True) * codes) / lengths
    return slope.T @ inner


@pytest.mark.parametrize("term", ["rec", "intra", "inter", "cls"])
def test_one_step_of_each_term_is_the_one_computed_by_hand(term):
    draws = torch.Generator().manual_seed(5)
    clean, occluded = (torch.rand(6, 2, 1, 1, generator=draws) + 0.1 for _ in range(2))
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    run = OnePlace(occluded)
    expected = run.built.latent.weight.detach().clone()
    expected[:, :, 1, 1] -= 200 * torch.from_numpy(by_hand(term, run, clean, occluded, labels)).float()
    optimizer = torch.optim.SGD(run.built.parameters(), lr=200)
    only = dict.fromkeys(("rec", "intra", "inter", "cls"), 0.0) | {term: 1.0}
    before = run.built.latent.weight.detach().clone()
    Learn(**only, clean=0.0, clean_share=0.0).loss(run, clean, labels).backward()
    optimizer.step()
    assert (run.built.latent.weight - before).abs().max() > 0.005  # of weights up to 0.033
    assert torch.allclose(run.built.latent.weight, expected, rtol=1e-4, atol=1e-6)
