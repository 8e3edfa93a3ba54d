"""Writing a bank: PNG files of its cut-outs, and the ``bank.json`` that lists them, last."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from occbench.core.files import storage_errors, write_bytes, write_json
from occbench.occlusions.banks.bank import LISTING_NAME

__all__ = ["NewOccluder", "write_bank"]


@dataclass(frozen=True, eq=False)
class NewOccluder:
    """A cut-out to be written.

    Attributes:
        category: what it shows.
        look: which picture of its category, from 1.
        rgba: uint8[h, w, 4], straight alpha.
        source: where it was cut from; empty where it was drawn.
    """

    category: str
    look: int
    rgba: NDArray[np.uint8]
    source: str = ""

    @property
    def name(self) -> str:
        """What it is called, e.g. ``umbrella2``."""
        return f"{self.category}{self.look}"


def write_bank(folder: Path, name: str, licence: str, occluders: Iterable[NewOccluder]) -> tuple[str, ...]:
    """Write a bank, in place of one that may be there; return the names of its occluders.

    Args:
        folder: where the files go.
        name: the bank's.
        licence: of the pictures.
        occluders: in the bank's order; each is written before the next is asked for.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    with storage_errors(folder):
        (folder / LISTING_NAME).unlink(missing_ok=True)
    listed = [_written(folder, occluder) for occluder in occluders]
    write_json(folder / LISTING_NAME, {"name": name, "licence": licence, "occluders": listed})
    return tuple(str(entry["name"]) for entry in listed)


def _written(folder: Path, occluder: NewOccluder) -> dict[str, object]:
    """Write one file; return its line of the listing."""
    buffer = io.BytesIO()
    Image.fromarray(occluder.rgba).save(buffer, "PNG", optimize=True)
    write_bytes(folder / f"{occluder.name}.png", buffer.getvalue())
    height, width = occluder.rgba.shape[:2]
    return {
        "name": occluder.name,
        "category": occluder.category,
        "look": occluder.look,
        "file": f"{occluder.name}.png",
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "width": width,
        "height": height,
        "alpha_share": round(int(occluder.rgba[..., 3].sum(dtype=np.int64)) / 255 / (height * width), 4),
        **({"source": occluder.source} if occluder.source else {}),
    }
