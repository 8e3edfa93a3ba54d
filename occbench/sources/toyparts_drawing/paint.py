"""Paint: colours and textures, none of which depends on the class, then light, blur and noise.

Images are float32[S, S, 3] with values around 0..1 until ``developed`` makes them pixels. Textures live in image
coordinates and noise grids have a fixed number of cells, so an image looks the same at every size.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Layer
from occbench.sources.toyparts_drawing.raster import Coverage

__all__ = ["Picture", "backdrop", "developed", "painted"]

Picture = NDArray[np.float32]

# Objects are brighter than most backgrounds, so that a blacked-out part is gone rather than a black part of the same
# telling shape.
_DIM: Final = 0.5  # brightest background colour
_BRIGHT: Final = 0.35  # darkest colour of an object's part
_RELIEF: Final = 0.6  # largest difference between a texture's two colours


def backdrop(draw: Stream, size_px: int) -> Picture:
    """Return a background: two colours along a direction, a soft colour cast, and grain."""
    first, second = (_DIM * draw.uniforms(2, 3)).astype(np.float32)
    axis = _axis(size_px)
    slope = _slope(draw, axis, axis) * np.float32(draw.uniform(0.2, 1.0))
    cast = _stretched((draw.uniforms(5, 5, 3) - 0.5) * draw.uniform(0.0, 0.3), size_px, size_px)
    grain = _stretched((draw.uniforms(28, 28) - 0.5) * draw.uniform(0.0, 0.15), size_px, size_px)[..., None]
    picture = first + (second - first) * slope[..., None] + cast + grain
    return np.asarray(np.clip(picture, 0.0, 1.0, out=picture))


def painted(picture: Picture, layers: Sequence[Layer], coverages: Sequence[Coverage], draw: Stream) -> Picture:
    """Return ``picture`` with every layer blended in, each in its own colours and texture."""
    behind, picture = picture, picture.copy()
    palette = _object_colour(picture, draw)
    spread = draw.uniform(0.1, 0.6)  # how far the parts' colours are from one another
    axis = _axis(len(picture))
    for layer, coverage in zip(layers, coverages, strict=True):
        own, tone, kind = draw.uniforms(3), draw.uniforms(3), draw.integer(0, 5)
        own = _BRIGHT + (1.0 - _BRIGHT) * own if layer.part else own
        base = palette + (own - palette) * spread if layer.part and not layer.mark else own
        rows, columns = coverage.box
        texture = _texture(kind, draw, axis[rows], axis[columns])
        colour = base.astype(np.float32) + (_RELIEF * (tone - 0.5)).astype(np.float32) * texture[..., None]
        np.clip(colour, 0.0, 1.0, out=colour)
        share = coverage.share[..., None] * np.float32(1 / 255)
        picture[coverage.box] += share * (colour - behind[coverage.box])
    return picture


def developed(picture: Picture, edges: NDArray[np.uint8], draw: Stream) -> NDArray[np.uint8]:
    """Return pixels, uint8[S, S, 3]: edges darkened, light from one side, slight blur, grey noise."""
    size_px, axis = len(picture), _axis(len(picture))
    shade = 1.0 - draw.uniform(0.0, 0.7) * (edges.astype(np.float32)[..., None] / 255)
    light = draw.uniform(0.75, 1.1) + draw.uniform(0.0, 0.35) * (_slope(draw, axis, axis)[..., None] - 0.5)
    picture = picture * (shade * light).astype(np.float32)
    sigma = draw.uniform(0.0, 0.008) * size_px
    if sigma > 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))
    noise = ((draw.uniforms(size_px, size_px) - 0.5) * draw.uniform(0.0, 0.08)).astype(np.float32)
    return np.asarray(np.clip(np.rint((picture + noise[..., None]) * 255), 0, 255), dtype=np.uint8)


def _object_colour(picture: Picture, draw: Stream) -> NDArray[np.float64]:
    """Return the colour, of four drawn, that is farthest from the background's mean."""
    colours = _BRIGHT + (1.0 - _BRIGHT) * draw.uniforms(4, 3)
    distance = np.abs(colours - picture.mean(axis=(0, 1), dtype=np.float64)).sum(axis=1)
    return np.asarray(colours[int(distance.argmax())])


def _texture(kind: int, draw: Stream, rows: Picture, columns: Picture) -> Picture:
    """Return float32[h, w] in 0..1 at these image coordinates: plain, a gradient, stripes, dots or blotches."""
    cells, size = np.float32(draw.uniform(7.0, 16.0)), np.float32(draw.uniform(0.25, 0.45))
    if kind == 0 or not rows.size:
        return np.zeros((len(rows), len(columns)), dtype=np.float32)
    if kind == 1:
        return _slope(draw, rows, columns)
    if kind == 2:
        wave = np.abs(_slope(draw, rows, columns) * cells % 1 - np.float32(0.5)) * 2
        return np.asarray(np.clip((wave - size) * 4 + np.float32(0.5), 0, 1), dtype=np.float32)
    if kind == 3:
        down, across = ((axis * cells % 1 - np.float32(0.5)) ** 2 for axis in (rows, columns))
        distance = np.sqrt(down[:, None] + across[None, :])
        return np.asarray(np.clip((size - distance) * 8 + np.float32(0.5), 0, 1), dtype=np.float32)
    return _stretched(draw.uniforms(6, 6), len(rows), len(columns))


def _slope(draw: Stream, rows: Picture, columns: Picture) -> Picture:
    """Return float32[h, w], a ramp in a random direction that goes from 0 to 1 across the whole image."""
    x, y = draw.uniform(-1.0, 1.0), draw.uniform(-1.0, 1.0)
    low, length = min(x, 0.0) + min(y, 0.0), max(abs(x) + abs(y), 1e-3)
    down = (rows * np.float32(y) - np.float32(low)) / np.float32(length)
    return np.asarray(down[:, None] + (columns * np.float32(x / length))[None, :])


def _stretched(grid: NDArray[np.float64], height: int, width: int) -> Picture:
    """Return a small grid stretched smoothly to ``height`` x ``width`` pixels."""
    return np.asarray(cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))


def _axis(size_px: int) -> Picture:
    return ((np.arange(size_px) + 0.5) / size_px).astype(np.float32)
