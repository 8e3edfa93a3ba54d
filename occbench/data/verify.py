"""`occbench verify`: proof that a dataset is what its manifest says, byte by byte and pixel by pixel."""

import json
import math
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import PART_SUFFIX, hash_file
from occbench.core.seeding import stream
from occbench.data.clean import CleanImages
from occbench.data.encode import decode
from occbench.data.encode_rows import RowEncoder, encoding_of
from occbench.data.layout import MANIFEST_FILE, OCCLUDED_FOLDER
from occbench.data.manifest import Manifest, made_with, read_manifest
from occbench.data.occluded import OccludedRows, occluded_index
from occbench.data.overlays import open_overlays
from occbench.data.render import Renderer
from occbench.data.shards import damaged_rows
from occbench.data.verify_overlays import OverlayChecker

__all__ = ["Report", "verify"]

#: How far an achieved ratio may lie from the asked one, share of the image (0.5 % absolute).
RATIO_TOLERANCE = 0.005
#: How far two JPEG encoders of the same flags may lie apart after decoding, grey levels.
_JPEG_LEVELS = 8

#: Columns in which all rows of a clean image agree with its own.
_OF_IMAGE = ("key", "label", "labels", "ignored")


@dataclass(frozen=True)
class Report:
    """What was checked and what was found wrong.

    Attributes:
        files: files re-hashed.
        rows: occluded rows re-rendered and compared.
        bytes_compared: whether encoded bytes were compared too (the encoder is the one that made them).
        problems: one sentence each; empty for a sound dataset.
    """

    files: int
    rows: int
    bytes_compared: bool
    problems: tuple[str, ...]


