"""Classes found by name in a head of 1000 rows."""

import pytest
import torch
from safetensors.torch import save_file

from occbench.bench.ready.class_rows import rows_by_name
from occbench.bench.ready.ready_model import ready_model
from occbench.core.errors import ConfigError
from occbench.models.load import load_backbone
from occbench.models.tiny import Tiny


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("n01440764", 0),
        ("tench", 0),
        ("Tinca_Tinca", 0),
        ("tench, Tinca tinca", 0),
        ("great-white-shark", 2),
        ("crane (n02012849)", 134),
        ("n03126707 crane", 517),
        ("toilet tissue", 999),
        ("my mug", None),
        ("n99999999", None),
    ],
)
def test_a_class_goes_by_synset_or_name(name, row):
    assert rows_by_name([name], 1000) == [row]


def test_a_head_of_another_width_has_no_names():
    assert rows_by_name(["tench", "n01440764"], 37) == [None, None]


def test_a_name_of_two_classes_is_refused():
    with pytest.raises(ConfigError, match="'crane' may be one of several"):
        rows_by_name(["tench", "crane"], 1000)


@pytest.fixture(scope="module")
def imagenet_weights(tmp_path_factory):
    """Random weights of a tiny network with 1000 classes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(Tiny().build(1000).state_dict(), path)
    return path


def test_the_rows_of_a_part_of_imagenet_are_taken(imagenet_weights):
    images = torch.rand(2, 3, 32, 32)
    whole = load_backbone("tiny", 1000, weights=imagenet_weights).eval()
    part = ready_model("tiny", ["toilet tissue", "n01440764", "goldfish"], weights=imagenet_weights).eval()
    with torch.no_grad():
        assert torch.allclose(part(images), whole(images)[:, [999, 0, 1]], atol=1e-5)


def test_a_whole_imagenet_in_another_order_is_put_in_order(imagenet_weights):
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    synsets = [info.index_to_label_name(row) for row in range(1000)]
    images = torch.rand(1, 3, 32, 32)
    plain = load_backbone("tiny", 1000, weights=imagenet_weights).eval()
    with torch.no_grad():
        in_order = ready_model("tiny", synsets, weights=imagenet_weights).eval()(images)
        reversed_ = ready_model("tiny", synsets[::-1], weights=imagenet_weights).eval()(images)
        assert torch.equal(in_order, plain(images))
        assert torch.allclose(reversed_, plain(images).flip(1), atol=1e-5)
    with pytest.raises(ConfigError, match="cannot be put in order"):
        ready_model("tiny", [*synsets[:0:-1], "my mug"], weights=imagenet_weights)


def test_a_thousand_classes_of_ones_own_are_taken_as_they_come(imagenet_weights):
    own = [f"mug {number}" for number in range(1000)]
    assert ready_model("tiny", own, weights=imagenet_weights).num_classes == 1000


def test_what_goes_by_no_name_is_named(imagenet_weights):
    with pytest.raises(ConfigError, match=r"has 2 classes and tiny has 1000 in its head, and 1 of them \(my mug\)"):
        ready_model("tiny", ["tench", "my mug"], weights=imagenet_weights)
