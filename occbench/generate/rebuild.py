"""`occbench generate --from`: a published dataset made again from the reader's own photographs, and proven the same.

First every clean image is decoded, resized and hashed; one that differs is named, and nothing is written. Then the
dataset is generated as its recipe says, and every file is compared with the hash that was published.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from occbench.core.errors import BrokenImageError, DatasetError
from occbench.core.files import hash_file
from occbench.core.interfaces import Executor, Source
from occbench.core.prepare import read_prepared
from occbench.data.kit import CleanImage, read_kit
from occbench.data.layout import CARD_FILE, CROISSANT_FILE, OVERLAYS_FOLDER, PICTURE_FILE, QUARANTINE_FILE
from occbench.data.manifest import Manifest, made_with
from occbench.data.recipe import Recipe
from occbench.engine.local import LocalExecutor
from occbench.generate.plan import plan
from occbench.generate.run import Progress, generate
from occbench.generate.shard import ReadyOverlays

__all__ = ["Rebuilt", "rebuild"]

#: Clean images checked as one piece of work.
_CHUNK: Final = 64
#: Problems shown in an error; the rest is counted.
_SHOWN: Final = 3
#: Files that say when and with what a dataset was made, and differ without the dataset differing.
_ABOUT: Final = frozenset({CARD_FILE, CROISSANT_FILE, PICTURE_FILE})


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild made.

    Attributes:
        manifest: of the new directory.
        identical: whether every data file has the published hash.
        differing: paths of data files that hold the same rows in other bytes, because another version encoded them.
    """

    manifest: Manifest
    identical: bool
    differing: tuple[str, ...]


@dataclass(frozen=True)
class _Check:
    """Some clean images to compare with their hashes; sent to any process."""

    recipe: Recipe
    source_path: str
    images: tuple[CleanImage, ...]

    def __str__(self) -> str:
        return f"the hashes of images {self.images[0].index} to {self.images[-1].index}"


def rebuild(
    folder: Path,
    out: Path | str,
    *,
    source_path: str = "",
    executor: Executor | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Rebuilt:
    """Make a published dataset again.

    Args:
        folder: what was published with ``--as recipe`` (see ``data.kit``).
        out: the new dataset's directory, or a URL as for ``generate``.
        source_path: the reader's own photographs, as the recipe's source reads them.
        executor: where work is done; by default in this process.
        on_progress: called after every shard.

    Raises:
        DatasetError: photographs differ from those of the dataset (they are named), or this occbench renders otherwise.
        ConfigError, SourceError, StorageError: as ``generate``.
    """
    published, images = read_kit(folder)
    _refuse_other_rendering(published)
    executor = executor or LocalExecutor()
    source = published.recipe.open_source(source_path)
    if tuple(source.classes) != published.classes:
        raise DatasetError(
            f"the source has {len(source.classes)} classes, the dataset {len(published.classes)}; or their names or "
            "order differ. Give the same photographs in the same folders."
        )
    problems = _missing(source, images)
    if not problems:
        checks = _checks(published.recipe, source_path, images)
        problems = [problem for _, found in executor.map(_problems, checks) for problem in found]
    if problems:
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise DatasetError(
            f"{len(problems)} of {len(images)} photographs are not those of the dataset: "
            f"{'; '.join(problems[:_SHOWN])}{more}. Nothing was written."
        )
    ready = _ready_overlays(folder, published)
    manifest = generate(
        published.recipe,
        out,
        source_path=source_path,
        limit=_limit(published, source, source_path, ready),
        executor=executor,
        ready=ready,
        on_progress=on_progress,
    )
    return _compare(published, manifest)


def _ready_overlays(folder: Path, published: Manifest) -> ReadyOverlays | None:
    """Return the published overlays where they cannot be made again; every file must be the one that was published."""
    if not published.made_by:
        return None
    for entry in (*published.files_in(OVERLAYS_FOLDER), *(e for e in published.files if e.path == QUARANTINE_FILE)):
        if not (file := folder / entry.path).is_file() or hash_file(file) != entry.sha256:
            raise DatasetError(f"{file} is missing or not the published one. Get it again.")
    lines = (folder / QUARANTINE_FILE).read_bytes().splitlines()
    try:
        refused = tuple((str(item["key"]), str(item["reason"])) for item in map(json.loads, lines))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{folder / QUARANTINE_FILE} has a line that names no image: {error}. Get it again."
        ) from error
    files = tuple(folder / entry.path for entry in published.files_in(OVERLAYS_FOLDER))
    return ReadyOverlays(tuple(dict(item) for item in published.made_by), files, refused)


