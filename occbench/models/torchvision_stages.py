"""Torchvision's networks as sequences of stages: grouping blocks by resolution, and the two ends of a transformer."""

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.swin_transformer import PatchMerging, PatchMergingV2

__all__ = ["ClassToken", "PatchTokens", "stages_by_resolution"]

_STRIDED: Final = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_MERGING: Final = (PatchMerging, PatchMergingV2)


class ClassToken(nn.Module):
    """Tokens float[B, 1 + N, D] to the class token float[B, D]."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the first token."""
        return tokens[:, 0]


class PatchTokens(nn.Module):
    """Images to patch tokens with a class token and position embedding: the first step of a vision transformer.

    The positions of the square grid of patches are interpolated (bicubic) for square images of another size.
    """

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
        return tokens + self._positions_for(patches.shape[1])

    def _positions_for(self, count: int) -> Tensor:
        """Return float[1, 1 + count, D]: the positions, interpolated where the image has another number of patches."""
        known = self.positions.shape[1] - 1
        if count == known:
            return self.positions
        side, wanted = round(known**0.5), round(count**0.5)
        grid = self.positions[:, 1:].transpose(1, 2).reshape(1, -1, side, side)
        moved = interpolate(grid, size=(wanted, wanted), mode="bicubic", align_corners=False, antialias=True)
        return torch.cat([self.positions[:, :1], moved.flatten(2).transpose(1, 2)], dim=1)


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
