"""CSRA equals its definition, on maps of convolutional networks and on the patches of vision transformers."""

import pytest
import torch
from torch.nn.functional import softmax

from occbench.models.csra import CSRA, ResidualAttention
from occbench.models.load import load_backbone
from occbench.models.map_head import attach_head

TEMPERATURES = {1: (1,), 2: (1, 99), 4: (1, 2, 4, 99), 6: (1, 2, 3, 4, 5, 99), 8: (1, 2, 3, 4, 5, 6, 7, 99)}


@pytest.fixture
def maps():
    return torch.randn(3, 16, 5, 7, generator=torch.Generator().manual_seed(0))


def test_one_head_at_the_maximum_is_the_four_lines_of_the_paper(maps):
    """METHODS 8 item 10; Zhu and Wu, ICCV 2021, figure 2: flatten, mean, max, and their sum."""
    head = ResidualAttention(16, 4, temperatures=(99,), strength=0.3, seed=1)
    weight = head.weight[0] / head.weight[0].norm(dim=1, keepdim=True)
    score = torch.einsum("ck,bkhw->bchw", weight, maps).flatten(2)
    base_logit = torch.mean(score, dim=2)
    att_logit = torch.max(score, dim=2)[0]
    assert torch.allclose(head(maps), base_logit + 0.3 * att_logit, atol=1e-6)


@pytest.mark.parametrize("heads", TEMPERATURES)
def test_heads_of_all_temperatures_are_summed(maps, heads):
    head = CSRA(heads=heads, strength=0.4).build(16, 4, seed=5)
    expected = torch.zeros(3, 4)
    for weight, temperature in zip(head.weight, TEMPERATURES[heads], strict=True):
        for image in range(3):
            for label in range(4):
                places = maps[image].flatten(1).T @ weight[label] / weight[label].norm()
                share = softmax(temperature * places, dim=0)
                attended = places.max() if temperature == 99 else (share * places).sum()
                expected[image, label] += places.mean() + 0.4 * attended
    assert torch.allclose(head(maps), expected, atol=1e-5)


def test_without_strength_it_is_the_mean_of_the_map_under_unit_classifiers(maps):
    head = CSRA(strength=0.0).build(16, 4, seed=0)
    weight = head.weight[0] / head.weight[0].norm(dim=1, keepdim=True)
    assert torch.allclose(head(maps), maps.mean((2, 3)) @ weight.T, atol=1e-6)


def test_the_length_of_a_classifier_does_not_matter(maps):
    head = CSRA(heads=2).build(16, 4, seed=0)
    before = head(maps)
    with torch.no_grad():
        head.weight *= 7
    assert torch.allclose(head(maps), before, atol=1e-5)


def test_weights_are_drawn_from_the_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = (CSRA(heads=4).build(16, 4, seed=seed).weight for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.abs().max() <= 0.25
    assert torch.equal(torch.random.get_rng_state(), before)


NETWORKS = [
    # name, channels, side of the map, side of the image
    ("tiny", 128, 4, 64),
    ("torchvision/resnet18", 512, 7, 224),
    ("torchvision/resnet18", 512, 14, 448),
    ("torchvision/vgg11", 512, 7, 224),
    ("torchvision/convnext_tiny", 768, 7, 224),
    ("timm/resnet18", 512, 7, 224),
    ("timm/vit_tiny_patch16_224", 192, 14, 224),
    ("timm/vit_tiny_patch16_224", 192, 28, 448),
]


@pytest.mark.parametrize(("name", "channels", "side", "size_px"), NETWORKS)
def test_it_goes_on_any_network_with_a_map(name, channels, side, size_px):
    backbone = load_backbone(name, 1000 if "/" in name else 12).eval()
    images = torch.randn(1, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        known = backbone.features(images)
        attach_head(backbone, CSRA(heads=2), 9, seed=0)
        backbone.eval()
        assert torch.equal(backbone.trunk(images), known)
        logits = backbone(images)
        prefix, stages, pool = backbone.split_trunk()
        assert torch.equal(backbone.head(pool(stages(prefix(images)))), logits)
    assert known.shape == (1, channels, side, side)
    assert logits.shape == (1, 9)
    assert (backbone.dim, backbone.num_classes) == (channels, 9)
    assert backbone.provenance["head"] == "CSRA(heads=2, strength=0.1), seed 0"


def test_the_class_token_is_dropped_and_patches_stand_where_they_came_from():
    """Numbered tokens: the first is gone, the others stand row by row."""
    backbone = load_backbone("timm/vit_tiny_patch16_224", 1000).eval()
    attach_head(backbone, CSRA(), 5, seed=0)
    backbone.eval()
    feature_map = next(layer for step, layer in backbone.trunk.stages.named_children() if step == "map")
    tokens = torch.arange(1 + 196.0).view(1, -1, 1)
    assert torch.equal(feature_map(tokens), torch.arange(1, 197.0).view(1, 1, 14, 14))


@pytest.mark.parametrize(("name", "side"), [("torchvision/vit_b_32", 7), ("timm/vit_tiny_patch16_224", 14)])
def test_positions_of_another_size_are_interpolated_and_those_of_its_own_untouched(name, side):
    backbone = load_backbone(name, 1000).eval()
    embedded = []
    stem = backbone.trunk.stages[0]
    layer = stem if name.startswith("torchvision") else stem.model.pos_drop
    layer.register_forward_hook(lambda _module, _inputs, output: embedded.append(output))
    positions = stem[0].positions if name.startswith("torchvision") else stem.model.pos_embed
    with torch.no_grad():
        positions.copy_(torch.linspace(-1, 1, positions.shape[1]).view(1, -1, 1).expand_as(positions))
        for size_px in (224, 448):
            backbone(torch.zeros(1, 3, size_px, size_px))
    base, doubled = (tokens - tokens[:, 1:2] for tokens in embedded)  # the image is the same everywhere
    grid, fine = base[0, 1:, 0].view(side, side), doubled[0, 1:, 0].view(2 * side, 2 * side)
    assert torch.allclose(grid, (positions[0, 1:, 0] - positions[0, 1, 0]).view(side, side), atol=1e-5)
    inner = slice(4, 2 * side - 4)  # beside the border the ramp bends
    assert torch.allclose(fine[inner, inner].diff(dim=0).mean(), grid.diff(dim=0).mean() / 2, rtol=0.02)


@pytest.mark.parametrize("rule", ["all", "layer4+fc", "head"])
def test_the_layers_that_train_are_those_of_the_trunk_as_before(rule):
    plain, attached = (load_backbone("torchvision/resnet18", 1000) for _ in range(2))
    attach_head(attached, CSRA(), 9, seed=0)
    for backbone in (plain, attached):
        backbone.select_trainable(rule)
    names = [
        {name for name, weight in backbone.trunk.named_parameters() if weight.requires_grad}
        for backbone in (plain, attached)
    ]
    assert names[0] == names[1]
    groups = attached.parameter_groups(0.01, 0.1)
    assert {group["name"]: group["lr"] for group in groups}["head"] == 0.1
    assert [weight.shape for group in groups if group["name"] == "head" for weight in group["params"]] == [(1, 9, 512)]
