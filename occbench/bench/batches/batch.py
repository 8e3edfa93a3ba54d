"""The images behind a batch of inputs, made when a method asks for them."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occbench.bench.batches.augment import Geometry
from occbench.bench.images.images import ImageSet
from occbench.core.errors import ConfigError
from occbench.core.training import Batch

__all__ = ["ImageBatch", "silhouettes"]


class ImageBatch(Batch):
    """A batch whose pixels and masks are computed on the first look, because most methods never look."""

    def __init__(
        self,
        pixels: Callable[[], Tensor],
        masks: Callable[[], Tensor],
        names: Sequence[str] | None,
        rows: Sequence[int] = (),
        move: Callable[[Tensor], Tensor] = Tensor.float,
    ) -> None:
        """Take how pixels and masks are made, and the images' names (see ``Batch``).

        Args:
            pixels: makes float32[B, 3, S, S].
            masks: makes float32[B, 1, S, S].
            names: of the images.
            rows: which training images they are, where they are.
            move: puts other pixels of the same rows, uint8[B, 3, S, S], under the batch's geometry, float32.
        """
        self.names = names
        self.rows = rows
        self.move = move
        self._make_pixels = pixels
        self._make_masks = masks

    @cached_property
    def _pixels(self) -> Tensor:
        return self._make_pixels()

    @cached_property
    def _masks(self) -> Tensor:
        return self._make_masks()

    def pixels(self) -> Tensor:
        """Return the images; see ``Batch``."""
        return self._pixels

    def masks(self) -> Tensor:
        """Return the silhouettes; see ``Batch``."""
        return self._masks


def silhouettes(images: ImageSet, rows: Sequence[int], geometry: Geometry, device: torch.device) -> Tensor:
    """Return float32[B, 1, S, S] in 0..1: the union of each image's parts, or its object's mask, moved with the image.

    Raises:
        ConfigError: an image has neither.
    """
    masks: list[NDArray[np.bool_]] = []
    for row in rows:
        example = images.examples[row]
        known = list(example.parts.values()) or ([] if example.object_mask is None else [example.object_mask])
        if not known:
            raise ConfigError(
                f"the method trains on silhouettes, and the image {example.key} has neither part masks nor an object "
                "mask. Use a source that has them (coco_parts, part_imagenet, toyparts), or set beta to 0."
            )
        masks.append(np.logical_or.reduce(known))
    stacked = torch.from_numpy(np.stack(masks)).to(device, torch.float32)
    return geometry.apply(stacked[:, None])
