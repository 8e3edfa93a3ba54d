"""A dataset directory as a bundle: all its pixels, or what rebuilds it."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import yaml

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import hash_file
from occbench.core.hub import RepoName
from occbench.data.clean import stores_ignored
from occbench.data.kit import keys_file
from occbench.data.layout import (
    CARD_FILE,
    CLEAN_FOLDER,
    CROISSANT_FILE,
    KEYS_FILE,
    MANIFEST_FILE,
    OCCLUDED_FOLDER,
    OVERLAYS_FOLDER,
    PATTERNS_FILE,
    PICTURE_FILE,
    REBUILD_FILE,
    RECIPE_FILE,
)
from occbench.data.manifest import FileEntry, Manifest, read_manifest
from occbench.data.readme import CardFacts, Mode, render_card
from occbench.publish.bundle import Bundle, HubFile, file_of, text_of
from occbench.publish.citations import citations_of
from occbench.publish.croissant import croissant_json
from occbench.publish.licence import permitted_licence
from occbench.publish.limits import check_limits

__all__ = ["Publication", "dataset_bundle"]

#: Written by publishing, so what an earlier publication left of them in a directory does not count.
_WRITTEN: Final = frozenset({CARD_FILE, CROISSANT_FILE, PICTURE_FILE})
_OURS: Final = "|".join(
    (
        rf"({CLEAN_FOLDER}|{OCCLUDED_FOLDER}|{OVERLAYS_FOLDER})/shard-\d{{5,}}\.(parquet|tar)",
        *(re.escape(name) for name in (KEYS_FILE, RECIPE_FILE, REBUILD_FILE, MANIFEST_FILE)),
    )
)


@dataclass(frozen=True)
class Publication:
    """How a dataset is published.

    Attributes:
        repo: where.
        url: the page that the repository has or will have.
        mode: what of it.
        licence: identifier of the licence; empty to take the source's.
        picture: draws a PNG for the card, or returns nothing; asked once the dataset is known to be sound.
    """

    repo: RepoName
    url: str
    mode: Mode = "pixels"
    licence: str = ""
    picture: Callable[[], bytes] = bytes


def dataset_bundle(directory: Path, how: Publication) -> Bundle:
    """Lay out what a repository will hold; every file is hashed again and must be the manifest's.

    Raises:
        ConfigError: the terms of the clean images forbid it, or others could not read or rebuild it.
        DatasetError: no finished dataset, a damaged one, or one beyond the Hub's limits.
    """
    manifest = read_manifest(directory)
    licence = permitted_licence(manifest, how.mode, how.licence)
    local = _local_paths(manifest, how.mode)
    data = [_checked(directory, entry) for entry in manifest.files if entry.path not in _WRITTEN]
    picture = how.picture()
    facts = CardFacts(
        repo_id=how.repo.id,
        mode=how.mode,
        licence=licence,
        citations=citations_of(manifest.recipe),
        conditions=tuple(_conditions(directory)),
        picture=PICTURE_FILE if picture else "",
    )
    croissant = croissant_json(
        manifest,
        url=how.url,
        mode=how.mode,
        licence=licence,
        citation=" ".join(facts.citations),
        with_ignored=stores_ignored(directory, manifest),
    )
    written = [
        text_of(CARD_FILE, render_card(manifest, facts)),
        text_of(CROISSANT_FILE, croissant),
        *([text_of(PICTURE_FILE, picture)] if picture else []),
    ]
    if how.mode == "recipe":
        return _recipe_bundle(directory, manifest, written, data)
    sealed = _with_files(manifest, written)
    notes = (*local, *check_limits(data))
    return Bundle("dataset", (*written, *data), (text_of(MANIFEST_FILE, sealed.to_json()),), _OURS, notes)


def _recipe_bundle(directory: Path, manifest: Manifest, written: list[HubFile], data: list[HubFile]) -> Bundle:
    kept = [file for file in data if "/" not in file.path or file.path.startswith(f"{OVERLAYS_FOLDER}/")]
    recipe = yaml.safe_dump(manifest.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    made = [text_of(RECIPE_FILE, recipe), text_of(KEYS_FILE, keys_file(directory, manifest))]
    notes = check_limits(kept)
    return Bundle("dataset", (*written, *made, *kept), (text_of(REBUILD_FILE, manifest.to_json()),), _OURS, notes)


def _checked(directory: Path, entry: FileEntry) -> HubFile:
    path = directory / entry.path
    if not path.is_file() or path.stat().st_size != entry.bytes or hash_file(path) != entry.sha256:
        raise DatasetError(
            f"{path} is missing or not what {MANIFEST_FILE} says, so nothing was sent. `occbench verify {directory}` "
            "says more."
        )
    return file_of(entry.path, path, entry.sha256)


def _with_files(manifest: Manifest, written: list[HubFile]) -> Manifest:
    """Return the manifest of the published directory, which has files of its own beside the dataset's."""
    entries = [FileEntry(path=file.path, rows=0, bytes=file.bytes, sha256=file.sha256) for file in written]
    kept = [entry for entry in manifest.files if entry.path not in _WRITTEN]
    files = tuple(sorted([*kept, *entries], key=lambda entry: entry.path))
    return manifest.model_copy(update={"files": files}).sealed()


def _conditions(directory: Path) -> Iterator[tuple[str, str, str, float | None]]:
    """Yield (name, group, asked parameters, achieved ratio) of every condition."""
    with pq.ParquetFile(directory / PATTERNS_FILE) as table:
        rows = table.read(["condition", "group", "parameters", "achieved"]).to_pylist()
    for row in rows:
        asked = json.loads(row["parameters"])
        shown = ", ".join(f"{name} {value}" for name, value in asked.items() if not name.endswith("sha256"))
        yield row["condition"], row["group"], shown, row["achieved"]


def _local_paths(manifest: Manifest, mode: Mode) -> tuple[str, ...]:
    """Refuse what only this machine could render; of stored pixels say that occbench itself needs those files."""
    for number, spec in enumerate(manifest.recipe.occlusions):
        for name, value in _texts({"name": spec.name, **spec.options}):
            if not (".py:" in value or Path(value).exists()):
                continue
            reads = f"the recipe reads occlusions.{number}.{name}, {value}, which is on this machine only"
            if mode == "recipe" or not manifest.storage.materialised:
                raise ConfigError(
                    f"{reads}: nobody else could render the dataset. Use what occbench brings (occbench-30), or "
                    "materialise it (--materialise) and publish the pixels."
                )
            return (f"{reads}: others read the images with load_dataset, occbench.load needs that file as well.",)
    return ()


def _texts(options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if isinstance(value, str) and value:
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in _texts(value))
