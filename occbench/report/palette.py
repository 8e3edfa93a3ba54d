"""Colours, dashes and markers that tell series apart: on light and on dark paper, in grey, for colour deficiencies."""

from typing import Final

__all__ = ["COLOURS", "DASHES", "MARKERS", "line_style"]

COLOURS: Final = ("#2f7fd0", "#d9651f", "#1f9e77", "#a45fc4", "#b8860b", "#d4477c", "#5f7f8f", "#6b8e23")
#: Lengths of dashes and gaps in units of the line's width.
DASHES: Final = ((), (3.7, 1.6), (6.4, 1.6, 1.0, 1.6), (1.0, 1.65))
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")


def line_style(dashes: tuple[float, ...]) -> str | tuple[int, tuple[float, ...]]:
    """Return one of ``DASHES`` as Matplotlib takes it."""
    return (0, dashes) if dashes else "-"
