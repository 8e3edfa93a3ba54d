"""Colours, dashes and markers that tell series apart: on light and on dark paper, in grey, for colour deficiencies."""

from typing import Final

__all__ = ["COLOURS", "DASHES", "MARKERS"]

COLOURS: Final = ("#2f7fd0", "#d9651f", "#1f9e77", "#a45fc4", "#b8860b", "#d4477c", "#5f7f8f", "#6b8e23")
DASHES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
