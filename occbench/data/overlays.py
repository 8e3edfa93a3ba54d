"""``overlays/*.parquet``: the overlays of families that cannot be asked again.

One row group per clean image, its rows in the order of the conditions.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from occbench.core.canonical import canonical_json
from occbench.core.errors import DatasetError
from occbench.core.types import Condition, Overlay
from occbench.data.encode import decode
from occbench.data.layout import OVERLAYS_FOLDER
from occbench.data.manifest import Manifest
from occbench.data.shards import RowGroupReader

__all__ = ["StoredOverlays", "made_by_text", "open_overlays", "overlay_columns", "to_overlay"]


def overlay_columns(overlay: Overlay, name: str) -> dict[str, Any]:
    """Return an overlay as columns ``x0``, ``y0``, ``achieved``, ``overlay`` (PNG called ``name``) and ``sha256``."""
    picture = BytesIO()
    Image.fromarray(overlay.rgba).save(picture, "png")
    return {
        "x0": overlay.x0,
        "y0": overlay.y0,
        "achieved": overlay.achieved,
        "overlay": {"bytes": picture.getvalue(), "path": f"{name}.png"},
        "sha256": sha256(overlay.rgba.tobytes()).hexdigest(),
    }


def made_by_text(condition: Condition, provenance: Mapping[str, Any]) -> str:
    """Return the column ``made_by``: a condition's parameters and what made its overlays, as canonical JSON."""
    return canonical_json({**condition.parameters, **provenance})


def to_overlay(row: dict[str, Any]) -> Overlay:
    """Decode the columns of ``overlay_columns``.

    Raises:
        DatasetError: the picture is damaged.
    """
    return Overlay(decode(row["overlay"]["bytes"], "RGBA"), row["x0"], row["y0"], row["achieved"])


class StoredOverlays:
    """The stored overlays of a dataset, by image key and condition name; a callable as ``Renderer`` takes it."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Take the shards; nothing is opened yet."""
        self._files = files
        self._reader = RowGroupReader(files)

    def __contains__(self, key: str) -> bool:
        """Whether overlays of an image are stored."""
        return key in self._places

    def __call__(self, key: str, condition: str) -> Overlay:
        """Return the overlay of an image under a condition.

        Raises:
            DatasetError: none is stored, or it is damaged.
        """
        return to_overlay(self.row(key, condition))

    def row(self, key: str, condition: str) -> dict[str, Any]:
        """Return the stored columns (``data.schema.OVERLAYS``) of an image under a condition.

        Raises:
            DatasetError: none are stored.
        """
        if key in self._places:
            for row in self._reader.group(*self._places[key]).to_pylist():
                if row["condition"] == condition:
                    return dict(row)
        raise DatasetError(f"no overlay of {key} under {condition} is stored. Run `occbench verify` on the dataset.")

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Key -> (file, row group)."""
        return {
            key: (number, group) for number, file in enumerate(self._files) for group, key in enumerate(_keys(file))
        }


def _keys(file: Path) -> list[str]:
    """Return the image key of every row group of an overlay shard; all groups have the same number of rows."""
    try:
        with pq.ParquetFile(file) as shard:
            keys: list[str] = shard.read(["key"])["key"].to_pylist()
            return keys[:: max(1, len(keys) // max(1, shard.num_row_groups))]
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Run `occbench verify` on it.") from error


def open_overlays(directory: Path, manifest: Manifest) -> StoredOverlays | None:
    """Return the stored overlays of a finished dataset, or None where every overlay can be made again."""
    if all(family.recomputable for family in manifest.recipe.build_occlusions()):
        return None
    return StoredOverlays([directory / file.path for file in manifest.files_in(OVERLAYS_FOLDER)])
