"""The trunk: a sequence of named stages and the pooling that ends in the deep feature vector (DFV)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import PatchMerging, PatchMergingV2

from occbench.core.errors import ConfigError

__all__ = ["ClassToken", "PatchTokens", "TokenMap", "Trunk", "stages_by_resolution"]

_STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_MERGING = (PatchMerging, PatchMergingV2)


class Trunk(nn.Module):
    """Images float[B, 3, S, S], normalised, to deep feature vectors float[B, D].

    The deep feature vector is the input of the network's last linear layer, before a dropout that stands directly in
    front of that layer.

    Attributes:
        stages: named stages; run in order they give the network's last activation.
        pool: that activation -> DFV. It may hold layers of its own (VGG's fc6 and fc7, a final norm).
        to_map: that activation -> feature map float[B, C, H, W]; an ``nn.Identity`` where it is one already.
        last_stage: names of the trunk's parameters that the trainable rule ``last-stage`` selects.
    """

    def __init__(
        self,
        stages: nn.Sequential,
        pool: nn.Module,
        to_map: nn.Module | None = None,
        last_stage: Iterable[str] | None = None,
    ) -> None:
        """Compose a trunk.

        Args:
            stages: see the class.
            pool: see the class.
            to_map: None where the activation after the last stage is the feature map.
            last_stage: None for the parameters of the last of ``stages`` and of ``pool``.
        """
        super().__init__()
        self.stages = stages
        self.pool = pool
        self.to_map = nn.Identity() if to_map is None else to_map
        last = f"stages.{list(stages._modules)[-1]}."
        names = [name for name, _ in self.named_parameters()]
        chosen = last_stage or (name for name in names if name.startswith((last, "pool.")))
        self.last_stage = frozenset(chosen)

    @property
    def pools_map(self) -> bool:
        """Whether ``pool`` starts from the feature map; False for transformers with a class token."""
        return isinstance(self.to_map, nn.Identity)

    def features(self, images: Tensor) -> Tensor:
        """Return the feature map float[B, C, H, W] before pooling.

        Raises:
            ConfigError: the network has none (tokens that are no grid).
        """
        feature_map: Tensor = self.to_map(self.stages(images))
        if feature_map.ndim != 4:
            shape = "x".join(map(str, feature_map.shape))
            raise ConfigError(
                f"this network's last activation is {shape}, not a feature map. Use a CNN or a plain ViT."
            )
        return feature_map

    def forward(self, images: Tensor) -> Tensor:
        """Return the deep feature vectors float[B, D]."""
        vectors: Tensor = self.pool(self.stages(images))
        return vectors


class TokenMap(nn.Module):
    """Tokens float[B, prefix + N, D] of a vision transformer to the map float[B, D, side, side] of its N patches."""

    def __init__(self, prefix_tokens: int) -> None:
        """Remember how many tokens (class token, registers) stand before the patches."""
        super().__init__()
        self.prefix_tokens = prefix_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """Drop the prefix tokens and lay the others out as the square grid they came from."""
        patches = tokens[:, self.prefix_tokens :].transpose(1, 2)
        side = round(patches.shape[-1] ** 0.5)
        return patches.reshape(len(tokens), -1, side, side)


class ClassToken(nn.Module):
    """Tokens float[B, 1 + N, D] to the class token float[B, D]."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the first token."""
        return tokens[:, 0]


class PatchTokens(nn.Module):
    """Images to patch tokens with a class token and position embedding: the first step of a vision transformer."""

    def __init__(self, projection: nn.Module, class_token: nn.Parameter, positions: nn.Parameter) -> None:
        """Hold the parts: strided convolution, class token float[1, 1, D], positions float[1, 1 + N, D]."""
        super().__init__()
        self.projection = projection
        self.class_token = class_token
        self.positions = positions

    def forward(self, images: Tensor) -> Tensor:
        """Return tokens float[B, 1 + N, D]."""
        patches = self.projection(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        return tokens + self.positions


def stages_by_resolution(blocks: Iterable[nn.Module]) -> nn.Sequential:
    """Group consecutive blocks into ``stage1``, ``stage2``, ...: each starts at a block that lowers the resolution.

    So the last stage is everything at the lowest resolution, as ``layer4`` is in a ResNet. Blocks after the last one
    with parameters (a final pooling) stay with its stage.
    """
    groups: list[list[nn.Module]] = []
    for block in blocks:
        if not groups or _lowers_resolution(block):
            groups.append([])
        groups[-1].append(block)
    while len(groups) > 1 and not any(list(block.parameters()) for block in groups[-1]):
        groups[-2].extend(groups.pop())
    stages = nn.Sequential()
    for number, group in enumerate(groups, start=1):
        stages.add_module(f"stage{number}", nn.Sequential(*group))
    return stages


def _lowers_resolution(block: nn.Module) -> bool:
    return any(
        isinstance(layer, _MERGING) or (isinstance(layer, _STRIDED) and _stride(layer) > 1) for layer in block.modules()
    )


def _stride(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> int:
    stride = layer.stride
    return max(stride) if isinstance(stride, tuple) else stride
