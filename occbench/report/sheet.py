"""The contact sheet: one PNG, a row per clean image, a column per condition."""

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from occbench.report.gallery import Gallery, Row, caption

__all__ = ["draw_sheet"]

_WIDEST_PX: Final = 2400
_LARGEST_TILE_PX: Final = 224
#: Smaller images are enlarged by a whole factor, so that a condition's name fits above its column.
_SMALLEST_TILE_PX: Final = 96

_PAPER: Final = (248, 248, 246)
_INK: Final = (28, 28, 30)
_QUIET: Final = (98, 98, 102)
_RULE: Final = (196, 196, 192)

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class _Layout:
    """Every length of a sheet, in pixels, from the size of a tile."""

    tile: int
    columns: tuple[int, ...]
    label: int
    text: int

    margin: ClassVar[int] = 28
    gap: ClassVar[int] = 8
    group_gap: ClassVar[int] = 24

    @property
    def line(self) -> int:
        return round(self.text * 1.35)

    @property
    def lefts(self) -> list[int]:
        """Left edge of every column, the clean one first."""
        lefts, x = [], self.margin + self.label + self.gap
        for group in (1, *self.columns):
            for _ in range(group):
                lefts.append(x)
                x += self.tile + self.gap
            x += self.group_gap - self.gap
        return lefts

    @property
    def width(self) -> int:
        return self.lefts[-1] + self.tile + self.margin


def draw_sheet(gallery: Gallery) -> bytes:
    """Return the sheet as PNG bytes, at most 2,400 px wide; images of 96 to 224 px keep their pixels."""
    layout = _lay_out(gallery)
    title, small = _font(round(layout.text * 1.9)), _font(layout.text)
    inner = layout.width - 2 * layout.margin
    heading = _wrap(gallery.description, small, inner)
    names = round(max(small.getlength(name) for name, _ in gallery.facts)) + layout.group_gap
    facts = [(name, _wrap(value, small, inner - names)) for name, value in gallery.facts]
    top = layout.margin + round(layout.line * 1.8) + layout.line * len(heading) + layout.line
    first_row = top + round(layout.line * 2.9)
    # the caption and some room follow below the pictures of every row
    captions = [[caption(*pair) for pair in zip(row.samples, gallery.conditions, strict=True)] for row in gallery.rows]
    heights = [
        _size(row.clean, layout.tile)[1] + layout.line * max(map(len, own)) + 12
        for row, own in zip(gallery.rows, captions, strict=True)
    ]
    below = first_row + sum(heights) + layout.line // 2

    sheet = Image.new(
        "RGB", (layout.width, below + layout.line * sum(len(lines) for _, lines in facts) + layout.margin), _PAPER
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((layout.margin, layout.margin), _fit(gallery.title, title, inner), _INK, title)
    _lines(draw, (layout.margin, layout.margin + round(layout.line * 1.8)), heading, layout, _QUIET)
    _draw_headers(draw, gallery, layout, top)
    for number, (row, own) in enumerate(zip(gallery.rows, captions, strict=True)):
        _draw_row(sheet, row, own, layout, first_row + sum(heights[:number]))
    for name, lines in facts:
        _lines(draw, (layout.margin, below), [name], layout, _QUIET)
        _lines(draw, (layout.margin + names, below), lines, layout, _INK)
        below += layout.line * len(lines)
    buffer = BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _lay_out(gallery: Gallery) -> _Layout:
    side = max(max(row.clean.shape[:2]) for row in gallery.rows)
    if side < _SMALLEST_TILE_PX:
        side *= -(-_SMALLEST_TILE_PX // side)
    tile = min(side, _LARGEST_TILE_PX)
    columns = tuple(len(group.shown) for group in gallery.groups)
    while True:
        layout = _Layout(tile, columns, label=round(tile * 0.45) + 60, text=max(12, tile // 12))
        if layout.width <= _WIDEST_PX:
            return layout
        tile -= 1


def _draw_headers(draw: ImageDraw.ImageDraw, gallery: Gallery, layout: _Layout, top: int) -> None:
    """Draw each group's name with a rule over its columns, and below it the conditions' names."""
    font, large = _font(layout.text), _font(layout.text + 2)
    names = top + round(layout.line * 1.55)
    draw.text((layout.lefts[0], names), "clean", _INK, font)
    column = 1
    for group in gallery.groups:
        left, right = layout.lefts[column], layout.lefts[column + len(group.shown) - 1] + layout.tile
        if [condition.name for condition in group.shown] != [group.name]:
            draw.line((left, names - 6, right - 1, names - 6), _RULE, 1)
            counted = f"{group.name}  ({len(group.shown)} of {group.total})"
            draw.text((left, top), _fit(counted, large, right - left), _INK, large)
        for condition in group.shown:
            draw.text((layout.lefts[column], names), _fit(condition.name, font, layout.tile), _INK, font)
            column += 1


def _draw_row(sheet: Image.Image, row: Row, captions: list[tuple[str, ...]], layout: _Layout, top: int) -> None:
    draw, font, quiet = ImageDraw.Draw(sheet), _font(layout.text), _font(layout.text - 1)
    words = _wrap(row.class_name.replace("_", " "), font, layout.label)
    most = max(3, _size(row.clean, layout.tile)[1] // layout.line)
    if len(words) > most:
        words = [*words[: most - 1], f"{words[most - 1]} ..."]
    _lines(draw, (layout.margin, top), [_fit(word, font, layout.label) for word in words], layout, _INK)
    for left, image in zip(layout.lefts, (row.clean, *(sample.image for sample in row.samples)), strict=True):
        sheet.paste(_picture(image, layout.tile), (left, top))
    below = top + _size(row.clean, layout.tile)[1] + 3
    for left, lines in zip(layout.lefts[1:], captions, strict=True):
        for number, line in enumerate(lines):
            draw.text((left, below + number * layout.line), _fit(line, quiet, layout.tile), _QUIET, quiet)


def _size(image: NDArray[np.uint8], side: int) -> tuple[int, int]:
    """Return (width, height) of an image in a tile: reduced to fit, or enlarged by a whole factor."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer > side:
        return max(1, width * side // longer), max(1, height * side // longer)
    return width * (side // longer), height * (side // longer)


def _picture(image: NDArray[np.uint8], side: int) -> Image.Image:
    size = _size(image, side)
    smooth = size[0] < image.shape[1]
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST)


def _lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: list[str],
    layout: _Layout,
    colour: tuple[int, int, int],
) -> None:
    for number, line in enumerate(lines):
        draw.text((corner[0], corner[1] + number * layout.line), line, colour, _font(layout.text))


@lru_cache(maxsize=8)
def _font(size: int) -> _Font:
    return ImageFont.load_default(size)


def _wrap(text: str, font: _Font, width: int) -> list[str]:
    """Break ``text`` at spaces into lines of at most ``width`` px; a longer word stands alone."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _fit(text: str, font: _Font, width: int) -> str:
    """Shorten ``text`` to ``width`` px, with dots where something is left out."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
