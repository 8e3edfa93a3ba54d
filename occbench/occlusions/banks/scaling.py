"""Scales an occluder to an occlusion ratio: isotropic, of any real factor, without colour fringes.

Cen et al. 2021 (section 4) scale occluders "according to the occlusion ratio" and leave the rest open. Here the ratio
is the area of the alpha mask, sum(alpha) / 255 / (H * W), not of its box, and the occluder is never stretched.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.errors import OcclusionError
from occbench.core.resize import resize
from occbench.occlusions.banks.bank import Occluder

__all__ = ["RATIO_TOLERANCE", "Patch", "resample", "scale_to_ratio"]

#: How far an achieved ratio may be from the asked one, as a share of the image.
RATIO_TOLERANCE: Final = 0.005

_GOAL: Final = 0.001  # the search stops here
_STEPS: Final = 12  # halvings of a 20 % bracket: 0.005 % of the scale, far below a pixel
# Never negative, unlike Lanczos: opaque stays opaque, transparent stays transparent, no colour overshoots. Smooth when
# enlarging, unlike area averaging, and sharper than bilinear when reducing.
_FILTER: Final = Image.Resampling.HAMMING


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """An occluder at the size of one occlusion ratio.

    Attributes:
        rgba: uint8[h, w, 4], straight alpha, read-only; RGB is 0 where alpha is 0.
        scale: its size over the occluder's own, the same in both directions.
        achieved: the occlusion ratio reached, a share of the image.
    """

    rgba: NDArray[np.uint8]
    scale: float
    achieved: float


def scale_to_ratio(occluder: Occluder, ratio: float, height: int, width: int) -> Patch:
    """Scale ``occluder`` until it hides ``ratio`` of a ``height`` x ``width`` px image.

    The scale starts at sqrt(ratio * H * W / alpha mass) and is bisected within 10 % of it on the resampled, rounded
    alpha until the ratio is met to 0.1 % of the image, or until only a whole pixel of the box stands between too
    little and too much. The patch may be larger than the image: the caller decides.

    Args:
        occluder: what to scale.
        ratio: share of the image, in (0, 1).
        height: of the image, pixels.
        width: of the image, pixels.

    Raises:
        OcclusionError: the ratio cannot be met to 0.5 % of the image, because the image has too few pixels.
    """
    start = sqrt(ratio * height * width / occluder.alpha_mass)
    low, high = 0.9 * start, 1.1 * start
    alpha = occluder.rgba[..., 3].astype(np.float32)
    scale = best = start
    error = float("inf")
    for _ in range(_STEPS):
        found = float(_to_bytes(resample(alpha, scale)).sum(dtype=np.int64)) / 255 / (height * width) - ratio
        if abs(found) < error:
            best, error = scale, abs(found)
        if error <= _GOAL:
            break
        low, high = (low, scale) if found > 0 else (scale, high)
        scale = (low + high) / 2
    if error > RATIO_TOLERANCE:
        raise OcclusionError(
            f"occluder {occluder.name} misses the ratio {ratio:g} by {error:.4f} of a {width} x {height} px image: "
            "use larger images, or leave it out."
        )
    rgba = _scaled(occluder.rgba, best)
    rgba.flags.writeable = False
    return Patch(rgba, best, float(rgba[..., 3].sum(dtype=np.int64)) / 255 / (height * width))


def resample(plane: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Resample one channel, which is zero outside, by any real factor about its centre.

    The result is the smallest whole number of pixels that holds the scaled plane, so its outermost pixels may be
    partly covered: sizes grow continuously with ``scale``, and the aspect ratio is exact.

    Args:
        plane: float32[H, W].
        scale: above 0.

    Returns:
        float32[ceil(scale * H), ceil(scale * W)].
    """
    height, width = plane.shape
    rows, columns = ceil(scale * height), ceil(scale * width)
    margin = ceil(1.5 / scale) + 1  # half an output pixel of slack and the filter's reach of one
    centre_x, centre_y = width / 2 + margin, height / 2 + margin
    reach_x, reach_y = columns / scale / 2, rows / scale / 2
    region = (centre_x - reach_x, centre_y - reach_y, centre_x + reach_x, centre_y + reach_y)
    padded = Image.fromarray(np.pad(plane, margin))
    return np.asarray(resize(padded, (columns, rows), _FILTER, region))


def _scaled(rgba: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Resample colours weighted by alpha (premultiplied), so that transparent pixels lend no colour to the edge."""
    source = rgba.astype(np.float32)
    alpha = resample(np.ascontiguousarray(source[..., 3]), scale)
    result = np.zeros((*alpha.shape, 4), dtype=np.uint8)
    result[..., 3] = _to_bytes(alpha)
    visible = result[..., 3] > 0
    for channel in range(3):
        weighted = resample(source[..., channel] * source[..., 3], scale)
        result[visible, channel] = _to_bytes(weighted[visible] / alpha[visible])
    return result


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    rounded = np.floor(np.clip(values, 0, 255) + np.float32(0.5))
    return np.asarray(rounded, dtype=np.uint8)
