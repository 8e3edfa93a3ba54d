"""The scripts that people write instead: the same variants with Pillow, one image file each."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

__all__ = ["Pattern", "decode_once", "naive"]


class Pattern(NamedTuple):
    """An overlay as such a script holds it."""

    canvas: Image.Image  # RGBA, as large as the photograph
    patch: Image.Image  # RGBA, cut to its box
    corner: tuple[int, int]  # of the box: x, y


def naive(photos: Sequence[Path], patterns: Sequence[Pattern], side: int, suffix: str, out: Path) -> None:
    """Start every variant from the file."""
    for photo in photos:
        for number, pattern in enumerate(patterns):
            image = Image.open(photo).convert("RGB").resize((side, side), Image.Resampling.BILINEAR).convert("RGBA")
            image = Image.alpha_composite(image, pattern.canvas).convert("RGB")
            image.save(out / f"{photo.stem}-{number}{suffix}", quality=95)


def decode_once(photos: Sequence[Path], patterns: Sequence[Pattern], side: int, suffix: str, out: Path) -> None:
    """Decode and resize once, paste each pattern into its box, save."""
    for photo in photos:
        clean = Image.open(photo).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        for number, pattern in enumerate(patterns):
            image = clean.copy()
            image.paste(pattern.patch, pattern.corner, pattern.patch)
            image.save(out / f"{photo.stem}-{number}{suffix}", quality=95)
