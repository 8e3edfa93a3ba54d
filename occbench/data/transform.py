"""Occlusion as augmentation: one transform for people who only want it in their own training loop."""

from typing import Any

import numpy as np
import torch
from torch import nn

from occbench.core.build import build_plugin
from occbench.core.compose import composite_batch
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.seeding import stream
from occbench.core.types import Example

__all__ = ["RandomOcclusion"]


class RandomOcclusion(nn.Module):
    """Puts a random condition of an occlusion family on an image, with probability ``p``.

    Works like a ``torchvision.transforms.v2`` transform on uint8 tensors [3, H, W] or [B, 3, H, W] (then each image of
    the batch draws its own condition) and on PIL images, so put it before conversion to float and normalisation.

    Each call draws from torch's default generator, so data-loader workers and ``torch.manual_seed`` behave as usual.

    Example:
        ``transforms.Compose([RandomResizedCrop(224), RandomOcclusion("patterns", bank="occbench-30", p=0.5), ...])``

    Attributes:
        p: probability of an occlusion, 0 to 1.
        occlusion: the family.
    """

    def __init__(self, family: str | Occlusion = "patterns", p: float = 0.5, **options: Any) -> None:  # noqa: ANN401
        """Build the family.

        Args:
            family: an occlusion plug-in's name, or one already built.
            p: probability of an occlusion, 0 to 1.
            options: of the family, when a name is given; families that need masks cannot be used here.

        Raises:
            ConfigError: p out of range, or a wrong option.
            PluginError: no such family.
        """
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ConfigError(f"RandomOcclusion needs a probability p from 0 to 1, found {p}")
        self.p = p
        self.occlusion = (
            family if isinstance(family, Occlusion) else build_plugin(family, "occlusions", Occlusion, options)
        )

    def forward(self, image: Any) -> Any:  # noqa: ANN401 - a PIL image or a tensor; returns the same kind
        """Return the image, or an occluded copy.

        Raises:
            ConfigError: neither a PIL image nor a uint8 tensor of 3 channels.
        """
        if not isinstance(image, torch.Tensor):
            from PIL import Image

            if not isinstance(image, Image.Image):
                raise ConfigError(f"RandomOcclusion needs a PIL image or a uint8 tensor, found {type(image).__name__}.")
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
            return Image.fromarray(self.forward(pixels).permute(1, 2, 0).numpy())
        if image.dtype != torch.uint8 or image.ndim not in (3, 4) or image.shape[-3] != 3:
            raise ConfigError(
                f"RandomOcclusion needs uint8 [3, H, W] or [B, 3, H, W], found {image.dtype} {list(image.shape)}: "
                "put it before ToDtype and Normalize."
            )
        batch = image if image.ndim == 4 else image[None]
        hidden = (torch.rand(len(batch)) < self.p).nonzero().flatten().tolist()
        if not hidden:
            return image
        out = batch.clone()
        overlays = self._draw(len(hidden), *batch.shape[-2:]).to(image.device)
        out[hidden] = composite_batch(batch[hidden], overlays)
        return out if image.ndim == 4 else out[0]

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"{self.occlusion}, p={self.p}"

    def _draw(self, count: int, height: int, width: int) -> torch.Tensor:
        """Return uint8[count, 4, height, width] overlays."""
        full = np.empty((count, height, width, 4), dtype=np.uint8)
        for target, number in zip(full, torch.randint(2**31, (count,)).tolist(), strict=True):
            draws = stream(number, "random_occlusion")
            condition = self.occlusion.conditions[draws.integer(0, len(self.occlusion.conditions))]
            canvas = Example(key=f"draw-{number}", image=np.broadcast_to(np.uint8(0), (height, width, 3)), labels=(0,))
            self.occlusion.overlay(canvas, condition, 0).on_canvas(height, width, target)
        return torch.from_numpy(full.transpose(0, 3, 1, 2).copy())
