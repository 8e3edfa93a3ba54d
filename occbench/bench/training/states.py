"""Weights and optimiser state as safetensors files, whole or absent; no pickle."""

from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.optim import Optimizer

from occbench.core.errors import DatasetError
from occbench.core.files import whole_file

__all__ = ["load_state", "save_state"]

_MODEL: Final = "model."
_OPTIMIZER: Final = "optimizer."


def save_state(
    path: Path, model: nn.Module, optimizer: Optimizer | None = None, notes: dict[str, str] | None = None
) -> None:
    """Write a model's weights and buffers, an optimiser's state and text notes to one file."""
    tensors = {_MODEL + name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if optimizer is not None:
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"{_OPTIMIZER}{number}.{name}": value.detach().cpu().contiguous()
                for name, value in state.items()
                if isinstance(value, torch.Tensor)
            }
    with whole_file(path) as temporary:
        # tied weights must not share memory in the file
        save_file({name: value.clone() for name, value in tensors.items()}, temporary, metadata=notes or {})


def load_state(path: Path, model: nn.Module, optimizer: Optimizer | None = None) -> dict[str, str] | None:
    """Load what ``save_state`` wrote, in place; return its notes, or None where there is no file.

    Raises:
        DatasetError: the file is damaged or of another model.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            notes: dict[str, str] = file.metadata() or {}
        weights = {name.removeprefix(_MODEL): value for name, value in tensors.items() if name.startswith(_MODEL)}
        model.load_state_dict(weights)
    except (SafetensorError, RuntimeError) as error:
        raise DatasetError(
            f"{path} is damaged or of another model ({str(error)[:120]}): delete it, run again."
        ) from error
    if optimizer is not None:
        _load_optimizer(optimizer, tensors)
    return notes


def _load_optimizer(optimizer: Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    content = optimizer.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMIZER):
            number, _, field = name.removeprefix(_OPTIMIZER).partition(".")
            state.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": content["param_groups"]})