def verify(
    directory: str | Path, sample_images: int = 64, on_progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Re-hash every file, then re-render every condition of a sample of images and compare exactly.

    Args:
        directory: a finished dataset.
        sample_images: clean images whose rows are rendered again, drawn by the dataset's fingerprint; all if fewer.
        on_progress: told what is being checked.

    Raises:
        ConfigError: ``sample_images`` is negative.
        DatasetError: no dataset there, or an unfinished one.
    """
    if sample_images < 0:
        raise ConfigError(f"--sample needs 0 images or more, found {sample_images}")
    directory = Path(directory)
    manifest = read_manifest(directory)
    problems = list(_check_files(directory, manifest, on_progress))
    if problems:  # rows of a damaged file prove nothing more
        return Report(len(manifest.files), 0, False, tuple(problems))
    recipe_now = manifest.recipe.pixels_fingerprint(manifest.made_by)
    if recipe_now != manifest.pixels_fingerprint:
        problems.append(
            f"{MANIFEST_FILE}: the recipe's fingerprint is {recipe_now} with this occbench and its occluder banks, "
            f"{manifest.pixels_fingerprint} when it was made: the rendering has changed since."
        )
    checker = _RowChecker(directory, manifest)
    positions = _sample(manifest, sample_images)
    for number, position in enumerate(positions):
        on_progress(f"rows of image {number + 1} of {len(positions)}")
        problems.extend(islice(checker.problems(position), 5))
    return Report(len(manifest.files), checker.rows, checker.same_encoder, tuple(problems))


def _check_files(directory: Path, manifest: Manifest, on_progress: Callable[[str], None]) -> Iterator[str]:
    if manifest.sealed() != manifest:
        yield f"{MANIFEST_FILE} has changed: its content has another SHA-256 than it says itself."
    for entry in manifest.files:
        on_progress(entry.path)
        path = directory / entry.path
        if not path.is_file():
            yield f"{entry.path} is missing."
        elif path.stat().st_size != entry.bytes:
            yield f"{entry.path} has {path.stat().st_size} bytes, the manifest says {entry.bytes}."
        elif (found := hash_file(path)) != entry.sha256:
            yield f"{entry.path} has changed: its SHA-256 is {found[:16]}..., the manifest says {entry.sha256[:16]}..."
    named = {entry.path for entry in manifest.files} | {MANIFEST_FILE}
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(directory)
        if path.is_file() and inside.as_posix() not in named and not _hidden(inside) and path.suffix != PART_SUFFIX:
            yield f"{inside.as_posix()} is not in the manifest."


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _sample(manifest: Manifest, count: int) -> list[int]:
    if count >= manifest.images:
        return list(range(manifest.images))
    order = stream(0, manifest.dataset_fingerprint, "verify").permutation(manifest.images)
    return sorted(int(position) for position in order[:count])


class _RowChecker:
    """Renders the rows of a clean image again and compares them with what is stored."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self.rows = 0
        self._manifest = manifest
        self._clean = CleanImages(directory, manifest)
        families = manifest.recipe.build_occlusions()
        overlays = open_overlays(directory, manifest)
        self._encoder = RowEncoder(Renderer(families, manifest.recipe.seed, overlays), encoding_of(manifest.storage))
        self._overlays = (
            None if overlays is None else OverlayChecker(overlays, families, manifest.recipe.seed, manifest.made_by)
        )
        self._stored = _open_stored(directory, manifest)
        self.same_encoder = self._stored is not None and made_with() == dict(manifest.made_with)

    def problems(self, position: int) -> Iterator[str]:
        row = self._clean.row(position)
        example = self._clean.to_example(row)
        if sha256(example.image.tobytes()).hexdigest() != row["sha256"]:
            yield f"{row['key']}: the clean image's pixels have another hash than its row says."
            return
        if self._overlays is not None and (wrong := list(self._overlays.problems(example, row["index"]))):
            yield from wrong
            return
        stored = None if self._stored is None else self._stored(position)
        first_row = row["index"] * self._manifest.conditions
        for number, (condition, overlay, expected) in enumerate(self._encoder.encode(example)):
            self.rows += 1
            name = f"{row['key']} under {condition.name}"
            asked = condition.parameters.get("ratio")
            if asked is not None and abs(overlay.achieved - asked) > RATIO_TOLERANCE:
                yield f"{name}: asked for a ratio of {asked}, achieved {overlay.achieved:.4f}."
            for share, found in overlay.measured.items():
                low, high = condition.parameters.get(share, (0, math.inf))
                if not low <= found < high:
                    yield f"{name}: asked for {share} in [{low}, {high}), achieved {found:.4f}."
            if stored is not None:
                facts: dict[str, Any] = {name: row[name] for name in _OF_IMAGE if name in row}
                facts |= {"condition": condition.name, "group": condition.group, "achieved": overlay.achieved}
                facts |= overlay.measured
                yield from self._compare(name, facts | {"row": first_row + number}, next(stored, None), expected)

    def _compare(
        self, name: str, facts: dict[str, Any], found: tuple[dict[str, Any], bytes] | None, expected: bytes
    ) -> Iterator[str]:
        if found is None:
            yield f"{name}: the row is missing."
            return
        for column in sorted(facts.keys() | found[0].keys()):
            if facts.get(column) != found[0].get(column):
                yield f"{name}: {column} is {found[0].get(column)!r}, and should be {facts.get(column)!r}."
                return
        if self.same_encoder:
            if found[1] != expected:
                yield f"{name}: the stored bytes differ from a new encoding by the same encoder."
            return
        # another version of the encoder: PNG must still hold the same pixels, JPEG nearly the same
        allowed = 0 if self._encoder.encoding.name == "png" else _JPEG_LEVELS
        pixels, rendered = decode(found[1]), decode(expected)
        if pixels.shape != rendered.shape:
            yield f"{name}: its shape is {pixels.shape}, rendered again it is {rendered.shape}."
        elif (off := int((np.abs(pixels.astype(np.int16) - rendered) > allowed).any(-1).sum())) > 0:
            yield f"{name}: {off} pixels differ from a new rendering."


_Rows = Iterator[tuple[dict[str, Any], bytes]]


def _open_stored(directory: Path, manifest: Manifest) -> Callable[[int], _Rows] | None:
    """Return a function from image position to its stored (columns, image file) rows, or None for a virtual dataset."""
    if not manifest.storage.materialised:
        return None
    if manifest.storage.stores_rows:
        return partial(_parquet_rows, OccludedRows(directory, manifest))
    index = occluded_index(directory, manifest)
    paths = [directory / file.path for file in manifest.files_in(OCCLUDED_FOLDER)]
    return lambda position: _tar_rows(paths, index.find(position), manifest.conditions)


def _parquet_rows(stored: OccludedRows, position: int) -> _Rows:
    for row in stored.rows(position):
        with damaged_rows(f"a row of image {position}"):
            image = row.pop("image")["bytes"]
        yield row, image


def _tar_rows(paths: list[Path], place: tuple[int, int], conditions: int) -> _Rows:
    shard, within = place
    try:
        with tarfile.open(paths[shard]) as archive:
            first, last = within * conditions, (within + 1) * conditions
            samples = groupby(archive, key=lambda member: member.name.partition(".")[0])
            for _, members in islice(samples, first, last):
                files = {Path(member.name).suffix: _content(archive, member) for member in members}
                image = files.get(".png", files.get(".jpg", b""))
                yield json.loads(files.get(".json", b"{}")), image
    except (tarfile.TarError, ValueError) as error:
        raise DatasetError(f"{paths[shard]} is not a tar file of samples: {error}") from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    return b"" if opened is None else opened.read()
