"""COCO run lengths: the one place that talks to pycocotools about encoded masks."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_runs", "encode_runs"]


def encode_runs(mask: NDArray[np.bool_]) -> str:
    """Return COCO's compressed run-length text of a bool[H, W] mask, without its size."""
    from pycocotools import mask as codec  # here, because little else needs its compiled module

    counts: bytes = codec.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts.decode("ascii")


def decode_runs(runs: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return uint8[H, W], 1 inside, of compressed run lengths: ``size`` [H, W] and ``counts``, bytes or text."""
    from pycocotools import mask as codec

    with warnings.catch_warnings():
        # pycocotools 2.0.11 still offers numpy the __array__ of numpy 1; the pixels are right
        warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
        return np.asarray(codec.decode(runs), dtype=np.uint8)
