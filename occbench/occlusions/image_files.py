"""Image files that an option names: a folder of masks, of texture photographs."""

from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import ConfigError
from occbench.core.pictures import UNREADABLE

__all__ = ["image_files", "read_pixels"]

_SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def image_files(folder: Path, option: str) -> tuple[Path, ...]:
    """Return the image files directly in a folder by name; other files, such as a licence, are passed over.

    Args:
        folder: the folder.
        option: that names it, for errors.

    Raises:
        ConfigError: there is no such folder, or no image file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"{option} {folder} is not a folder: give one that holds the image files.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.name[0] != ".")
    if not files:
        raise ConfigError(f"{option} {folder} has no image file: put some ({', '.join(sorted(_SUFFIXES))}) in.")
    return tuple(files)


def read_pixels(path: Path, mode: Literal["L", "RGB"]) -> NDArray[np.uint8]:
    """Return an image file's pixels as Pillow converts them: uint8[H, W] of ``L``, uint8[H, W, 3] of ``RGB``.

    Raises:
        ConfigError: the file is not a readable image.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert(mode))
    except UNREADABLE as error:
        raise ConfigError(f"{path} cannot be read as an image ({error}): replace or remove it.") from error
