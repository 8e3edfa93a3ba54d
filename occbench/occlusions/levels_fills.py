"""Fillings of occluders that show no object: noise, and textures drawn or taken from photographs.

All are made of whole numbers of a named stream: no sine and no filter of a library, so they are the same everywhere.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream
from occbench.occlusions.image_files import read_pixels

__all__ = ["crop_texture", "draw_noise", "draw_texture", "read_texture"]

#: Features of drawn textures, pixels on an image of this side.
_REFERENCE_PX: Final = 224
_CELLS_PX: Final = (32, 16, 8)


def draw_noise(random: Stream, height: int, width: int) -> NDArray[np.uint8]:
    """Return uint8[height, width, 3], every value uniform and independent: the bytes of the stream's words."""
    count = height * width * 3
    return random.words(-(-count // 8)).astype("<u8").view(np.uint8)[:count].reshape(height, width, 3)


def draw_texture(random: Stream, height: int, width: int, image_px: int) -> NDArray[np.uint8]:
    """Draw one of four textures (clouds, bands, squares, spots) in two random colours, with a fine grain.

    Args:
        random: decides all.
        height: of the result, pixels.
        width: of the result, pixels.
        image_px: shorter side of the image it is for; features grow with it.

    Returns:
        uint8[height, width, 3].
    """
    unit = max(1, image_px // _REFERENCE_PX)
    kind = random.integer(0, 4)
    period, slope_x, slope_y = random.integer(8, 25) * unit, random.integer(1, 8), random.integer(-7, 8)
    one, other = random.integers(256, 6).reshape(2, 1, 3)
    cloud = _clouds(random, height, width, unit)
    x, y = np.arange(width, dtype=np.int32)[None, :], np.arange(height, dtype=np.int32)[:, None]
    if kind == 0:
        mixed = np.clip(2 * cloud - 128, 0, 255)
    elif kind == 1:
        phase = (slope_x * x + slope_y * y + cloud * unit // 2) % (8 * period)
        mixed = np.abs(phase - 4 * period) * 255 // (4 * period)
    elif kind == 2:
        sway = cloud * unit // 16
        mixed = 255 * ((x + sway) // period + (y + sway) // period & 1)
    else:
        mixed = 255 * (cloud // 16 & 1)
    share = np.arange(256)[:, None]
    palette = ((share * one + (255 - share) * other + 127) // 255).astype(np.int16)
    grain = (draw_noise(random, height, width)[..., :1] >> 3).astype(np.int16) - 16
    return np.asarray(np.clip(np.take(palette, mixed, axis=0) + grain, 0, 255), dtype=np.uint8)


@lru_cache(maxsize=16)  # few, as photographs are large; reading one costs more than all else
def read_texture(path: Path) -> NDArray[np.uint8]:
    """Return a texture photograph, uint8[H, W, 3].

    Raises:
        ConfigError: the file is not a readable image.
    """
    return read_pixels(path, "RGB")


def crop_texture(texture: NDArray[np.uint8], random: Stream, height: int, width: int) -> NDArray[np.uint8]:
    """Return a random crop, uint8[height, width, 3]; a smaller photograph is continued as in a mirror."""
    rows, columns = (
        _mirrored(random, wanted, there) for wanted, there in zip((height, width), texture.shape[:2], strict=True)
    )
    return texture[rows[:, None], columns[None, :]]


def _mirrored(random: Stream, wanted: int, there: int) -> NDArray[np.int64]:
    """Return ``wanted`` neighbouring indices of a line of ``there``, which turns round at its ends."""
    start = random.integer(0, there - wanted + 1) if wanted <= there else random.integer(0, 2 * there)
    place = (start + np.arange(wanted)) % (2 * there)
    return np.minimum(place, 2 * there - 1 - place)


def _clouds(random: Stream, height: int, width: int, unit: int) -> NDArray[np.int32]:
    """Return int32[height, width] in 0..255: octaves of smooth noise, each half as coarse and as strong."""
    total = np.zeros((height, width), dtype=np.int32)
    for cell in _CELLS_PX:
        total += cell * _smooth(random, height, width, cell * unit)
    return total // sum(_CELLS_PX)


def _smooth(random: Stream, height: int, width: int, cell: int) -> NDArray[np.int32]:
    """Return random values in 0..255 on a lattice of ``cell`` pixels, interpolated linearly between them."""
    rows, columns = height // cell + 2, width // cell + 2
    lattice = random.integers(256, rows * columns).reshape(rows, columns).astype(np.int32)
    row, down = np.divmod(np.arange(height, dtype=np.int32), np.int32(cell))
    column, right = np.divmod(np.arange(width, dtype=np.int32), np.int32(cell))
    lines = lattice[row] * (cell - down)[:, None] + lattice[row + 1] * down[:, None]
    return np.asarray(
        (lines[:, column] * (cell - right) + lines[:, column + 1] * right) // (cell * cell), dtype=np.int32
    )
