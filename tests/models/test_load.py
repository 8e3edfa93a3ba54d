"""Properties of loading a backbone by name: seeds, checkpoints, heads, and the real weights where they are."""

import hashlib

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from occbench.core.errors import ConfigError, PluginError
from occbench.models.load import find_architecture, load_backbone


def checkpoint_of(name, num_classes, path):
    network = find_architecture(name).build(num_classes)
    save_file(network.state_dict(), path)
    return network.eval()


def test_random_weights_depend_on_the_seed_alone():
    first = load_backbone("tiny", 3, seed=5)
    state = torch.get_rng_state()
    again, other = load_backbone("tiny", 3, seed=5), load_backbone("tiny", 3, seed=6)
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(first.head.weight, other.head.weight)
    assert not torch.equal(first.trunk.stages[0][0].weight, other.trunk.stages[0][0].weight)


@pytest.mark.parametrize("name", ["tiny", "torchvision/resnet18", "timm/resnet18"])
def test_checkpoint_gives_its_networks_logits_and_its_hash(tmp_path, name):
    file = tmp_path / "net.safetensors"
    network = checkpoint_of(name, 4, file)
    backbone = load_backbone(name, 4, weights=file).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(backbone(images), network(images))
    assert backbone.provenance == {
        "architecture": name,
        "weights": f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}",
        "head": "as in the weights",
    }


def test_other_classes_get_a_new_head_fixed_by_the_seed(tmp_path):
    file = tmp_path / "net.safetensors"
    network = checkpoint_of("tiny", 4, file)
    first, again, other = (load_backbone("tiny", 7, weights=file, seed=seed) for seed in (1, 1, 2))
    assert first.num_classes == 7
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
    assert torch.equal(first.trunk.stages[0][0].weight, network.stages[0][0].weight)
    assert first.provenance["head"] == "re-initialised, seed 1"


def test_headless_checkpoint_gets_a_new_head(tmp_path):
    network = find_architecture("timm/vit_tiny_patch16_224").build(4)
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("head.")}
    save_file(state, tmp_path / "self_supervised.safetensors")
    load = {"weights": tmp_path / "self_supervised.safetensors", "seed": 3}
    first, again = (load_backbone("timm/vit_tiny_patch16_224", 4, **load) for _ in range(2))
    assert torch.equal(first.head.weight, again.head.weight)
    assert first.provenance["head"] == "re-initialised, seed 3"
    assert torch.equal(first.trunk.stages.features.model.cls_token, network.cls_token)
    with pytest.raises(ConfigError, match="has no head to take rows of"):
        load_backbone("timm/vit_tiny_patch16_224", 2, head_rows=[0, 1], **load)


def test_head_rows_keep_the_chosen_classes_logits(tmp_path):
    file = tmp_path / "net.safetensors"
    network = checkpoint_of("tiny", 6, file)
    backbone = load_backbone("tiny", 3, weights=file, head_rows=[5, 0, 2]).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), network(images)[:, [5, 0, 2]])
    assert backbone.provenance["head_rows"] == [5, 0, 2]


def test_dropout_stays_in_front_of_a_new_head(tmp_path):
    file = tmp_path / "net.safetensors"
    checkpoint_of("torchvision/mobilenet_v3_small", 4, file)
    backbone = load_backbone("torchvision/mobilenet_v3_small", 2, weights=file)
    assert [type(layer).__name__ for layer in backbone.head] == ["Dropout", "Linear"]
    assert backbone.num_classes == 2


def test_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoint_of("tiny", 4, tmp_path / "tiny.safetensors")
    with pytest.raises(ConfigError, match=r"does not fit the network: of 120 tensors, 100 missing .* unexpected"):
        load_backbone("torchvision/resnet18", 4, weights=tmp_path / "tiny.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "at least one class, found 0"),
        ({"pretrained": True, "weights": "net.pth"}, "Give one of the two"),
        ({"head_rows": [0, 1]}, "starts random"),
        ({"head_rows": [0], "weights": "net.pth"}, "1 rows for 2 classes"),
        ({"pretrained": True}, "tiny has no published weights"),
    ],
)
def test_contradicting_options_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        load_backbone("tiny", **{"num_classes": 2, **options})


def test_unknown_names_say_what_there_is():
    with pytest.raises(
        PluginError, match=r"no model is called 'resnet18'. Known: tiny, timm/<model>, torchvision/<model>"
    ):
        find_architecture("resnet18")


def test_architecture_of_the_users_own_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "from occbench import Architecture, Cut, Trunk\n"
        "class Mine(Architecture):\n"
        "    name = 'mine'\n"
        "    def build(self, num_classes):\n"
        "        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, num_classes))\n"
        "    def classifier(self, model):\n"
        "        return '1'\n"
        "    def cut(self, model):\n"
        "        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
        "        return Cut(Trunk(nn.Sequential(model[0]), pool), model[1], (0, 0, 0), (1, 1, 1), 32)\n"
    )
    backbone = load_backbone(f"{file}:Mine", 3)
    assert (backbone.dim, backbone.num_classes, backbone.size_px) == (8, 3, 32)
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_architecture_that_needs_options_is_one_clear_line(tmp_path):
    file = tmp_path / "mine.py"
    lines = ("from dataclasses import dataclass", "from occbench import Architecture", "@dataclass(frozen=True)")
    body = ("    width: int", "    name = 'mine'", "    build = classifier = cut = None")
    file.write_text("\n".join([*lines, "class Mine(Architecture):", *body]))
    with pytest.raises(ConfigError, match=r"mine.py:Mine needs width, found no value"):
        find_architecture(f"{file}:Mine")


@pytest.mark.parametrize("model", ["resnet18", "resnet50"])
def test_real_weights_recognise_photographs(real_data, model):
    file = real_data / "weights" / f"{model}_imagenet.safetensors"
    folder = real_data / "caltech101" / "101_ObjectCategories"
    dalmatians, llamas = (sorted((folder / name).glob("*.jpg"))[:8] for name in ("dalmatian", "llama"))
    if not (file.is_file() and dalmatians and llamas):
        pytest.skip("the compressed ImageNet weights or the photographs are not beside this checkout")
    backbone = load_backbone(f"torchvision/{model}", 1000, weights=file).eval()
    pixels = [
        cv2.resize(cv2.imread(str(path)), (224, 224), interpolation=cv2.INTER_AREA) for path in dalmatians + llamas
    ]
    images = torch.from_numpy(np.stack(pixels)[..., ::-1].copy()).permute(0, 3, 1, 2)
    labels = torch.tensor([251] * len(dalmatians) + [355] * len(llamas))  # ImageNet-1k's dalmatian and llama
    with torch.no_grad():
        top = backbone(backbone.normalise(images)).argmax(1)
    assert (top == labels).float().mean() >= 0.8
