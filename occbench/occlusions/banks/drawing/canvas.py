"""The canvas an occluder is drawn on: supersampled, premultiplied, in design pixels with y pointing down.

Drawing happens at ``SUPERSAMPLING`` samples per design pixel along each axis; ``Canvas.finish`` averages them, crops
to what is visible and returns straight-alpha RGBA. Colours are sRGB values in 0..1.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from occbench.core.boxes import cropped
from occbench.core.errors import OcclusionError
from occbench.core.seeding import Stream, stream
from occbench.occlusions.banks.drawing.planes import Colour, Plane

__all__ = ["SIZE_PX", "SUPERSAMPLING", "Canvas"]

#: Side of the square canvas, design pixels.
SIZE_PX: Final = 400
#: Samples per design pixel along each axis.
SUPERSAMPLING: Final = 2
#: Longest side of a finished cut-out, pixels.
_LONGEST_PX: Final = 384
#: Less alpha than this cannot be seen.
_VISIBLE: Final = 0.004
_SEED: Final = 0


class Canvas:
    """A transparent square to paint on.

    Attributes:
        name: the occluder's name; its random streams are derived from it.
        x: float32[S, S], horizontal design coordinate of every sample.
        y: float32[S, S], vertical design coordinate of every sample, downwards.
        colour: float32[S, S, 3], premultiplied.
        alpha: float32[S, S].
    """

    def __init__(self, name: str) -> None:
        side = SIZE_PX * SUPERSAMPLING
        axis = ((np.arange(side, dtype=np.float32) + 0.5) / SUPERSAMPLING).astype(np.float32)
        self.name = name
        self.x, self.y = np.meshgrid(axis, axis)
        self.colour = np.zeros((side, side, 3), dtype=np.float32)
        self.alpha = np.zeros((side, side), dtype=np.float32)

    def stream(self, purpose: str) -> Stream:
        """Return this occluder's random stream for ``purpose``."""
        return stream(_SEED, "occbench-30", self.name, purpose)

    def paint(self, colour: Plane | Colour, mask: Plane) -> None:
        """Put ``colour`` (one, or float[S, S, 3]) over the canvas with opacity ``mask`` (float[S, S] in 0..1)."""
        opacity = np.clip(mask, 0, 1).astype(np.float32)
        paint = np.clip(np.asarray(colour, dtype=np.float32), 0, 1)
        self.colour = paint * opacity[..., None] + self.colour * (1 - opacity)[..., None]
        self.alpha = opacity + self.alpha * (1 - opacity)

    def darken(self, mask: Plane, strength: float) -> None:
        """Multiply what is already painted by ``1 - strength * mask``; transparency stays."""
        self.colour = self.colour * (1 - strength * np.clip(mask, 0, 1)).astype(np.float32)[..., None]

    def shadow(self, mask: Plane, shift: tuple[float, float], blur: float, strength: float) -> None:
        """Let a part cast a soft shadow on what is painted; ``shift`` and ``blur`` in design pixels."""
        offset = np.asarray([[1, 0, shift[0] * SUPERSAMPLING], [0, 1, shift[1] * SUPERSAMPLING]], dtype=np.float32)
        side = mask.shape[0]
        moved = cv2.warpAffine(mask.astype(np.float32), offset, (side, side))
        soft = cv2.GaussianBlur(moved, (0, 0), blur * SUPERSAMPLING)
        self.darken(np.asarray(soft, dtype=np.float32), strength)

    def finish(self) -> NDArray[np.uint8]:
        """Return uint8[h, w, 4], straight alpha, cropped to alpha > 0, transparent pixels (0, 0, 0, 0).

        Raises:
            OcclusionError: the drawing touches the canvas's border, so something of it is cut off.
        """
        border = max(float(side.max()) for side in (self.alpha[0], self.alpha[-1], self.alpha[:, 0], self.alpha[:, -1]))
        if not border < _VISIBLE:
            raise OcclusionError(
                f"the drawing {self.name} reaches the border of its canvas: make it smaller or move it."
            )
        layers = cropped(np.dstack([self.colour, self.alpha]), self.alpha > _VISIBLE)
        scale = _LONGEST_PX / max(layers.shape[:2])
        width, height = (max(1, round(side * scale)) for side in (layers.shape[1], layers.shape[0]))
        small = np.asarray(cv2.resize(layers, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)
        alpha = np.round(np.clip(small[..., 3:], 0, 1) * 255)
        straight = small[..., :3] / np.maximum(small[..., 3:], 1e-6)
        colour = np.where(alpha > 0, np.round(np.clip(straight, 0, 1) * 255), 0)
        return cropped(np.concatenate([colour, alpha], axis=2).astype(np.uint8), alpha[..., 0] > 0)
