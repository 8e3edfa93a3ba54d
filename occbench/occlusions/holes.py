"""Holes: hard-edged regions filled with one colour, or with what a picture shows there."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError
from occbench.core.types import Overlay, empty_overlay

__all__ = ["check_fill", "hole_overlay", "picture_overlay"]


def check_fill(family: str, fill: Sequence[int]) -> None:
    """Refuse a ``fill`` that is no colour.

    Raises:
        ConfigError: it is not three values of 0 to 255.
    """
    if len(fill) != 3 or not all(0 <= value <= 255 for value in fill):
        raise ConfigError(f"{family}: fill is three values of 0 to 255, found {list(fill)}: black is [0, 0, 0].")


def hole_overlay(hole: NDArray[np.bool_], fill: tuple[int, int, int] = (0, 0, 0)) -> Overlay:
    """Return the overlay that paints ``fill`` where ``hole`` is True and leaves every other pixel untouched.

    Args:
        hole: bool[H, W] over the whole image.
        fill: RGB, each 0..255, put on before any normalisation.

    Returns:
        An overlay over the smallest box that holds every True pixel, alpha 0 or 255; ``achieved`` is the exact share.
    """
    alpha = hole.view(np.uint8) * np.uint8(255)
    x0, y0, width, height = cv2.boundingRect(alpha)
    if width == 0:
        return empty_overlay()
    box = alpha[y0 : y0 + height, x0 : x0 + width]
    # box is 0 or 255, so a bitwise and gives the fill on the hole and zero beside it
    rgba = np.asarray(cv2.merge([*(box & np.uint8(value) for value in fill), box]), dtype=np.uint8)
    return Overlay(rgba=rgba, x0=x0, y0=y0, achieved=int(np.count_nonzero(box)) / hole.size)


def picture_overlay(hole: NDArray[np.bool_], picture: NDArray[np.uint8]) -> Overlay:
    """Return the overlay that shows a picture where ``hole`` is True and leaves every other pixel untouched.

    Args:
        hole: bool[H, W] over the whole image.
        picture: uint8[H, W, 3], RGB.

    Returns:
        As ``hole_overlay``.
    """
    mask = hole.view(np.uint8) * np.uint8(255)
    x0, y0, width, height = cv2.boundingRect(mask)
    if width == 0:
        return empty_overlay()
    box = np.s_[y0 : y0 + height, x0 : x0 + width]
    alpha = mask[box]
    rgba = np.dstack([picture[box] & alpha[..., None], alpha])
    return Overlay(rgba=rgba, x0=x0, y0=y0, achieved=int(np.count_nonzero(alpha)) / hole.size)
