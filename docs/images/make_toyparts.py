"""Draw docs/images/toyparts.png: six images of every toyparts class, and the part masks of the first.

python docs/images/make_toyparts.py [output.png]
"""

import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.types import Example
from occbench.sources.toyparts import ToyParts

_COLOURS: Final = ((230, 60, 60), (60, 110, 240), (250, 200, 40), (60, 190, 90), (190, 80, 220), (80, 210, 220))
_IMAGES: Final = 6
_SIZE_PX: Final = 64
_GAP_PX: Final = 3
_TITLE_PX: Final = 14


def main(path: Path) -> None:
    """Write the contact sheet: a column per class, a row per image, the part masks in the last row."""
    source = ToyParts(images_per_class=_IMAGES, size_px=_SIZE_PX)
    step = _SIZE_PX + _GAP_PX
    count = len(source.classes)
    sheet = np.full((_TITLE_PX + (_IMAGES + 1) * step, count * step + _GAP_PX, 3), 255, dtype=np.uint8)
    for column, name in enumerate(source.classes):
        x = _GAP_PX + column * step
        cv2.putText(sheet, name, (x, _TITLE_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (0, 0, 0), 1, cv2.LINE_AA)
        examples = [source[number * count + column] for number in range(_IMAGES)]
        tiles = [example.image for example in examples] + [part_overlay(examples[0])]
        for row, tile in enumerate(tiles):
            y = _TITLE_PX + row * step
            sheet[y : y + _SIZE_PX, x : x + _SIZE_PX] = tile
    if not cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"cannot write {path}")


def part_overlay(example: Example) -> NDArray[np.uint8]:
    """Return the image in grey with every part in a colour of its own."""
    grey = example.image.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.6 + 80
    for colour, mask in zip(_COLOURS, example.parts.values(), strict=False):
        grey[mask] = 0.3 * grey[mask] + 0.7 * np.array(colour)
    return np.asarray(np.clip(grey, 0, 255), dtype=np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("toyparts.png"))
