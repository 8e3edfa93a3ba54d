"""The unit of work: one shard, a run of consecutive clean images under every condition; and what is said of it.

A shard's files are written whole, then its report (``.work/shard-NNNNN.json``); the report's presence means that the
shard is finished, and it carries what the manifest needs: hashes, rows, achieved ratios, quarantined images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from occbench.core.errors import BrokenImageError
from occbench.data.layout import OVERLAYS_FOLDER, QUARANTINE_FILE, WORK_FOLDER, shard_name
from occbench.data.manifest import FileEntry
from occbench.data.recipe import Recipe

__all__ = ["Quarantined", "ReadyOverlays", "Shard", "ShardReport"]


@dataclass(frozen=True)
class ReadyOverlays:
    """Overlays that were made elsewhere and are taken as they are, so that no model is needed.

    Attributes:
        made_by: what made them; see ``Recipe.provenance``.
        files: the shards of ``overlays/``.
        refused: (image key, reason) of each image that has none.
    """

    made_by: tuple[dict[str, Any], ...]
    files: tuple[Path, ...]
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Shard:
    """One piece of work, small enough to send to any process.

    Attributes:
        number: position among the shards.
        indices: source indices of its clean images.
        directory: the dataset's directory.
        recipe: what to make.
        source_path: where the clean images are.
        source_fingerprint: of the source that ``indices`` count in.
        strict: stop at the first image that cannot be used.
        made_by: what makes the overlays that are stored; see ``Recipe.provenance``.
        ready: overlays that are taken instead of being made.
    """

    number: int
    indices: tuple[int, ...]
    directory: Path
    recipe: Recipe
    source_path: str
    source_fingerprint: str
    strict: bool = False
    made_by: tuple[dict[str, Any], ...] = ()
    ready: ReadyOverlays | None = None

    def __str__(self) -> str:
        return f"shard {self.number} (images {self.indices[0]} to {self.indices[-1]})"

    @property
    def report_file(self) -> Path:
        """Written last; its presence means that the shard is finished."""
        return self.directory / WORK_FOLDER / f"{shard_name(self.number)}.json"

    @property
    def overlay_folder(self) -> Path:
        """Where the overlays that are stored are gathered, batch by batch, until the shard is written."""
        return self.directory / WORK_FOLDER / OVERLAYS_FOLDER / shard_name(self.number)

    def file(self, folder: str, suffix: str) -> Path:
        """Return the path of this shard's file in ``folder``."""
        return self.directory / folder / f"{shard_name(self.number)}{suffix}"

    def set_aside(self, index: int, key: str, error: BrokenImageError) -> "Quarantined":
        """Return the note about an image that cannot be used; a strict shard stops instead.

        Raises:
            BrokenImageError: the shard is strict.
        """
        if self.strict:
            raise BrokenImageError(
                f"{key}: {error}. Without --strict it would be set aside in {QUARANTINE_FILE}."
            ) from error
        # file names that are not UTF-8 come as lone surrogates, which no JSON or Parquet file can hold
        reason = str(error).encode("utf-8", "backslashreplace").decode()
        return Quarantined(index=index, key=key, reason=reason)


class Quarantined(BaseModel):
    """An image that could not be used, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: int
    key: str
    reason: str


class ShardReport(BaseModel):
    """What a finished shard holds.

    Attributes:
        images: clean images in it.
        files: its files.
        quarantined: images left out.
        achieved: condition group -> (least, sum, greatest, rows) of the achieved ratios.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int
    files: tuple[FileEntry, ...]
    quarantined: tuple[Quarantined, ...]
    achieved: dict[str, tuple[float, float, float, int]]
