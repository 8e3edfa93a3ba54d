"""Clean images in memory as uint8, and their occluded twins rendered on the device where the model is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from occbench.core.compose import composite_batch
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare, prepare
from occbench.core.types import CLEAN, Condition, Example
from occbench.data.render import Renderer

__all__ = ["ImageSet", "load_images", "render_batch"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size with their labels, held in memory (150 kB an image at 224 px).

    Attributes:
        images: uint8[N, 3, S, S], RGB, after the resize rule.
        labels: int64[N], head labels; -1 where the image's class is not in the head.
        examples: what else the source knows (key, masks), in the same order; their ``image`` shares ``images``' memory.
    """

    images: Tensor
    labels: Tensor
    examples: tuple[Example, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Keys of the images."""
        return tuple(example.key for example in self.examples)


def load_images(source: Source, indices: Sequence[int], rule: Prepare, label_of: dict[int, int]) -> ImageSet:
    """Decode images and apply the resize rule.

    Args:
        source: the clean images.
        indices: which ones, in order; none gives an empty set.
        rule: must give all images one size.
        label_of: source label -> head label; classes that are absent get -1.

    Raises:
        BrokenImageError: one of them cannot be used; a benchmark does not silently go on with fewer.
    """
    if not indices:
        return ImageSet(torch.empty(0, 3, rule.size_px, rule.size_px, dtype=torch.uint8), torch.tensor([]).long(), ())
    first = prepare(source[indices[0]], rule)
    height, width = first.image.shape[:2]
    pixels = np.empty((len(indices), height, width, 3), dtype=np.uint8)
    examples = []
    for place, index in zip(pixels, indices, strict=True):
        example = prepare(source[index], rule)
        place[...] = example.image
        examples.append(Example(example.key, place, example.labels, example.object_mask, example.parts))
    labels = [label_of.get(example.labels[0], -1) for example in examples]
    # the tensor is a view in channels-last order, which is also the faster memory format for convolutions
    return ImageSet(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.tensor(labels), tuple(examples))


def render_batch(
    images: ImageSet, rows: slice, condition: Condition, renderer: Renderer, device: torch.device
) -> Tensor:
    """Return uint8[B, 3, S, S] on the device: images ``rows`` under a condition; ``clean`` leaves them as they are."""
    batch = images.images[rows].to(device, non_blocking=True)
    if condition.name == CLEAN.name:
        return batch
    if not renderer.per_image(condition):
        overlay = torch.from_numpy(renderer.full_overlay(images.examples[0], condition))
        return composite_batch(batch, overlay.permute(2, 0, 1)[None].to(device))
    overlays = np.stack([renderer.full_overlay(example, condition) for example in images.examples[rows]])
    return composite_batch(batch, torch.from_numpy(overlays).permute(0, 3, 1, 2).to(device))


def batches(count: int, size: int) -> Iterator[slice]:
    """Yield consecutive slices of at most ``size`` items."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
