"""Paint: colours and textures, none of which depends on the class, then light, blur and noise.

Images are float32[3, S, S] with values around 0..1 until ``developed`` makes them pixels. Textures live in image
coordinates and noise grids have a fixed number of cells, so an image looks the same at every size.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.seeding import Stream
from occbench.sources.toyparts_drawing.outlines import Layer
from occbench.sources.toyparts_drawing.raster import Coverage

__all__ = ["Picture", "backdrop", "developed", "painted"]

Picture: TypeAlias = NDArray[np.float32]

# Objects are brighter than most backgrounds, so that a blacked-out part is gone rather than a black part of the same
# telling shape.
_DIM: Final = 0.5  # brightest background colour
_BRIGHT: Final = 0.35  # darkest colour of an object's part
_RELIEF: Final = 0.6  # a texture's second colour is up to half of this lighter or darker
_SMALLEST_BLUR_PX: Final = 0.2  # a Gaussian narrower than this changes nothing


def backdrop(draw: Stream, size_px: int) -> Picture:
    """Return a background: two colours along a direction, a soft colour cast, and grain."""
    axis = _axis(size_px)
    first, second = (_colour(_DIM * draw.uniforms(3)) for _ in range(2))
    slope = _slope(draw, axis, axis) * np.float32(draw.uniform(0.2, 1.0))
    cast = (draw.uniforms(3, 5, 5) - 0.5) * draw.uniform(0.0, 0.3)
    grain = (draw.uniforms(28, 28) - 0.5) * draw.uniform(0.0, 0.15)
    picture = np.stack([_stretched(plane, size_px, size_px) for plane in cast])
    picture += _stretched(grain, size_px, size_px) + first
    picture += (second - first) * slope
    return np.asarray(np.clip(picture, 0, 1, out=picture))


def painted(
    picture: Picture,
    layers: Sequence[Layer],
    coverages: Sequence[Coverage],
    draw: Stream,
    behind: Picture | None = None,
) -> Picture:
    """Return ``picture`` with every layer blended in, each in its own colours and texture.

    Args:
        picture: the backdrop, or what other calls made of it.
        layers: of one object, and clutter: colours of their parts are drawn around one.
        coverages: of the layers.
        draw: decides colours and textures.
        behind: the backdrop, where ``picture`` is no longer it.
    """
    behind, picture = picture if behind is None else behind, picture.copy()
    candidates = _bright(draw.uniforms(3, 3))
    palette = candidates[candidates.sum(axis=1).argmax()]
    spread = draw.uniform(0.1, 0.6)  # how far the parts' colours are from one another
    axis = _axis(picture.shape[1])
    for layer, coverage in zip(layers, coverages, strict=True):
        own, tone, kind = draw.uniforms(3), draw.uniforms(3), draw.integer(0, 5)
        own = _bright(own) if layer.part else own
        base = palette + (own - palette) * spread if layer.part and not layer.mark else own
        rows, columns = coverage.box
        area = (slice(None), rows, columns)
        colour = _colour(_RELIEF * (tone - 0.5)) * _texture(kind, draw, axis[rows], axis[columns])
        colour += _colour(base)
        np.clip(colour, 0, 1, out=colour)
        colour -= behind[area]
        colour *= coverage.share * np.float32(1 / 255)
        picture[area] += colour
    return picture


def developed(picture: Picture, edges: NDArray[np.uint8], draw: Stream) -> NDArray[np.uint8]:
    """Return pixels, uint8[S, S, 3]: edges darkened, light from one side, slight blur, grey noise."""
    size_px = picture.shape[1]
    axis = _axis(size_px)
    light = 1 - edges * np.float32(draw.uniform(0.0, 0.7) / 255)
    brightness, relief = np.float32(draw.uniform(0.75, 1.1)), np.float32(draw.uniform(0.0, 0.35))
    light *= brightness + relief * (_slope(draw, axis, axis) - np.float32(0.5))
    picture = picture * light
    sigma = draw.uniform(0.0, 0.008) * size_px
    if sigma > _SMALLEST_BLUR_PX:
        picture = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in picture])
    picture += ((draw.uniforms(size_px, size_px) - 0.5) * draw.uniform(0.0, 0.08)).astype(np.float32)
    picture *= 255
    np.clip(np.rint(picture, out=picture), 0, 255, out=picture)
    return np.asarray(cv2.merge([plane.astype(np.uint8) for plane in picture]), dtype=np.uint8)


def _bright(uniforms: NDArray[np.float64]) -> NDArray[np.float64]:
    return _BRIGHT + (1.0 - _BRIGHT) * uniforms


def _colour(channels: NDArray[np.float64]) -> Picture:
    """Return a colour as float32[3, 1, 1], which spreads over an image."""
    return channels.astype(np.float32)[:, None, None]


def _texture(kind: int, draw: Stream, rows: Picture, columns: Picture) -> Picture:
    """Return float32[h, w] in 0..1 at these image coordinates: plain, a gradient, stripes, dots or blotches."""
    cells, size = np.float32(draw.uniform(7.0, 16.0)), np.float32(draw.uniform(0.25, 0.45))
    if kind == 0:
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
