"""The contact sheet: every occluder of the bank on a light checkerboard with its name under it."""

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from occbench.core.files import whole_file
from occbench.occlusions.banks.drawing.bank import DRAWINGS

__all__ = ["contact_sheet", "write_sheet"]

_CELL_PX: Final = 132
_PICTURE_PX: Final = 120
_NAME_PX: Final = 18
_SQUARE_PX: Final = 11


def contact_sheet(folder: Path) -> Image.Image:
    """Return the bank in ``folder`` as a picture of 3 rows (looks) by 10 columns (categories)."""
    columns, rows = len(DRAWINGS), 3
    sheet = Image.new("RGB", (columns * _CELL_PX, rows * (_CELL_PX + _NAME_PX)), (250, 250, 248))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    steps = np.arange(_CELL_PX) // _SQUARE_PX
    squares = np.where((steps[:, None] + steps[None]) % 2 == 0, 246, 232).astype(np.uint8)
    board = Image.fromarray(np.repeat(squares[..., None], 3, axis=2))
    for column, category in enumerate(DRAWINGS):
        for row in range(rows):
            left, top = column * _CELL_PX, row * (_CELL_PX + _NAME_PX)
            sheet.paste(board, (left, top))
            with Image.open(folder / f"{category}{row + 1}.png") as file:
                picture = file.convert("RGBA")
            picture.thumbnail((_PICTURE_PX, _PICTURE_PX), Image.Resampling.LANCZOS)
            place = left + (_CELL_PX - picture.width) // 2, top + (_CELL_PX - picture.height) // 2
            sheet.paste(picture, place, picture)
            middle = (left + _CELL_PX // 2, top + _CELL_PX + _NAME_PX // 2)
            pen.text(middle, f"{category}{row + 1}", fill=(60, 60, 60), font=font, anchor="mm")
    return sheet


def write_sheet(folder: Path, path: Path) -> None:
    """Write the contact sheet of the bank in ``folder`` to ``path`` as PNG."""
    with whole_file(path) as temporary:
        contact_sheet(folder).save(temporary, "PNG", optimize=True)
