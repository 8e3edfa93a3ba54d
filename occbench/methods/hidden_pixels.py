"""What the augmentations that hide pixels share: the colour they fill with, lengths that go with the image, spans."""

from typing import Final

import torch
from torch import Tensor

from occbench.core.training import TrainingRun

__all__ = ["filled", "scaled_px", "within"]

#: Side of the images that the papers give their lengths for.
_PAPERS_SIDE_PX: Final = 224


def filled(run: TrainingRun, images: Tensor, hidden: Tensor) -> Tensor:
    """Return images whose hidden pixels have the mean colour, which the model sees as 0.

    Args:
        run: knows the colour.
        images: float32[B, 3, S, S] in 0..255, left as they are.
        hidden: bool[B, 1, S, S], on any device.
    """
    return torch.where(hidden.to(images.device), run.mean_pixel.to(images)[None, :, None, None], images)


def scaled_px(length_px: int, side_px: int) -> int:
    """Return a length given for images of 224 px in an image of side ``side_px``; at least 1 px."""
    return max(1, round(length_px * side_px / _PAPERS_SIDE_PX))


def within(first: Tensor, length: Tensor | int, side: int) -> Tensor:
    """Return bool[..., side]: which rows (or columns) of an image lie in the spans that begin at ``first`` [...]."""
    places = torch.arange(side)
    return (places >= first[..., None]) & (places < (first + length)[..., None])
