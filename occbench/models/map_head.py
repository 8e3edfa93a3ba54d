"""Heads that look at the feature map instead of its pooled vector, and putting them on a backbone."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Final

from torch import nn

from occbench.core.seeding import stream
from occbench.models.backbone import Backbone
from occbench.models.trunk import Trunk

__all__ = ["Head", "attach_head"]

_MAX_SEED: Final = 2**31


class Head(ABC):
    """A head on feature maps; players are frozen dataclasses, found by name among the plug-ins ``heads``."""

    @abstractmethod
    def build(self, channels: int, num_classes: int, seed: int) -> nn.Module:
        """Return a module from feature maps float[B, K, H, W] to logits float[B, C], with random weights.

        Its attributes ``in_features`` and ``out_features`` are K and C.

        Args:
            channels: K.
            num_classes: C.
            seed: fixes the weights; the global generator is neither read nor advanced.
        """


def attach_head(backbone: Backbone, head: Head, num_classes: int, seed: int) -> None:
    """Give a backbone a head on its feature map in place of pooling and last linear layer.

    What the backbone calls a deep feature vector is then its feature map float[B, K, H, W]. Tokens of a vision
    transformer are laid out as the grid they came from, without the class token.

    Args:
        backbone: changed in place.
        head: which one.
        num_classes: number of logits.
        seed: fixes the head's weights.

    Raises:
        ConfigError: a network without a feature map.
    """
    channels = backbone.channels
    trunk = backbone.trunk
    steps = OrderedDict(trunk.stages.named_children())
    if not trunk.pools_map:
        steps["map"] = trunk.to_map
    backbone.trunk = Trunk(nn.Sequential(steps), nn.Identity(), last_stage=trunk.last_stage & _names(steps))
    backbone.head = head.build(channels, num_classes, stream(seed, backbone.name, "head").integer(0, _MAX_SEED))
    backbone.provenance["head"] = f"{head}, seed {seed}"


def _names(steps: "OrderedDict[str, nn.Module]") -> frozenset[str]:
    """Return the names of the stages' parameters; those of the pooling are gone with it."""
    return frozenset(f"stages.{name}.{inner}" for name, step in steps.items() for inner, _ in step.named_parameters())
