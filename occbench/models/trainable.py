"""Which layers train: the rules, and keeping what is frozen out of training mode."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import nn

from occbench.core.errors import ConfigError
from occbench.core.trunk import Trunk

__all__ = ["RULES", "adaptable", "hold_frozen", "hold_statistics", "is_frozen", "trainable_trunk_parameters"]

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


@contextmanager
def adaptable(network: nn.Module) -> Iterator[list[nn.Parameter]]:
    """Yield the scales and shifts of BatchNorm layers that train, to be changed and then put back; see ``TrainingRun``.

    Inside, these layers normalise with the batch, gradients are on, and no other parameter gets one.

    Args:
        network: in evaluation mode.
    """
    layers = [
        layer
        for layer in network.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine and layer.weight.requires_grad
    ]
    weights = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    before = [weight.detach().clone() for weight in weights]
    trains = {weight: weight.requires_grad for weight in network.parameters()}
    statistics = [(layer, layer.running_mean, layer.running_var) for layer in layers]
    network.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    for layer in layers:  # without running statistics a layer normalises with those of the batch in evaluation, too
        layer.running_mean = layer.running_var = None
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield weights
    finally:
        for layer, mean, variance in statistics:
            layer.running_mean, layer.running_var = mean, variance
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
        for weight, did in trains.items():
            weight.requires_grad_(did)
            weight.grad = None