def _refuse_other_rendering(published: Manifest) -> None:
    now = published.recipe.pixels_fingerprint(published.made_by)
    if now != published.pixels_fingerprint:
        raise DatasetError(
            f"this occbench renders the recipe {published.recipe.name} otherwise (fingerprint {now}, published "
            f"{published.pixels_fingerprint}). Install occbench {published.made_with.get('occbench', 'of that time')}."
        )


def _missing(source: Source, images: Sequence[CleanImage]) -> list[str]:
    """Return a sentence for each image that the source does not have, or has under another number."""
    number_of = {source.key(index): index for index in range(len(source))}
    absent = [f"{image.key} is not there" for image in images if image.key not in number_of]
    return absent or [
        f"{image.key} has number {number_of[image.key]} in the source, {image.index} in the dataset"
        for image in images
        if number_of[image.key] != image.index
    ]


def _checks(recipe: Recipe, source_path: str, images: Sequence[CleanImage]) -> list[_Check]:
    chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
    return [_Check(recipe, source_path, tuple(chunk)) for chunk in chunks]


def _problems(check: _Check) -> list[str]:
    """Return a sentence for each image that is not what it should be."""
    source = check.recipe.open_source(check.source_path)
    return list(_compare_images(check, source))


def _compare_images(check: _Check, source: Source) -> Iterator[str]:
    for image in check.images:
        try:
            example = read_prepared(source, image.index, check.recipe.prepare)
        except BrokenImageError as error:
            yield f"{image.key} cannot be used ({error})"
            continue
        found = sha256(example.image.tobytes()).hexdigest()
        if found != image.sha256:
            yield f"{image.key} has other pixels (SHA-256 {found[:12]} instead of {image.sha256[:12]})"
        elif example.labels != image.labels:
            yield f"{image.key} has the labels {list(example.labels)} instead of {list(image.labels)}"
        elif image.ignored not in (None, example.ignored):
            yield f"{image.key} has the ignored classes {list(example.ignored)} instead of {list(image.ignored)}"


def _limit(published: Manifest, source: Source, source_path: str, ready: ReadyOverlays | None) -> int | None:
    """Return the limit that the dataset was made with; its manifest has only the number of images that it left."""
    asked = published.source.images
    for limit in (None, asked):
        planned = plan(published.recipe, source, source_path, limit, ready)
        if planned.dataset_fingerprint == published.dataset_fingerprint:
            return limit
    return None if len(source) == asked else asked


def _compare(published: Manifest, manifest: Manifest) -> Rebuilt:
    """Compare the files of the new dataset with the published hashes."""
    now = {file.path: file.sha256 for file in manifest.files}
    data = [file for file in published.files if file.path not in _ABOUT]
    differing = tuple(file.path for file in data if now.get(file.path) != file.sha256)
    if manifest.images != published.images:
        raise DatasetError(
            f"the rebuilt dataset has {manifest.images} clean images, the published one {published.images}: "
            "photographs that were set aside there (quarantine.jsonl) can be used here, so they are other files."
        )
    if differing and made_with() == dict(published.made_with):
        raise DatasetError(
            f"{len(differing)} files, {differing[0]} among them, differ from the published ones although the clean "
            "images and the versions are the same: the masks beside the photographs are others."
        )
    return Rebuilt(manifest, not differing, differing)
