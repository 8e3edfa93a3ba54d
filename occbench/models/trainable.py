"""Which layers train: the rules, and keeping what is frozen out of training mode."""

import re
from typing import Final

from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.trunk import Trunk

__all__ = ["RULES", "hold_frozen", "hold_statistics", "is_frozen", "trainable_trunk_parameters"]

#: The rules, as a configuration writes them; the head trains under every one.
RULES: Final = ("all", "head", "last-stage", "layer4+fc", "channels>=N")

_CHANNELS: Final = re.compile(r"channels>=([1-9][0-9]*)")


def trainable_trunk_parameters(trunk: Trunk, rule: str) -> frozenset[str]:
    """Return the names of the trunk's parameters that train under ``rule``.

    Args:
        trunk: the trunk.
        rule: ``all``; ``head`` (nothing of the trunk); ``last-stage``, also written ``layer4+fc`` (the blocks at the
            lowest resolution, the last quarter of a plain vision transformer's blocks, and the pooling's own layers:
            VGG's fc6 and fc7, a final norm); ``channels>=N`` (every layer with at least N output channels, the literal
            reading of "all of the ResNet50 layers with the number of channels >= 512", arXiv 2011.00768 section 4.3).

    Raises:
        ConfigError: no such rule.
    """
    names = frozenset(name for name, _ in trunk.named_parameters())
    if rule == "all":
        return names
    if rule == "head":
        return frozenset()
    if rule in ("last-stage", "layer4+fc"):
        return trunk.last_stage
    if found := _CHANNELS.fullmatch(rule):
        # The first dimension of a convolution's, a norm's and a linear layer's parameters is the output channel.
        return frozenset(name for name, weight in trunk.named_parameters() if weight.shape[0] >= int(found[1]))
    raise ConfigError(f"trainable: {rule!r} is not a rule. Use one of: {', '.join(RULES)} (as in channels>=512).")


def is_frozen(module: nn.Module) -> bool:
    """Return whether no parameter of ``module`` trains; True for a module without parameters."""
    return not any(parameter.requires_grad for parameter in module.parameters())


def hold_frozen(module: nn.Module) -> None:
    """Put every frozen part of a network into evaluation mode, dropout and BatchNorm included.

    A part without parameters follows the part that holds it: the dropout of a frozen block is off, that of a trainable
    block stays on.
    """
    if is_frozen(module) and any(True for _ in module.parameters()):
        module.eval()
        return
    for child in module.children():
        hold_frozen(child)


def hold_statistics(module: nn.Module) -> None:
    """Put every BatchNorm layer into evaluation mode, whether its scale and shift train or not."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):  # torch has no public base class of them
            layer.eval()
