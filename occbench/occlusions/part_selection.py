"""Which parts of an object to hide: half of them, rounded up, that together cover most [Mallick et al. 2025, sec. 3].

PartImageNet's parts exclude each other, so that the best ``k`` are the ``k`` largest. Parts of other data overlap (a
light lies on a bumper): there the union decides, and all choices of ``k`` are compared while they are few enough, which
is up to 16 parts for half of them. Beyond that parts are taken one after another, each time the one that adds most;
this covers at least 63 % (1 - 1/e) of the best union [Nemhauser, Wolsey, Fisher 1978]. Of choices that cover the same,
the one that comes first by its sorted part names is taken.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from math import ceil, comb
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import BrokenImageError

__all__ = ["part_region", "select_parts"]

#: Choices compared at most: every way to take half of 16 parts.
_MOST_CHOICES: Final = 12_870


def part_region(parts: Mapping[str, NDArray[np.bool_]], share: float, dilate_px: int = 0) -> NDArray[np.bool_]:
    """Return bool[H, W], True on the hidden parts of an object.

    A part without a pixel in the image (cropped away by the resize rule) does not count.

    Args:
        parts: part name -> bool[H, W].
        share: of the ``n`` parts ``ceil(share * n)`` are hidden; an object of one part goes as a whole.
        dilate_px: every pixel that is so near to a hidden one is hidden, too.

    Raises:
        BrokenImageError: the image has no part.
    """
    present = {name: mask for name, mask in parts.items() if mask.any()}
    if not present:
        raise BrokenImageError("it has no part mask" if not parts else "the resize rule left nothing of its parts")
    chosen = select_parts(present, ceil(Fraction(str(share)) * len(present)))  # 0.6 of 5 is 3, which binary floats miss
    return dilated(np.logical_or.reduce([present[name] for name in chosen]), dilate_px)


def select_parts(parts: Mapping[str, NDArray[np.bool_]], count: int) -> tuple[str, ...]:
    """Return the names, sorted, of ``count`` parts of largest union; see the module's text.

    Args:
        parts: part name -> bool[H, W]; the order means nothing.
        count: 1 to ``len(parts)``.
    """
    names = sorted(parts)
    members, pixels = _overlaps([parts[name] for name in names])
    if members.sum(axis=0).max() <= 1:
        areas = (members * pixels).sum(axis=1)
        chosen = sorted(np.argsort(-areas, kind="stable")[:count].tolist())
    elif comb(len(names), count) <= _MOST_CHOICES:
        chosen = _best(members, pixels, count)
    else:
        chosen = _greedy(members, pixels, count)
    return tuple(names[index] for index in chosen)


def dilated(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Return bool[H, W], True within ``radius_px`` pixels (Euclidean) of a True pixel; 0 returns ``mask``."""
    if radius_px == 0 or not mask.any():
        return mask
    # squared distances between pixels are whole numbers: half of one more is on neither side
    limit = (radius_px**2 + 0.5) ** 0.5
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= limit)


def _overlaps(masks: list[NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Group the covered pixels by the set of masks that cover them.

    Returns:
        members, bool[n, G], whether mask i covers group j, and the groups' sizes in pixels, int64[G].
    """
    covered = np.logical_or.reduce(masks)
    stacked = np.stack([mask[covered] for mask in masks])
    code = np.zeros(stacked.shape[1], dtype=np.int64)
    for start in range(0, len(masks), 32):  # 32 masks at a time are the low bits, the groups so far the high ones
        code <<= 32
        for bit, mask in enumerate(stacked[start : start + 32]):
            code |= mask.astype(np.int64) << bit
        _, first, code, pixels = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    return stacked[:, first], pixels.astype(np.int64)


def _best(members: NDArray[np.bool_], pixels: NDArray[np.int64], count: int) -> list[int]:
    """Compare every choice; of equal ones the first in lexicographic order."""
    choices = np.array(list(combinations(range(len(members)), count)), dtype=np.intp)
    covered = np.zeros((len(choices), members.shape[1]), dtype=np.bool_)
    for column in choices.T:
        covered |= members[column]
    best: list[int] = choices[int(np.argmax(covered @ pixels))].tolist()
    return best


def _greedy(members: NDArray[np.bool_], pixels: NDArray[np.int64], count: int) -> list[int]:
    """Take the part that adds most, ``count`` times; of equal ones the first."""
    chosen: list[int] = []
    missing = pixels.copy()
    gains = members.astype(np.int64)
    for _ in range(count):
        gain = gains @ missing
        gain[chosen] = -1
        chosen.append(int(np.argmax(gain)))
        missing[members[chosen[-1]]] = 0
    return sorted(chosen)
