"""From uint8 images to what the trainable part of a model takes, with the frozen part's work done once where it may be.

A model whose first stages are frozen computes the same activations for the same pixels under every arm and seed.
``FrozenPrefix`` names those stages by a hash of their weights, so that activations can be kept and shared.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from occbench.bench.batches.ranks import in_shares
from occbench.core.errors import ConfigError
from occbench.models.backbone import Backbone

__all__ = ["ActivationCache", "Pipeline"]


class ActivationCache:
    """Activations of frozen stages, kept in memory up to a budget and shared by every cell of a run."""

    def __init__(self, budget_bytes: int = 6 * 10**9) -> None:
        """Start empty; what exceeds the budget is computed again each time it is asked for."""
        self._budget_bytes = budget_bytes
        self._kept: dict[tuple[str, ...], Tensor] = {}

    def find(self, key: tuple[str, ...]) -> Tensor | None:
        """Return what was kept under ``key``, or None."""
        return self._kept.get(key)

    def recall_rows(self, keys: Sequence[tuple[str, ...]], make: Callable[[], Tensor]) -> Tensor:
        """Return one row for each key, stacked; ``make`` makes all rows where one of them is not kept yet."""
        found = [self._kept.get(key) for key in keys]
        if not all(row is not None for row in found):
            made = make()
            rows = [row if known is None else known for row, known in zip(made, found, strict=True)]
            for key, row in zip(keys, rows, strict=True):
                self.recall(key, row.clone)
        else:
            rows = [row for row in found if row is not None]
        stacked = torch.stack(rows)
        # one layout, kept or new: sums in another order would round differently in a training that is resumed
        return stacked.contiguous(memory_format=torch.channels_last) if stacked.ndim == 4 else stacked

    def recall(self, key: tuple[str, ...], compute: Callable[[], Tensor]) -> Tensor:
        """Return what was kept under ``key``, or compute it and keep it if it fits."""
        if (found := self._kept.get(key)) is not None:
            return found
        made = compute()
        size_bytes = made.numel() * made.element_size()
        if size_bytes <= self._budget_bytes:
            self._budget_bytes -= size_bytes
            self._kept[key] = made
        return made


class Pipeline:
    """A model's input side: normalise, run the frozen stages without gradients, hand over to the trainable ones."""

    def __init__(self, model: Backbone, device: torch.device, precision: str, *, keep_map: bool = False) -> None:
        """Take a model whose trainable layers are selected already.

        Args:
            model: the network.
            device: where it is.
            precision: ``fp32`` or ``bf16``.
            keep_map: feature maps before pooling can be asked for, however much of the network is frozen.
        """
        self.model = model
        self.device = device
        self.bf16 = precision == "bf16"
        self._keep_map = keep_map
        self._prefix, self._stages, self._pool = model.split_trunk(keep_map=keep_map)

    @cached_property
    def prefix_hash(self) -> str:
        """SHA-256 over names, weights and buffers of the frozen stages, and the precision; empty without any."""
        frozen = self.model.frozen_state(keep_map=self._keep_map)
        if not frozen:
            return ""
        digest = hashlib.sha256(f"{self.model.name} {self.bf16} {self._keep_map}".encode())
        for name in sorted(frozen):
            digest.update(name.encode())
            digest.update(frozen[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def exact(self) -> "Pipeline":
        """Return the same model's input side in fp32."""
        return Pipeline(self.model, self.device, "fp32", keep_map=self._keep_map)

    def autocast(self) -> torch.autocast:
        """Return the context of the chosen precision."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

    def inputs(self, images: Tensor) -> Tensor:
        """Return the input of the trainable stages, without gradients.

        Args:
            images: uint8 or float32 [B, 3, S, S] in 0..255.
        """
        with torch.no_grad(), self.autocast():
            normal = self.model.normalise(images.to(self.device)).contiguous(memory_format=torch.channels_last)
            return self._prefix(normal)

    def vectors(self, inputs: Tensor) -> Tensor:
        """Return deep feature vectors float[B, D] of ``inputs``'s result."""
        return in_shares(lambda share: self._pool(self._stages(share)), inputs)

    def features(self, inputs: Tensor) -> Tensor:
        """Return the feature maps float[B, K, H, W] of ``inputs``'s result; with ``keep_map`` only."""
        if not self._keep_map:
            raise ConfigError('the method asks for feature maps: add "map" to its needs.')
        return in_shares(lambda share: self.model.trunk.to_map(self._stages(share)), inputs)

    def pool(self, feature_map: Tensor) -> Tensor:
        """Return deep feature vectors float[B, D] of feature maps.

        Raises:
            ConfigError: the network pools something else than its map.
        """
        return in_shares(self.model.pool, feature_map)
