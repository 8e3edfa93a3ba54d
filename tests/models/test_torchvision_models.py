"""Properties of cut torchvision networks: the cut changes nothing, and stands where the papers put it."""

import urllib.error

import pytest
import torch
from torch import nn

from occbench.core.errors import ConfigError, PluginError
from occbench.models.linear_head import last_linear
from occbench.models.torchvision_models import TorchvisionArchitecture

FAMILIES = [
    # model, length of the feature vector, feature map of a 64 px image
    ("resnet18", 512, (512, 2, 2)),
    ("resnet50", 2048, (2048, 2, 2)),
    ("vgg11", 4096, (512, 2, 2)),
    ("convnext_tiny", 768, (768, 2, 2)),
    ("swin_t", 768, (768, 2, 2)),
    ("efficientnet_b0", 1280, (1280, 2, 2)),
    ("mobilenet_v3_small", 1024, (576, 2, 2)),
    ("mobilenet_v2", 1280, (1280, 2, 2)),
    ("densenet121", 1024, (1024, 2, 2)),
    ("regnet_y_400mf", 440, (440, 2, 2)),
]


@pytest.mark.parametrize(("model", "dim", "map_shape"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_trunk_and_head_give_the_whole_networks_logits_exactly(model, dim, map_shape):
    architecture = TorchvisionArchitecture(model)
    network = architecture.build(5).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(images)
        cut = architecture.cut(network)
        feature_map = cut.trunk.features(images)
        vectors = cut.trunk(images)
        assert torch.equal(cut.head(vectors), expected)
        assert torch.equal(cut.trunk.pool(feature_map), vectors)
    assert vectors.shape == (2, dim)
    assert feature_map.shape == (2, *map_shape)
    assert last_linear(cut.head).in_features == dim
    assert (cut.mean, cut.std, cut.size_px) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224)


def test_vision_transformer_gives_exact_logits_and_a_patch_map():
    architecture = TorchvisionArchitecture("vit_b_32")
    network = architecture.build(5).eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = network(images)
        cut = architecture.cut(network)
        assert torch.equal(cut.head(cut.trunk(images)), expected)
        assert cut.trunk.features(images).shape == (1, 768, 7, 7)
    assert not cut.trunk.pools_map
    assert not any(name.startswith(("stages.stage3", "stages.stem")) for name in cut.trunk.last_stage)
    assert len({name.split(".")[2] for name in cut.trunk.last_stage}) == 4  # 3 of 12 blocks and the final norm


def test_vgg_vector_is_fc7_after_its_relu_and_the_last_dropout_stays_in_the_head():
    architecture = TorchvisionArchitecture("vgg11")
    with torch.device("meta"):
        cut = architecture.cut(architecture.build(5))
    assert isinstance(cut.trunk.pool[-1], nn.ReLU)
    assert cut.trunk.pool[-2].out_features == 4096
    assert [type(layer) for layer in cut.head] == [nn.Dropout, nn.Linear]
    convolutions = {name for name in cut.trunk.last_stage if name.startswith("stages.")}
    assert len(convolutions) == 4  # conv5_1 and conv5_2, weight and bias
    assert len(cut.trunk.last_stage - convolutions) == 4  # fc6 and fc7


def test_size_and_weights_follow_the_models_own_recipe():
    architecture = TorchvisionArchitecture("efficientnet_b3")
    with torch.device("meta"):
        assert architecture.cut(architecture.build(2)).size_px == 300
    assert TorchvisionArchitecture("resnet50").pretrained_id.startswith("IMAGENET1K_V1 resnet50-")
    assert TorchvisionArchitecture("resnet50.IMAGENET1K_V2").pretrained_id.startswith("IMAGENET1K_V2 resnet50-")


def test_unknown_names_are_answered_with_close_ones():
    with pytest.raises(PluginError, match=r"no classification network 'resnet19'. Did you mean .*resnet18"):
        TorchvisionArchitecture("resnet19")
    with pytest.raises(PluginError, match=r"no published weights 'V9'. It has: IMAGENET1K_V1, IMAGENET1K_V2"):
        TorchvisionArchitecture("resnet50.V9")


def test_family_that_cannot_be_cut_is_named():
    architecture = TorchvisionArchitecture("squeezenet1_1")
    with torch.device("meta"), pytest.raises(PluginError, match=r"squeezenet1_1 cannot be cut .* ResNet, VGG"):
        architecture.cut(architecture.build(2))


def test_failed_download_says_how_to_give_a_file(monkeypatch, tmp_path):
    def no_network(*_args, **_kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    message = r"cannot be downloaded .*no route.*resnet18-.*pth elsewhere and give --weights torchvision/resnet18=FILE"
    with pytest.raises(ConfigError, match=message):
        TorchvisionArchitecture("resnet18").build_pretrained()
