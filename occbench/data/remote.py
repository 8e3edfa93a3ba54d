"""Datasets that lie on the Hub: the files that are needed are fetched once into the Hub client's own cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from occbench.core.errors import DatasetError, HubError
from occbench.core.hub import RepoName, hub_errors, names_repo, parse_repo, quiet_client
from occbench.data.config import PluginSpec
from occbench.data.kit import KIT_MANIFEST, read_kit
from occbench.data.manifest import MANIFEST, read_manifest

__all__ = ["fetch_dataset", "fetch_kit", "is_remote"]

#: Nothing else is ever fetched: a repository may hold anything beside a dataset.
_SMALL: Final = (MANIFEST, KIT_MANIFEST, "keys.parquet", "patterns.parquet", "quarantine.jsonl", "README.md")


def is_remote(place: str | Path) -> bool:
    """Return whether a place is meant as a repository: ``hub:...``, or ``a/b`` where there is no such folder."""
    text = str(place)
    return text.startswith("hub:") or (not Path(text).exists() and isinstance(place, str) and names_repo(text))


def fetch_dataset(place: str, stored_rows: bool = True) -> Path:
    """Fetch a published dataset and return the local directory, in which it can be opened like any other.

    Args:
        place: ``namespace/name``, with or without ``hub:`` before and ``@revision`` behind.
        stored_rows: take the occluded images where they are stored, rather than what renders them.

    Raises:
        ConfigError: no such name.
        HubError: the repository cannot be reached or read.
        DatasetError: it holds no dataset, or only what rebuilds one.
    """
    repo = parse_repo(place)
    try:
        directory = _fetch(repo, _SMALL)
    except HubError as error:
        if place.startswith("hub:"):
            raise
        raise HubError(f"there is no folder {place}, and on the Hub: {error}") from error
    if not (directory / MANIFEST).is_file() and (directory / KIT_MANIFEST).is_file():
        raise DatasetError(
            f"{repo} publishes the recipe, not the photographs. Rebuild it from your own: "
            f"occbench generate --from {repo} --source PHOTOGRAPHS --out DIR"
        )
    if not (directory / MANIFEST).is_file():
        raise DatasetError(f"{repo} holds no finished occbench dataset: it has no {MANIFEST}.")
    manifest = read_manifest(directory)
    _refuse_code(repo, manifest.recipe.occlusions)
    storage = manifest.recipe.storage
    stored = stored_rows and storage.layout == "materialised" and storage.format == "parquet"
    folders = ("occluded",) if stored else ("clean", "overlays")
    same = RepoName(repo.id, directory.name)  # the commit that the manifest is of, whatever is published meanwhile
    directory = _fetch(same, (*_SMALL, *(f"{folder}/*" for folder in folders)))
    for folder in folders:
        for file in manifest.files_in(folder):
            if not (path := directory / file.path).is_file() or path.stat().st_size != file.bytes:
                raise DatasetError(f"{repo}: {file.path} is not there in full. It was not published to the end.")
    return directory


def fetch_kit(place: str) -> Path:
    """Fetch what rebuilds a published dataset and return the local folder (see ``data.kit``).

    Raises:
        ConfigError: no such name.
        HubError: the repository cannot be reached or read.
        DatasetError: it holds nothing of the kind.
    """
    repo = parse_repo(place)
    folder = _fetch(repo, (*_SMALL, "overlays/*"))
    if not (folder / KIT_MANIFEST).is_file():
        raise DatasetError(
            f"{repo} has no {KIT_MANIFEST}: it was not published with --as recipe. Where it holds the images, "
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


def _refuse_code(repo: RepoName, plugins: Sequence[PluginSpec]) -> None:
    """Refuse a recipe that names a Python file: a stranger's dataset must not choose code that runs here."""
    for spec in plugins:
        if ".py:" in spec.model_dump_json():
            raise DatasetError(
                f"{repo} names the plug-in {spec.name}, a Python file, which is not run for a dataset from the Hub. "
                "Install the plug-in as a package, and have the dataset name it."
            )
