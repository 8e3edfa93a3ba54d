"""What methods learn in one go beside the network: tensors whose sizes the images decide."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from occbench.core.training import Part, TrainingRun

__all__ = ["Fitted", "frozen_vectors", "full_precision"]


class Fitted(nn.Module):
    """Named tensors that are empty at first and take the sizes of what is put into them, or loaded."""

    def __init__(self, buffers: Sequence[str], parameters: Sequence[str] = ()) -> None:
        """Make empty tensors.

        Args:
            buffers: names of those that no optimiser moves.
            parameters: names of those that train after they are fitted.
        """
        super().__init__()
        for name in buffers:
            self.register_buffer(name, torch.empty(0))
        for name in parameters:
            self.register_parameter(name, nn.Parameter(torch.empty(0)))

    def put(self, **tensors: Tensor) -> None:
        """Give tensors their values; a parameter stays the same object, which an optimiser may hold."""
        for name, value in tensors.items():
            if name in self._parameters:
                self.get_parameter(name).data = value.detach().clone()
            else:
                setattr(self, name, value.detach().clone())

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """Take the sizes of what is loaded first; torch's own hook, so that whole networks can be loaded."""
        held = {**self._parameters, **self._buffers}
        sizes = {
            name: torch.empty_like(found, device=tensor.device)
            for name, tensor in held.items()
            if tensor is not None and (found := state_dict.get(prefix + name)) is not None
        }
        self.put(**sizes)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def frozen_vectors(run: TrainingRun, part: Part) -> tuple[Tensor, Tensor]:
    """Return (deep feature vectors float32[N, D], labels int64[N]) of a part of ``TrainingRun.examples``.

    Both are empty where the part has no image.
    """
    vectors, labels = [torch.empty(0, run.dim)], [torch.empty(0, dtype=torch.int64)]
    for inputs, own in run.examples(part):
        vectors.append(run.vectors(inputs).detach().float().cpu())
        labels.append(own.cpu())
    return torch.cat(vectors), torch.cat(labels)


def full_precision(tensor: Tensor) -> torch.autocast:
    """Return a context in which products on a tensor's device are not rounded to half precision."""
    return torch.autocast(tensor.device.type, enabled=False)
