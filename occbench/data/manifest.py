"""The manifest: written last, so its presence means that the dataset is complete; it names and hashes every file."""

import json
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from occbench.core.canonical import fingerprint
from occbench.core.errors import DatasetError
from occbench.core.files import readable_json, write_bytes
from occbench.core.messages import one_line
from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER
from occbench.data.recipe import Recipe, Storage

__all__ = [
    "FORMAT_VERSION",
    "FileEntry",
    "Manifest",
    "SourceEntry",
    "made_with",
    "parse_manifest",
    "read_manifest",
    "read_manifest_file",
]

#: Raised when a reader of the previous version could not read the new one.
FORMAT_VERSION: Final = 1

#: Names joined by ``/``: no way up, no root, no drive, nothing hidden.
_FILE_PATH: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_MADE_WITH: Final = ("occbench", "numpy", "pillow", "opencv-python-headless", "opencv-python", "pyarrow", "pycocotools")


_Count = Annotated[int, Field(ge=0, le=2**62)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Entry):
    """One file of the dataset: path relative to the directory, rows (0 for text files), bytes, SHA-256."""

    path: str
    rows: _Count
    bytes: _Count
    sha256: str

    @field_validator("path")
    @classmethod
    def _path_stays_inside(cls, path: str) -> str:
        if not _FILE_PATH.fullmatch(path):
            raise ValueError(f"a path inside the directory is needed, found {path[:60]!r}")
        return path


class SourceEntry(_Entry):
    """Where the clean images came from: plug-in, fingerprint, images asked for, terms, what was passed over."""

    name: str
    fingerprint: str
    images: int
    terms: str
    notes: tuple[str, ...] = ()


class Manifest(_Entry):
    """What a complete dataset is.

    Attributes:
        format_version: of ``data/FORMAT.md``.
        recipe: everything that was asked for.
        pixels_fingerprint: hash of what decides the pixels (recipe without storage).
        dataset_fingerprint: hash of pixels_fingerprint, source fingerprint, storage and limit.
        source: where the clean images came from.
        classes: names in label order.
        multi_label: rows carry ``labels`` (a list) instead of ``label``.
        images: clean images in the dataset.
        conditions: conditions of each.
        quarantined: images that could not be used; see ``quarantine.jsonl``.
        files: every file but the manifest itself, sorted by path.
        achieved: condition group -> least, mean and greatest achieved ratio over the rows.
        made_with: package -> version of what made it.
        made_by: one mapping per family whose overlays are stored: what made them (model, revision, libraries).
        sha256: hash of the canonical JSON of everything above; see ``sealed``.
    """

    format_version: int
    recipe: Recipe
    pixels_fingerprint: str
    dataset_fingerprint: str
    source: SourceEntry
    classes: tuple[str, ...]
    multi_label: bool
    images: _Count
    conditions: _Count
    quarantined: _Count
    files: tuple[FileEntry, ...]
    achieved: Mapping[str, Mapping[str, float]]
    made_with: Mapping[str, str]
    made_by: tuple[Mapping[str, Any], ...] = ()
    sha256: str = ""

    @field_validator("achieved")
    @classmethod
    def _ratios_are_summaries(cls, achieved: Mapping[str, Mapping[str, float]]) -> Mapping[str, Mapping[str, float]]:
        if any(ratios.keys() != {"least", "mean", "greatest"} for ratios in achieved.values()):
            raise ValueError("a group's ratios are least, mean and greatest")
        return achieved

    def sealed(self) -> "Manifest":
        """Return a copy whose ``sha256`` fits its content, so that ``verify`` finds a changed byte here, too."""
        content = self._content()
        del content["sha256"]
        return self.model_copy(update={"sha256": fingerprint(content, length=64)})

    @property
    def rows(self) -> int:
        """Occluded images, stored or virtual."""
        return self.images * self.conditions

    @property
    def storage(self) -> Storage:
        """How the dataset lies on disk."""
        return self.recipe.storage

    def files_in(self, folder: str) -> list[FileEntry]:
        """Return the files of one folder (``data.layout``), by path."""
        return sorted((file for file in self.files if file.path.startswith(f"{folder}/")), key=lambda file: file.path)

    def write(self, directory: Path) -> None:
        """Write ``manifest.json``, whole or not at all."""
        write_bytes(directory / MANIFEST_FILE, self.to_json())

    def to_json(self) -> bytes:
        """Return the content of ``manifest.json``."""
        return readable_json(self._content())

    def _content(self) -> dict[str, Any]:
        # what there is nothing to say about is left out, as before there were such keys
        content = self.model_dump(mode="json", exclude=set() if self.made_by else {"made_by"})
        if not self.source.notes:
            del content["source"]["notes"]
        return content


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a complete dataset.

    Raises:
        DatasetError: no dataset, an unfinished one, another format version, or a manifest that is not one.
    """
    file = directory / MANIFEST_FILE
    if not file.is_file():
        raise DatasetError(_why_no_manifest(directory))
    return read_manifest_file(file)


def read_manifest_file(file: Path) -> Manifest:
    """Read a manifest, whatever its file is called.

    Raises:
        DatasetError: no such file, another format version, or a manifest that is not one.
    """
    try:
        return parse_manifest(file.read_bytes(), str(file))
    except FileNotFoundError as error:
        raise DatasetError(f"there is no file {file}.") from error


def parse_manifest(text: bytes, origin: str) -> Manifest:
    """Read the content of a manifest.

    Args:
        text: of the file.
        origin: its path or address, for errors.

    Raises:
        DatasetError: another format version, or no manifest.
    """
    try:
        content: dict[str, Any] = json.loads(text.decode("utf-8"))
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise DatasetError(
                f"{origin} has format version {version}, this occbench reads {FORMAT_VERSION}. "
                "Read it with the version named under made_with, or generate it again."
            )
        return Manifest.model_validate(content)
    except (ValueError, AttributeError, RecursionError, ValidationError) as error:
        raise DatasetError(f"{origin} is not a manifest: {one_line(error)}") from error


def _why_no_manifest(directory: Path) -> str:
    if not directory.is_dir():
        return f"{directory} does not exist; `occbench generate RECIPE --out {directory}` makes a dataset there."
    if (directory / WORK_FOLDER).is_dir():
        done = len(list((directory / WORK_FOLDER).glob("shard-*.json")))
        return (
            f"{directory} has {done} finished shards and no manifest: generation did not finish. "
            "Run the same `occbench generate` command again; it makes only what is missing."
        )
    return f"{directory} is not an occbench dataset: it has no {MANIFEST_FILE}."


def made_with() -> dict[str, str]:
    """Return the versions of everything that can change a byte of the output."""
    versions = {"python": platform.python_version()}
    for package in _MADE_WITH:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
