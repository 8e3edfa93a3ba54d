"""Hole masks on disk: which files of a folder are masks, what their pixels mean, how they fit an image."""

from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import ConfigError
from occbench.core.resize import resize

__all__ = ["fit_mask", "mask_files", "read_mask"]

_SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def mask_files(folder: Path) -> list[Path]:
    """Return the image files directly in ``folder`` by name; other files, such as a licence, are passed over.

    Raises:
        ConfigError: there is no such folder, or no image file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"mask_folder {folder} is not a folder: give the folder that holds the mask files.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != ".")
    if not files:
        raise ConfigError(
            f"mask_folder {folder} has no image file: put mask files ({', '.join(sorted(_SUFFIXES))}) in."
        )
    return files


def read_mask(path: Path, hole: Literal["bright", "dark"]) -> NDArray[np.bool_]:
    """Return bool[h, w], True on the hole: grey value > 0 if ``bright``, grey value 0 if ``dark``.

    Raises:
        ConfigError: the file is not a readable image.
    """
    try:
        with Image.open(path) as picture:
            bright = np.asarray(picture.convert("L")) > 0
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConfigError(f"mask {path} cannot be read ({error}): replace or remove it.") from error
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
