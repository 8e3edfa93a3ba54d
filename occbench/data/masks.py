"""Masks as COCO run-length text that carries its own size."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import DatasetError
from occbench.core.rle import encode_runs, rasterise
from occbench.core.types import Example

__all__ = ["decode_mask", "encode_mask", "pack_masks", "unpack_masks"]

#: The name under which an object mask is stored among the part masks.
_OBJECT = ""
#: As many as an image may have (Pillow's limit).
_LARGEST_PX = 178_956_970


def encode_mask(mask: NDArray[np.bool_]) -> str:
    """Return COCO's compressed run-length text of a bool[H, W] mask, preceded by ``HxW:``."""
    return f"{mask.shape[0]}x{mask.shape[1]}:{encode_runs(mask)}"


def decode_mask(text: str) -> NDArray[np.bool_]:
    """Return the bool[H, W] mask of ``encode_mask``'s text.

    Raises:
        DatasetError: not such a text.
    """
    size, _, counts = text.partition(":")
    height, _, width = size.partition("x")
    if not (height.isdecimal() and width.isdecimal() and counts and counts.isascii()):
        raise DatasetError(f"a stored mask is not run-length text: it starts with {text[:20]!r}")
    if len(height) + len(width) > 10 or int(height) * int(width) > _LARGEST_PX:
        raise DatasetError(f"a stored mask is said to be {height[:12]} x {width[:12]} px, larger than any image.")
    try:
        return rasterise([{"size": [int(height), int(width)], "counts": counts}], int(height), int(width))
    except ValueError as error:
        raise DatasetError(f"a stored mask cannot be read: {error}. Run `occbench verify` on the dataset.") from error


def pack_masks(example: Example) -> list[dict[str, str]]:
    """Return an example's masks as the rows of the ``masks`` column: the object first, then parts by name."""
    packed = [] if example.object_mask is None else [{"name": _OBJECT, "rle": encode_mask(example.object_mask)}]
    return packed + [{"name": name, "rle": encode_mask(example.parts[name])} for name in sorted(example.parts)]


def unpack_masks(
    packed: Sequence[Mapping[str, str]],
) -> tuple[NDArray[np.bool_] | None, dict[str, NDArray[np.bool_]]]:
    """Return (object mask or None, part masks by name) from the ``masks`` column."""
    masks = {item["name"]: decode_mask(item["rle"]) for item in packed}
    return masks.pop(_OBJECT, None), masks
