"""Datasets that lie on the Hub or at a URL: the files that are needed are fetched once into a cache of the user's."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from occbench.core.errors import DatasetError, HubError
from occbench.core.files import hash_file, write_bytes
from occbench.core.hub import RepoName, hub_errors, names_repo, parse_repo, quiet_client
from occbench.data.config import PluginSpec
from occbench.data.kit import read_kit
from occbench.data.layout import (
    CARD_FILE,
    CLEAN_FOLDER,
    KEYS_FILE,
    MANIFEST_FILE,
    OCCLUDED_FOLDER,
    OVERLAYS_FOLDER,
    PATTERNS_FILE,
    QUARANTINE_FILE,
    REBUILD_FILE,
)
from occbench.data.manifest import Manifest, parse_manifest, read_manifest
from occbench.data.places import Place, cache_folder, is_url

__all__ = ["fetch_dataset", "fetch_kit", "is_remote", "local_copy"]

#: Nothing else is ever fetched: a repository may hold anything beside a dataset.
_SMALL: Final = (MANIFEST_FILE, REBUILD_FILE, KEYS_FILE, PATTERNS_FILE, QUARANTINE_FILE, CARD_FILE)
#: The Hub as fsspec calls it; its own client fetches better.
_HUB_URL: Final = re.compile(r"^hf://datasets/")


def is_remote(place: str | Path) -> bool:
    """Return whether a place is a URL or a repository: ``hub:...``, or ``a/b`` where there is no such folder."""
    text = str(place)
    return (
        is_url(place)
        or text.startswith("hub:")
        or (not Path(text).exists() and isinstance(place, str) and names_repo(text))
    )


def fetch_dataset(place: str, stored_rows: bool = True) -> Path:
    """Fetch a published dataset and return the local directory, in which it can be opened like any other.

    Args:
        place: ``namespace/name``, with or without ``hub:`` before and ``@revision`` behind; or a URL that fsspec reads.
        stored_rows: take the occluded images where they are stored, rather than what renders them.

    Raises:
        ConfigError: no such name.
        HubError: the repository cannot be reached or read.
        StorageError: the URL cannot be read.
        DatasetError: it holds no dataset, or only what rebuilds one.
    """
    place = _HUB_URL.sub("hub:", place)
    if is_url(place):
        return _fetch_from(Place(place.rstrip("/")), stored_rows)
    return _fetch_published(place, stored_rows)


def _fetch_published(place: str, stored_rows: bool) -> Path:
    repo = parse_repo(place)
    try:
        directory = _fetch(repo, _SMALL)
    except HubError as error:
        if place.startswith("hub:"):
            raise
        raise HubError(f"there is no folder {place}, and on the Hub: {error}") from error
    if not (directory / MANIFEST_FILE).is_file() and (directory / REBUILD_FILE).is_file():
        raise DatasetError(
            f"{repo} publishes the recipe, not the photographs. Rebuild it from your own: "
            f"occbench generate --from {repo} --source PHOTOGRAPHS --out DIR"
        )
    if not (directory / MANIFEST_FILE).is_file():
        raise DatasetError(f"{repo} holds no finished occbench dataset: it has no {MANIFEST_FILE}.")
    manifest = read_manifest(directory)
    _refuse_code(repo, manifest.recipe.occlusions)
    folders = _folders_read(manifest, stored_rows)
    same = RepoName(repo.id, directory.name)  # the commit that the manifest is of, whatever is published meanwhile
    directory = _fetch(same, (*_SMALL, *(f"{folder}/*" for folder in folders)))
    for folder in folders:
        for file in manifest.files_in(folder):
            if not (path := directory / file.path).is_file() or path.stat().st_size != file.bytes:
                raise DatasetError(f"{repo}: {file.path} is not there in full. It was not published to the end.")
    return directory


def _folders_read(manifest: Manifest, stored_rows: bool) -> tuple[str, ...]:
    return (OCCLUDED_FOLDER,) if stored_rows and manifest.storage.stores_rows else (CLEAN_FOLDER, OVERLAYS_FOLDER)


def _fetch_from(place: Place, stored_rows: bool) -> Path:
    """Fetch what is read of a dataset at a URL; every file must be the one that its manifest names."""
    content = place.read(MANIFEST_FILE)
    if content is None:
        raise DatasetError(f"{place} holds no finished occbench dataset: it has no {MANIFEST_FILE}.")
    manifest = parse_manifest(content, f"{place}/{MANIFEST_FILE}")
    _refuse_code(place, manifest.recipe.occlusions)
    directory = cache_folder([place.url, manifest.sealed().sha256])
    folders = _folders_read(manifest, stored_rows)
    for entry in manifest.files:
        file = directory / entry.path
        if entry.path not in _SMALL and entry.path.partition("/")[0] not in folders:
            continue
        if not file.is_file() or file.stat().st_size != entry.bytes:
            place.fetch(entry.path, file)
            if hash_file(file) != entry.sha256:
                file.unlink()
                raise DatasetError(f"{place}/{entry.path} is not the file that the manifest names. Generate it again.")
    write_bytes(directory / MANIFEST_FILE, content)
    return directory


@contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """Yield a directory with everything that a dataset's place has: itself, or a passing copy of what is at a URL.

    Raises:
        StorageError: the URL cannot be read.
    """
    if not is_url(place):
        yield Path(place)
        return
    with TemporaryDirectory(prefix="occbench-copy-") as folder:
        there = Place(place.rstrip("/"))
        there.fetch_missing(
            {name: size for name, size in there.sizes().items() if not name.startswith(".")}, Path(folder)
        )
        yield Path(folder)


def fetch_kit(place: str) -> Path:
    """Fetch what rebuilds a published dataset and return the local folder (see ``data.kit``).

    Raises:
        ConfigError: no such name.
        HubError: the repository cannot be reached or read.
        DatasetError: it holds nothing of the kind.
    """
    repo = parse_repo(place)
    folder = _fetch(repo, (*_SMALL, f"{OVERLAYS_FOLDER}/*"))
    if not (folder / REBUILD_FILE).is_file():
        raise DatasetError(
            f"{repo} has no {REBUILD_FILE}: it was not published with --as recipe. Where it holds the images, "
            f"occbench.load('{repo.id}') reads them."
        )
    recipe = read_kit(folder)[0].recipe
    _refuse_code(repo, (recipe.source, *recipe.occlusions))
    return folder


def _fetch(repo: RepoName, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download  # half a second to import

    with hub_errors("read", repo), quiet_client():
        return Path(
            snapshot_download(
                repo.id,
                repo_type="dataset",
                revision=repo.revision or None,
                allow_patterns=list(patterns),
                library_name="occbench",
            )
        )


def _refuse_code(place: RepoName | Place, plugins: Sequence[PluginSpec]) -> None:
    """Refuse a recipe that names a Python file: a stranger's dataset must not choose code that runs here."""
    for spec in plugins:
        if ".py:" in spec.model_dump_json():
            raise DatasetError(
                f"{place} names the plug-in {spec.name}, a Python file, which is not run for a dataset from the Hub or "
                "a store. Install the plug-in as a package, and have the dataset name it."
            )
