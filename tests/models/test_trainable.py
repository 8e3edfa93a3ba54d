"""Properties of the trainable-layer rules."""

import pytest
import torch

from occbench.core.errors import ConfigError
from occbench.models.torchvision_models import TorchvisionArchitecture
from occbench.models.trainable import trainable_trunk_parameters


@pytest.fixture(scope="module")
def resnet50():
    architecture = TorchvisionArchitecture("resnet50")
    with torch.device("meta"):
        return architecture.cut(architecture.build(10)).trunk


def test_all_and_head_are_everything_and_nothing_of_the_trunk(resnet50):
    assert trainable_trunk_parameters(resnet50, "all") == {name for name, _ in resnet50.named_parameters()}
    assert trainable_trunk_parameters(resnet50, "head") == frozenset()


def test_layer4_is_the_last_stage_of_a_resnet(resnet50):
    chosen = trainable_trunk_parameters(resnet50, "layer4+fc")
    assert chosen == {name for name, _ in resnet50.named_parameters() if name.startswith("stages.layer4.")}
    assert chosen == trainable_trunk_parameters(resnet50, "last-stage")


def test_channels_rule_reads_the_paper_literally(resnet50):
    chosen = trainable_trunk_parameters(resnet50, "channels>=512")
    early = {name for name in chosen if not name.startswith("stages.layer4.")}
    layers = {".".join(name.split(".")[1:4]) for name in early}
    # conv2_x has at most 256 channels; conv3_x and conv4_x widen to 512 and 1024 in every block's last convolution.
    expansions = {f"layer2.{block}.{part}" for block in range(4) for part in ("conv3", "bn3")}
    expansions |= {f"layer3.{block}.{part}" for block in range(6) for part in ("conv3", "bn3")}
    assert layers == expansions | {"layer2.0.downsample", "layer3.0.downsample"}
    assert trainable_trunk_parameters(resnet50, "layer4+fc") <= chosen


@pytest.mark.parametrize("rule", ["layer5", "channels>=", "channels>512", "Head", ""])
def test_unknown_rules_are_answered_with_the_known_ones(resnet50, rule):
    with pytest.raises(ConfigError, match=r"is not a rule. Use one of: all, head, last-stage"):
        trainable_trunk_parameters(resnet50, rule)
