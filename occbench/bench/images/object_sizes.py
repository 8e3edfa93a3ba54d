"""Sizes of objects, in COCO's ranges of area: what a breakdown by size is made of.

The size of a class in an image is that of its largest object there: it is what is easiest to see of the class.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from occbench.core.interfaces import Source

__all__ = ["SIZES", "object_sizes"]

#: Code of a size -> its name; 0 stands for a class of which no area is known.
SIZES: Final[dict[int, str]] = {1: "small", 2: "medium", 3: "large"}
#: Areas in pixels of the source image from which on an object is medium and large [COCO, detection evaluation].
_BOUNDS_PX: Final = (32**2, 96**2)


def object_sizes(source: Source, indices: Sequence[int], label_of: dict[int, int]) -> Tensor | None:
    """Return uint8[N, C], the size of each class in each image; None where the source knows no areas.

    Args:
        source: of the images.
        indices: which of them.
        label_of: source label -> head label.
    """
    sizes = torch.zeros(len(indices), len(label_of), dtype=torch.uint8)
    for row, index in enumerate(indices):
        for label, areas in source.areas_of(index).items():
            if areas and label in label_of:
                sizes[row, label_of[label]] = 1 + sum(max(areas) >= bound for bound in _BOUNDS_PX)
    return sizes if sizes.any() else None
