"""Heads: finding the linear layer, fitting it to other classes."""

from collections.abc import Sequence

import torch
from torch import nn

from occbench.core.errors import ConfigError

__all__ = ["last_linear", "new_linear", "replace_last_linear", "sizes_of", "slice_linear"]


def last_linear(head: nn.Module) -> nn.Linear:
    """Return the linear layer that a head is or ends in.

    Raises:
        ConfigError: the head ends in something else.
    """
    last = head[-1] if isinstance(head, nn.Sequential) and len(head) else head
    if not isinstance(last, nn.Linear):
        raise ConfigError(f"a head must end in a linear layer, found {type(last).__name__}. Use another backbone.")
    return last


def sizes_of(head: nn.Module) -> tuple[int, int]:
    """Return (length D of what a head takes, number of logits C): of a head on feature maps D is their channels.

    Raises:
        ConfigError: the head says neither and ends in no linear layer.
    """
    sizes = getattr(head, "in_features", None), getattr(head, "out_features", None)
    if isinstance(sizes[0], int) and isinstance(sizes[1], int):
        return sizes[0], sizes[1]
    linear = last_linear(head)
    return linear.in_features, linear.out_features


def replace_last_linear(head: nn.Module, linear: nn.Linear) -> nn.Module:
    """Return the head with its linear layer replaced; a dropout in front of it stays."""
    if not isinstance(head, nn.Sequential):
        return linear
    head[-1] = linear
    return head


def new_linear(dim: int, num_classes: int, seed: int) -> nn.Linear:
    """Return a linear layer with PyTorch's default initialisation, uniform in +-1/sqrt(dim), drawn from ``seed``.

    The global generator is neither read nor advanced.
    """
    generator = torch.Generator().manual_seed(seed)
    linear = _empty_linear(dim, num_classes, bias=True)
    bound = dim**-0.5
    with torch.no_grad():
        linear.weight.uniform_(-bound, bound, generator=generator)
        linear.bias.uniform_(-bound, bound, generator=generator)
    return linear


def slice_linear(linear: nn.Linear, rows: Sequence[int]) -> nn.Linear:
    """Return a linear layer made of the given rows (classes) of another, in the given order.

    Raises:
        ConfigError: a row that does not exist, or one that is asked for twice.
    """
    if wrong := [row for row in rows if not 0 <= row < linear.out_features]:
        raise ConfigError(
            f"head_rows asks for row {wrong[0]} of a head with {linear.out_features} classes. "
            f"Give rows from 0 to {linear.out_features - 1}."
        )
    if len(set(rows)) != len(rows):
        raise ConfigError(f"head_rows names {len(rows) - len(set(rows))} rows twice. Give each class's row once.")
    index = torch.as_tensor(rows, dtype=torch.long)
    sliced = _empty_linear(linear.in_features, len(rows), bias=linear.bias is not None)
    with torch.no_grad():
        sliced.weight.copy_(linear.weight[index])
        if linear.bias is not None:
            sliced.bias.copy_(linear.bias[index])
    return sliced


def _empty_linear(dim: int, num_classes: int, *, bias: bool) -> nn.Linear:
    # Built without storage, so that the default initialisation draws nothing from the global generator.
    return nn.Linear(dim, num_classes, bias=bias, device="meta").to_empty(device="cpu")
