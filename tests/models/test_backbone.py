"""Properties of a backbone: normalisation, training mode of frozen parts, optimiser groups, the frozen prefix."""

import copy

import pytest
import torch
from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.load import load_backbone


def images_px(count=4, side=64):
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def training_step(backbone):
    optimiser = torch.optim.SGD(backbone.parameter_groups(lr_trunk=0.1, lr_head=0.1), momentum=0.9)
    backbone.train()
    images = images_px()
    loss = nn.functional.cross_entropy(backbone(backbone.normalise(images)), torch.arange(len(images)) % 2)
    loss.backward()
    optimiser.step()


def test_normalise_is_per_channel_and_keeps_the_memory_format():
    backbone = load_backbone("torchvision/resnet18", 2)
    images = images_px().contiguous(memory_format=torch.channels_last)
    normalised = backbone.normalise(images)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (images / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(normalised, expected)
    assert normalised.dtype == torch.float32
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    assert images.dtype == torch.uint8


@pytest.mark.parametrize(
    ("name", "rule", "trainable"),
    [
        ("torchvision/resnet18", "layer4+fc", ("trunk.stages.layer4", "head")),
        ("torchvision/resnet18", "head", ("head",)),
        ("timm/resnet18", "last-stage", ("trunk.stages.layer4", "head")),
        ("tiny", "last-stage", ("trunk.stages.stage4", "head")),
    ],
)
def test_training_changes_what_the_rule_names_and_nothing_else(name, rule, trainable):
    backbone = load_backbone(name, 2, seed=1)
    backbone.select_trainable(rule)
    before = copy.deepcopy(backbone.state_dict())
    training_step(backbone)
    training_step(backbone)
    changed = {key for key, tensor in backbone.state_dict().items() if not torch.equal(tensor, before[key])}
    # BatchNorm's running statistics and counters are part of the state, so frozen ones are covered too.
    assert changed == {key for key in before if key.startswith(trainable)}


def test_frozen_batchnorm_stays_in_evaluation_mode_however_train_is_called():
    backbone = load_backbone("torchvision/resnet18", 2)
    backbone.train()
    backbone.select_trainable("layer4+fc")
    for _ in range(2):
        modes = {
            name: layer.training for name, layer in backbone.trunk.named_modules() if isinstance(layer, nn.BatchNorm2d)
        }
        assert all(training == name.startswith("stages.layer4") for name, training in modes.items())
        backbone.eval()
        assert not any(module.training for module in backbone.modules())
        backbone.train()
    backbone.select_trainable("all")
    assert all(module.training for module in backbone.modules())


def test_running_statistics_are_used_and_held_where_batch_norm_still_trains():
    model = load_backbone("tiny", 3)
    model.select_trainable("all", running_statistics=True)
    model.train()
    before = {name: value.clone() for name, value in model.named_buffers() if "running" in name}
    assert before
    images = model.normalise(torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8))
    alone, together = model.trunk(images[:1]), model.trunk(images)
    torch.testing.assert_close(together[:1], alone)  # no statistics of the batch
    model.trunk(images).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers() if name in before)
    norms = [layer for layer in model.trunk.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert norms
    assert all(layer.weight.requires_grad and layer.weight.grad is not None for layer in norms)
    assert model.training  # dropout and the rest stay in training mode


def test_frozen_dropout_is_off_and_the_heads_dropout_on():
    with torch.device("meta"):
        backbone = load_backbone("torchvision/vgg11", 2)
    backbone.select_trainable("head")
    backbone.train()
    assert [layer.training for layer in backbone.trunk.pool if isinstance(layer, nn.Dropout)] == [False]
    assert backbone.head[0].training


@pytest.mark.parametrize("name", ["torchvision/resnet18", "timm/resnet18", "tiny", "timm/convnext_atto"])
@pytest.mark.parametrize("rule", ["all", "head", "layer4+fc", "channels>=512"])
def test_what_follows_the_prefix_gives_the_network(name, rule):
    backbone = load_backbone(name, 3, seed=2).train()
    backbone.select_trainable(rule)
    prefix, stages, pool = backbone.split_trunk()
    images = backbone.normalise(images_px(3))
    activation = prefix(images)
    kept = activation.clone()
    assert not activation.requires_grad
    torch.manual_seed(0)
    expected = backbone(images)
    torch.manual_seed(0)
    assert torch.equal(backbone.head(pool(stages(activation))), expected)
    assert torch.equal(activation, kept)  # a cached activation is never changed in place
    if rule == "all":
        assert torch.equal(activation, images)
    if rule == "head":
        assert activation.shape == (3, backbone.dim)
    if rule == "layer4+fc" and name.endswith("resnet18"):
        assert activation.shape == (3, 256, 4, 4)


def test_head_never_changes_the_feature_vector_in_place():
    backbone = load_backbone("torchvision/mobilenet_v3_small", 3).train()
    vectors = torch.randn(4, backbone.dim)
    kept = vectors.clone()
    backbone.head(vectors)
    assert torch.equal(vectors, kept)


def test_parameter_groups_hold_the_trainable_parameters_with_their_rates():
    backbone = load_backbone("tiny", 3)
    backbone.select_trainable("last-stage")
    trunk, head = backbone.parameter_groups(lr_trunk=0.001, lr_head=0.01)
    assert (trunk["lr"], head["lr"]) == (0.001, 0.01)
    assert {id(weight) for weight in trunk["params"]} == {
        id(weight) for weight in backbone.trunk.stages[3].parameters()
    }
    assert {id(weight) for weight in head["params"]} == {id(weight) for weight in backbone.head.parameters()}
    backbone.select_trainable("head")
    assert [group["name"] for group in backbone.parameter_groups(0.001, 0.01)] == ["head"]


def test_copies_are_independent():
    backbone = load_backbone("timm/convnext_atto", 2, seed=4).eval()
    twin = copy.deepcopy(backbone)
    images = backbone.normalise(images_px(1))
    with torch.no_grad():
        before = twin(images)
        for weight in backbone.parameters():
            weight.zero_()
        assert torch.equal(twin(images), before)
        assert not backbone(images).any()


def test_state_dict_holds_every_parameter_once():
    backbone = load_backbone("timm/convnext_atto", 2)
    held = sum(tensor.numel() for tensor in backbone.state_dict().values())
    assert held == sum(weight.numel() for weight in backbone.parameters())


def test_class_token_networks_have_a_map_but_do_not_pool_it():
    backbone = load_backbone("timm/vit_tiny_patch16_224", 2).eval()
    with torch.no_grad():
        feature_map = backbone.features(backbone.normalise(images_px(1, side=224)))
    with pytest.raises(ConfigError, match="from a class token"):
        backbone.pool(feature_map)
