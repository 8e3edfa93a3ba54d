"""Local checkpoint files: safetensors, or a PyTorch file read with ``weights_only=True``."""

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from occbench.core.errors import ConfigError
from occbench.core.files import hash_file
from occbench.core.messages import first_line

__all__ = ["Checkpoint", "load_weights", "read_checkpoint"]

#: Where training scripts put the weights inside a file that holds more than weights.
_WRAPPERS: Final = ("state_dict", "model")
#: What DistributedDataParallel and torch.compile put in front of every name.
_PREFIXES: Final = ("module.", "_orig_mod.")
_SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights in a file.

    Attributes:
        path: the file.
        sha256: of the file, 64 hexadecimal digits.
        tensors: name -> tensor on the CPU; floating-point tensors are float32 whatever the file held.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor] = field(repr=False)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; a wrapping ``state_dict`` or ``model`` entry and a ``module.`` prefix are taken off.

    Raises:
        ConfigError: there is no such file, it is neither format, or it holds no weights.
    """
    if not path.is_file():
        raise ConfigError(
            f"--weights names {path}, which is not a file. Give a .safetensors file or a PyTorch checkpoint."
        )
    held = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    tensors = _unprefixed(_unwrapped(held))
    if not tensors:
        raise ConfigError(f"{path} holds no weights by name. Save the network's state_dict() and give that file.")
    return Checkpoint(path, hash_file(path), {name: _float32(tensor) for name, tensor in tensors.items()})


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Copy a checkpoint's tensors into a network of the same layout.

    BatchNorm's ``num_batches_tracked``, which inference and training with a fixed momentum never read, may be missing.

    Raises:
        ConfigError: a missing or unexpected name or another shape; the message counts them and names the first few.
    """
    wanted = model.state_dict()
    found = checkpoint.tensors
    missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in wanted]
    shapes = [
        f"{name} is {_shape(found[name])} instead of {_shape(tensor)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    problems = [
        f"{len(names)} {what} ({_first(names)})"
        for names, what in ((missing, "missing"), (unexpected, "unexpected"), (shapes, "of another shape"))
        if names
    ]
    if problems:
        raise ConfigError(
            f"{checkpoint.path} does not fit the network: of {len(wanted)} tensors, {'; '.join(problems)}. "
            "Give the checkpoint of this architecture, in its own key layout."
        )
    model.load_state_dict(found, strict=False)


def _read_safetensors(path: Path) -> object:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ConfigError(
            f"{path} is not a readable safetensors file ({first_line(error)}). Copy or download it again."
        ) from error


def _read_pickle(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ConfigError(
            f"{path} cannot be read as a checkpoint that holds only tensors ({first_line(error)}). "
            "Code inside a checkpoint is never run; save the network's state_dict() alone and give that file."
        ) from error


def _unwrapped(held: object) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(wrapper), Mapping):
            held = held[wrapper]
    if not isinstance(held, Mapping):
        return {}
    return {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _unprefixed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in (*_PREFIXES, *_PREFIXES):
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (", ..." if len(listed) > _SHOWN else "")
