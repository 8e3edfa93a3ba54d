"""Hole masks on disk: what the pixels of a file mean, and how they fit an image."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.resize import resize
from occbench.occlusions.image_files import read_pixels

__all__ = ["fit_mask", "read_mask"]


def read_mask(path: Path, hole: Literal["bright", "dark"]) -> NDArray[np.bool_]:
    """Return bool[h, w], True on the hole: grey value > 0 if ``bright``, grey value 0 if ``dark``.

    Raises:
        ConfigError: the file is not a readable image.
    """
    bright = read_pixels(path, "L") > 0
    return bright if hole == "bright" else ~bright


def fit_mask(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """Return ``mask`` as bool[height, width]: resized until it covers the image, then cropped about its centre.

    Resized bicubically and cut at half height, which keeps edges where they are and the share nearly so. (The code of
    Zunair and Ben Hamza cuts above zero, which widens every hole by about a pixel.)
    """
    if mask.shape == (height, width):
        return mask
    scale = max(height / mask.shape[0], width / mask.shape[1])
    size = (max(width, round(mask.shape[1] * scale)), max(height, round(mask.shape[0] * scale)))
    picture = resize(Image.fromarray(mask.view(np.uint8) * np.uint8(255)), size, Image.Resampling.BICUBIC)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.asarray(picture)[top : top + height, left : left + width] >= 128
