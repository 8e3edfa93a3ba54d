"""Where an occlusion hides: the pixels that any family's overlay covers, for families that only say what is put there.

A recipe names *where* and *what* apart: a family that fills pixels in its own way (an inpainter) takes another family
as its mask, so that its twin (a blackout, a pattern) hides exactly the same pixels.
"""

import numpy as np
from numpy.typing import NDArray

from occbench.core.interfaces import Occlusion
from occbench.core.types import Condition, Example

__all__ = ["hidden_mask"]


def hidden_mask(family: Occlusion, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_]:
    """Return bool[H, W], True where the family's overlay hides the image wholly (alpha 255).

    Args:
        family: any family; one whose overlay is soft at its edges leaves these pixels out.
        example: the clean image after the resize rule.
        condition: one of the family's.
        seed: the recipe's.

    Raises:
        OcclusionError, BrokenImageError: as the family's ``overlay``.
    """
    hidden = family.hidden(example, condition, seed)
    if hidden is not None:
        return hidden
    overlay = family.overlay(example, condition, seed)
    height, width = overlay.alpha.shape
    mask = np.zeros(example.image.shape[:2], dtype=np.bool_)
    mask[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.alpha == 255
    return mask
