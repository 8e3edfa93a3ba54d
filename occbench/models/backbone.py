"""A backbone: a network cut into trunk and head, with its input normalisation and its trainable layers."""

from collections.abc import Callable, Mapping
from typing import Any, Self, final

import torch
from torch import Tensor, nn

from occbench.core.errors import ConfigError
from occbench.core.networks import Cut
from occbench.core.trunk import Trunk
from occbench.models.linear_head import sizes_of
from occbench.models.trainable import hold_frozen, hold_statistics, is_frozen, trainable_trunk_parameters

__all__ = ["Backbone"]


@final
class Backbone(nn.Module):
    """``head(trunk(images))``; between the two stands the deep feature vector (DFV), the last linear layer's input.

    Attributes:
        name: e.g. ``torchvision/resnet50``.
        trunk: images float[B, 3, S, S], normalised -> DFV float[B, D].
        head: DFV -> logits float[B, C]; never changes its input in place, so a DFV may be kept after it.
        mean: per channel, of pixel values in [0, 1].
        std: per channel, of pixel values in [0, 1].
        size_px: side S of the square images that the network was designed for.
        extension: what a method learns beside the network, or None; trained and stored with it, unused by ``forward``.
        provenance: where the weights come from, in JSON values, for the run's fingerprint.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, name: str, cut: Cut, provenance: Mapping[str, Any]) -> None:
        """Join the two halves of a cut network; every parameter trains until ``select_trainable`` says otherwise."""
        super().__init__()
        self._running_statistics = False
        self.name = name
        self.extension: nn.Module | None = None
        self.trunk: Trunk = cut.trunk
        self.head = cut.head
        for layer in self.head.modules():
            if isinstance(layer, nn.Dropout):
                layer.inplace = False
        self.mean, self.std, self.size_px = cut.mean, cut.std, cut.size_px
        self.provenance = dict(provenance)
        self.register_buffer("_mean", torch.tensor(cut.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(cut.std).view(1, 3, 1, 1), persistent=False)

    @property
    def dim(self) -> int:
        """Length D of a deep feature vector; channels of the feature map where the head is one on maps."""
        return sizes_of(self.head)[0]

    @property
    def channels(self) -> int:
        """Number of channels K of a feature map; found by showing the network a black image."""
        black = torch.zeros(1, 3, self.size_px, self.size_px, device=self._mean.device)
        states = {layer: layer.training for layer in self.trunk.modules()}
        self.trunk.eval()
        with torch.no_grad():
            found = self.trunk.features(black).shape[1]
        for layer, state in states.items():
            layer.training = state
        return found

    @property
    def num_classes(self) -> int:
        """Number of logits C."""
        return sizes_of(self.head)[1]

    def normalise_with(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        """Take another normalisation than that of the weights, of pixel values in [0, 1]."""
        self.mean, self.std = mean, std
        self._mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
        self._std.copy_(torch.tensor(std).view(1, 3, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """Return ``(images / 255 - mean) / std`` as float32, on the images' device and in their memory format.

        Args:
            images: uint8 or float32 [B, 3, H, W] in 0..255, RGB, on the backbone's device; not written to.
        """
        return images.div(255).sub_(self._mean).div_(self._std)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits float[B, C] of normalised images float[B, 3, S, S]."""
        logits: Tensor = self.head(self.trunk(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return the feature map float[B, K, H, W] before pooling, of normalised images."""
        return self.trunk.features(images)

    def pool(self, feature_map: Tensor) -> Tensor:
        """Return the DFV float[B, D] of a feature map.

        Raises:
            ConfigError: the network pools something else than its feature map (a class token).
        """
        if not self.trunk.pools_map:
            raise ConfigError(
                f"{self.name} makes its feature vector from a class token, not from its feature map. Use a CNN."
            )
        vectors: Tensor = self.trunk.pool(feature_map)
        return vectors

    def select_trainable(self, rule: str, *, running_statistics: bool = False) -> None:
        """Let the parameters that ``rule`` names train and freeze the others; the head always trains.

        Frozen parts stay in evaluation mode under ``train()``, so their BatchNorm statistics do not change.

        Args:
            rule: ``all``, ``head``, ``last-stage`` (or ``layer4+fc``), ``channels>=512``; see
                ``trainable_trunk_parameters``.
            running_statistics: BatchNorm layers that train normalise with their running statistics, as at test time,
                which then stay as they are; only their scale and shift train.

        Raises:
            ConfigError: no such rule.
        """
        chosen = trainable_trunk_parameters(self.trunk, rule)
        for name, parameter in self.trunk.named_parameters():
            parameter.requires_grad_(name in chosen)
        self.head.requires_grad_(True)
        self._running_statistics = running_statistics
        self.train(self.training)

    def start_from(self, other: "Backbone") -> None:
        """Take over the weights and statistics of a network of the same architecture; the extension stays as it is."""
        self.trunk.load_state_dict(other.trunk.state_dict())
        self.head.load_state_dict(other.head.state_dict())

    def train(self, mode: bool = True) -> Self:
        """Set training mode on what trains; what is frozen stays in evaluation mode."""
        super().train(mode)
        if mode:
            hold_frozen(self)
            if self._running_statistics:
                hold_statistics(self)
        return self

    def parameter_groups(self, lr_trunk: float, lr_head: float) -> list[dict[str, Any]]:
        """Return the trainable parameters as optimiser groups; one that would be empty is left out.

        The groups are ``trunk``, ``head`` and ``extension``, the last at the head's rate.
        """
        parts = (("trunk", self.trunk, lr_trunk), ("head", self.head, lr_head), ("extension", self.extension, lr_head))
        groups = [
            {"name": name, "params": [weight for weight in part.parameters() if weight.requires_grad], "lr": rate}
            for name, part, rate in parts
            if part is not None
        ]
        return [group for group in groups if group["params"]]

    def freeze(self) -> None:
        """Let nothing of the network train, head included; what is attached to it as ``extension`` does."""
        self.trunk.requires_grad_(False)
        self.head.requires_grad_(False)
        self.train(self.training)

    def split_trunk(
        self, *, keep_map: bool = False
    ) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Return (prefix, stages, pool) with ``pool(stages(prefix(images))) == self.trunk(images)``.

        The prefix is the longest leading run of frozen steps, so what it makes of an image that is not augmented may be
        kept; it is the identity where the first stage trains. All share this backbone's weights.

        Args:
            keep_map: the pooling stays out of the prefix even where it is frozen, so that the feature map can be had.
        """
        steps, frozen = self._steps(keep_map=keep_map)
        last = len(steps) - 1
        return _Steps(steps[:frozen]), _Steps(steps[frozen:last]), _Steps(steps[max(frozen, last) :])

    def frozen_state(self, *, keep_map: bool = False) -> dict[str, Tensor]:
        """Return the weights and buffers of the frozen prefix; empty where the first stage trains."""
        steps, frozen = self._steps(keep_map=keep_map)
        return {
            f"{number}.{name}": value
            for number, step in enumerate(steps[:frozen])
            for name, value in step.state_dict().items()
        }

    def _steps(self, *, keep_map: bool) -> tuple[list[nn.Module], int]:
        """Return the trunk's stages and its pooling, and how many of these the frozen prefix has."""
        steps = [*self.trunk.stages, self.trunk.pool]
        frozen = next((number for number, step in enumerate(steps) if not is_frozen(step)), len(steps))
        return steps, min(frozen, len(steps) - keep_map)


class _Steps:
    """Modules run one after another, without owning them: moving or switching them stays the backbone's business."""

    def __init__(self, steps: list[nn.Module]) -> None:
        self._steps = steps

    def __call__(self, activation: Tensor) -> Tensor:
        for step in self._steps:
            activation = step(activation)
        return activation
