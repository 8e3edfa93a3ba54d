"""Probes on frozen features of the image towers that a reader expects, from a checkpoint without a head."""

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from sklearn.neighbors import KNeighborsClassifier

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.materials import load_materials
from occbench.bench.protocol.cell import cells
from occbench.bench.running.run import run_cell
from occbench.core.errors import ConfigError
from occbench.models.timm_models import TimmArchitecture

CLIP = "vit_xsmall_patch16_clip_224"


@pytest.mark.parametrize(
    ("model", "dim"),
    [
        ("vit_small_patch14_dinov2", 384),
        ("vit_base_patch14_reg4_dinov2", 768),
        ("vit_base_patch16_clip_224", 768),
        (CLIP, 256),
    ],
)
def test_the_features_of_an_image_tower_are_those_in_front_of_its_classifier(model, dim):
    with torch.device("meta"):  # shapes without arithmetic
        architecture = TimmArchitecture(model)
        cut = architecture.cut(architecture.build(7).eval())
        vectors = cut.trunk(torch.empty(2, 3, cut.size_px, cut.size_px))
    assert vectors.shape == (2, dim)
    assert cut.head.in_features == dim


@pytest.fixture
def checkpoint(tmp_path):
    """A tower's weights as self-supervised ones come: without a classifier."""
    torch.manual_seed(0)
    network = timm.create_model(CLIP, pretrained=False, num_classes=0)
    save_file(network.state_dict(), tmp_path / "tower.safetensors")
    return tmp_path / "tower.safetensors"


@pytest.mark.slow
def test_a_probe_looks_at_the_towers_own_features(tiny_benchmark, checkpoint, tmp_path):
    """Accuracy on clean images is scikit-learn's on what timm makes of them."""
    content = tiny_benchmark().model_dump(mode="json") | {
        "backbones": [f"timm/{CLIP}"],
        "prepare": {"rule": "direct", "size_px": 224},
        "arms": {"knn": {"method": {"name": "knn", "neighbours": 5, "temperature": None}}},
    }
    benchmark = type(tiny_benchmark()).model_validate(content)
    materials = load_materials(benchmark, benchmark.source_at(""))
    (cell,) = cells(benchmark, {f"timm/{CLIP}": checkpoint}, materials.fingerprint)
    records = run_cell(cell, materials, tmp_path / "runs", ActivationCache())
    found = next(item.value for item in records if item.group == "clean" and item.metric == "top1")
    network = timm.create_model(CLIP, pretrained=False, num_classes=0).eval()
    network.load_state_dict(load_file(checkpoint))
    mean, std = (torch.tensor(network.pretrained_cfg[name]).view(3, 1, 1) for name in ("mean", "std"))

    def features(images):
        with torch.no_grad():
            return network((images.images[:] / 255 - mean) / std).numpy()

    peer = KNeighborsClassifier(5, metric="cosine").fit(features(materials.train), materials.train.labels)
    assert found == pytest.approx(100 * peer.score(features(materials.test), materials.test.labels))


def test_a_network_that_pools_a_class_token_is_told_so_by_methods_of_maps(tiny_benchmark, checkpoint, tmp_path):
    content = tiny_benchmark().model_dump(mode="json") | {
        "backbones": [f"timm/{CLIP}"],
        "prepare": {"rule": "direct", "size_px": 224},
        "arms": {"learn": {"method": {"name": "learn"}}},
    }
    benchmark = type(tiny_benchmark()).model_validate(content)
    materials = load_materials(benchmark, benchmark.source_at(""))
    (cell,) = cells(benchmark, {f"timm/{CLIP}": checkpoint}, materials.fingerprint)
    with pytest.raises(ConfigError, match=r"class token.* Use a CNN"):
        run_cell(cell, materials, tmp_path / "runs", ActivationCache())
