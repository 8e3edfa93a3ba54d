"""Properties of cut timm networks."""

import huggingface_hub
import pytest
import torch

from occbench.core.errors import ConfigError, PluginError
from occbench.models.timm_models import TimmArchitecture

FAMILIES = [
    # model, length of the feature vector, feature map, whether the vector is pooled from the map
    ("resnet18", 512, (512, 7, 7), True),
    ("convnext_atto", 320, (320, 7, 7), True),
    ("vit_tiny_patch16_224", 192, (192, 14, 14), False),
    ("swin_tiny_patch4_window7_224", 768, (768, 7, 7), True),
    ("mobilenetv3_small_050", 1024, (288, 7, 7), True),
]


@pytest.mark.parametrize(("model", "dim", "map_shape", "pools"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_trunk_and_head_give_the_whole_networks_logits_exactly(model, dim, map_shape, pools):
    architecture = TimmArchitecture(model)
    network = architecture.build(5).eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = network(images)
        cut = architecture.cut(network)
        vectors = cut.trunk(images)
        feature_map = cut.trunk.features(images)
        assert torch.equal(cut.head(vectors), expected)
        assert cut.trunk.pools_map is pools
        if pools:
            assert torch.equal(cut.trunk.pool(feature_map), vectors)
    assert vectors.shape == (1, dim)
    assert feature_map.shape == (1, *map_shape)
    assert cut.head.in_features == dim
    assert cut.size_px == 224


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        ("resnet18", ["stages.layer4."]),
        ("convnext_atto", ["stages.features.model.stages.3.", "stages.features.model.head.norm."]),
        (
            "vit_tiny_patch16_224",
            ["stages.features.model.norm.", *(f"stages.features.model.blocks.{block}." for block in (9, 10, 11))],
        ),
        ("swin_tiny_patch4_window7_224", ["stages.features.model.layers.3.", "stages.features.model.norm."]),
    ],
)
def test_last_stage_is_the_last_quarter_and_what_follows_it(model, stages):
    architecture = TimmArchitecture(model)
    trunk = architecture.cut(architecture.build(5)).trunk
    names = [name for name, _ in trunk.named_parameters()]
    assert trunk.last_stage == {name for name in names if name.startswith(tuple(stages))}
    assert all(any(name.startswith(stage) for name in names) for stage in stages)


def test_networks_normalise_with_their_own_statistics():
    architecture = TimmArchitecture("vit_tiny_patch16_224")
    cut = architecture.cut(architecture.build(2))
    assert (cut.mean, cut.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_unknown_names_are_answered_with_close_ones():
    with pytest.raises(PluginError, match=r"timm has no network 'resnet19'. Did you mean .*resnet18"):
        TimmArchitecture("resnet19")
    with pytest.raises(PluginError, match=r"resnet18 has no published weights 'nobody'. It has: .*a1_in1k"):
        TimmArchitecture("resnet18.nobody")
    assert TimmArchitecture("resnet18").pretrained_id == "resnet18.a1_in1k"


def test_network_with_two_classifiers_is_refused():
    architecture = TimmArchitecture("deit_tiny_distilled_patch16_224")
    with pytest.raises(ConfigError, match="does not end in one linear layer"):
        architecture.cut(architecture.build(2))


def test_failed_download_says_how_to_give_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot be downloaded .* give --weights timm/convnext_atto=FILE"):
        TimmArchitecture("convnext_atto").build_pretrained()
