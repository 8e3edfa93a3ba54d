"""Training augmentation of a whole batch on its device: every image draws its own geometry.

One affine resampling (bilinear) does flip, rotation, shift, scale and crop at once, which is as fast on a
GPU as it is simple on a CPU. Draws come from a generator on the CPU, so they do not depend on the device.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

__all__ = ["AUGMENTATIONS", "Geometry", "augment", "draw_geometry"]

AUGMENTATIONS: Final = ("flip_affine", "random_resized_crop", "flip_crop", "flip", "none")

# METHODS, section 2.4 [inference]: the paper names the kinds ("horizontal flip and random affine"), not the ranges.
_DEGREES: Final = 15.0
_SHIFT: Final = 0.1
_SCALE: Final = (0.9, 1.1)
# The usual ranges of a random resized crop [Szegedy et al. 2015].
_CROP_AREA: Final = (0.08, 1.0)
_CROP_ASPECT: Final = (3 / 4, 4 / 3)
# METHODS, section 4.4: a random flip and "RandomResizedCrop(scale 0.7-1.0)" [Zunair, Ben Hamza].
_LARGE_CROP_AREA: Final = (0.7, 1.0)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the pixels of every image of a batch are taken from.

    Attributes:
        matrix: float32[B, 2, 3], output to input coordinates in [-1, 1], as ``affine_grid`` takes them; None leaves the
            images as they are.
        padding: what lies outside of an image: ``zeros`` or ``border``.
    """

    matrix: Tensor | None = None
    padding: str = "zeros"

    def apply(self, batch: Tensor) -> Tensor:
        """Return the moved float32[B, C, H, W]; images, or masks that must move with them."""
        if self.matrix is None:
            return batch
        grid = affine_grid(self.matrix.to(batch.device), list(batch.shape), align_corners=False)
        return grid_sample(batch, grid, mode="bilinear", padding_mode=self.padding, align_corners=False)


def draw_geometry(count: int, kind: str, draws: Generator) -> Geometry:
    """Draw the geometry of every image of a batch.

    Args:
        count: images.
        kind: one of ``AUGMENTATIONS``.
        draws: generator on the CPU.
    """
    if kind == "none":
        return Geometry()
    # what an affine map uncovers is black; a crop uncovers nothing, and its outermost pixels must not mix with black
    if kind == "flip_affine":
        return Geometry(_flip_affine(count, draws), "zeros")
    if kind == "flip":
        return Geometry(_flip_only(count, draws), "border")
    area = _CROP_AREA if kind == "random_resized_crop" else _LARGE_CROP_AREA
    return Geometry(_random_resized_crop(count, area, draws), "border")


def augment(images: Tensor, kind: str, draws: Generator) -> Tensor:
    """Return float32[B, 3, H, W] in 0..255, each image transformed by its own draw; see ``draw_geometry``.

    Args:
        images: uint8[B, 3, H, W].
        kind: one of ``AUGMENTATIONS``.
        draws: generator on the CPU.
    """
    return draw_geometry(len(images), kind, draws).apply(images.float())


def _uniform(count: int, low: float, high: float, draws: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=draws)


def _flip(count: int, draws: Generator) -> Tensor:
    return torch.where(torch.rand(count, generator=draws) < 0.5, -1.0, 1.0)


def _flip_affine(count: int, draws: Generator) -> Tensor:
    """Return float32[count, 2, 3]: output to input coordinates in [-1, 1], as ``affine_grid`` takes them."""
    angle = torch.deg2rad(_uniform(count, -_DEGREES, _DEGREES, draws))
    zoom = 1 / _uniform(count, *_SCALE, draws)
    flip = _flip(count, draws)
    shift = _uniform(2 * count, -2 * _SHIFT, 2 * _SHIFT, draws).view(count, 2)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = torch.stack([flip * cosine, -sine, shift[:, 0], flip * sine, cosine, shift[:, 1]], dim=1)
    return rows.view(count, 2, 3)


def _flip_only(count: int, draws: Generator) -> Tensor:
    zero, one = torch.zeros(count), torch.ones(count)
    return torch.stack([_flip(count, draws), zero, zero, zero, one, zero], dim=1).view(count, 2, 3)


def _random_resized_crop(count: int, range_of_area: tuple[float, float], draws: Generator) -> Tensor:
    area = _uniform(count, *range_of_area, draws)
    log_low, log_high = (torch.tensor(bound).log().item() for bound in _CROP_ASPECT)
    aspect = _uniform(count, log_low, log_high, draws).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    flip = _flip(count, draws)
    # the crop's centre lies where the crop stays inside the image
    centre_x = (1 - width) * _uniform(count, -1, 1, draws)
    centre_y = (1 - height) * _uniform(count, -1, 1, draws)
    zero = torch.zeros(count)
    return torch.stack([flip * width, zero, centre_x, zero, height, centre_y], dim=1).view(count, 2, 3)
