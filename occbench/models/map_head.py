"""Putting a head that looks at the feature map on a backbone."""

from collections import OrderedDict

from torch import nn

from occbench.core.networks import Head
from occbench.core.seeding import stream
from occbench.core.trunk import Trunk
from occbench.models.backbone import Backbone

__all__ = ["attach_head"]


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
    last_stage = (name for name in trunk.last_stage if name.startswith("stages."))  # without the pooling's own
    backbone.trunk = Trunk(nn.Sequential(steps), nn.Identity(), last_stage=last_stage)
    backbone.head = head.build(channels, num_classes, stream(seed, backbone.name, "head").seed())
    backbone.provenance["head"] = f"{head}, seed {seed}"
