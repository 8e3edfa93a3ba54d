"""Resizing that gives the same pixels with every release of Pillow.

Pillow filters along one axis, rounds, and filters along the other. Along one axis all releases agree; which axis comes
first they do not: before Pillow 13 the rows always did, since then whichever it holds for quicker, and where rounding
falls otherwise, a pixel differs by a level or more. Here the order is a rule of ours (the one of Pillow 13), so that a
dataset made with one release can be rebuilt with another.
"""

from PIL import Image

__all__ = ["resize"]


def resize(
    picture: Image.Image,
    size: tuple[int, int],
    filter_: Image.Resampling,
    region: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Resize with one of Pillow's antialiased filters.

    Args:
        picture: of mode ``L``, ``RGB``, ``RGBa`` (premultiplied) or ``F``.
        size: (width, height) of the result, pixels.
        filter_: any but nearest neighbour.
        region: (x0, y0, x1, y1) of the picture that becomes the result, pixels; the filter may reach beyond it. None
            for all of it.
    """
    width, height = picture.size
    columns, rows = size
    x0, y0, x1, y1 = region or (0, 0, width, height)
    if rows < height and height - rows > 2 * (width - columns):
        lower = picture.resize((width, rows), filter_, box=(0, y0, width, y1))
        return lower.resize(size, filter_, box=(x0, 0, x1, rows))
    narrower = picture.resize((columns, height), filter_, box=(x0, 0, x1, height))
    return narrower.resize(size, filter_, box=(0, y0, columns, y1))
