"""The images of a dataset directory or of a plain folder as a test set."""

from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from occbench.bench.images.decoding import Listing
from occbench.bench.images.images import listed_images, load_images
from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.scoring.test_set import TestSet
from occbench.core.canonical import fingerprint
from occbench.core.errors import DatasetError
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare
from occbench.core.tasks import MULTI_LABEL, SINGLE_LABEL
from occbench.core.types import CLEAN, Example
from occbench.data.clean import CleanImages, row_ignored
from occbench.data.manifest import Manifest
from occbench.data.overlays import open_overlays
from occbench.data.render import Renderer

__all__ = ["fingerprint_of", "folder_test_set", "load_test_set"]


def fingerprint_of(manifest: Manifest, *, stored: bool) -> str:
    """Return the fingerprint of a dataset as a test set: of its pixels, not of how they are kept.

    Args:
        manifest: of the dataset.
        stored: whether the stored occluded images are scored; JPEG ones have pixels of their own.
    """
    storage = manifest.recipe.storage
    pixels = [manifest.pixels_fingerprint, manifest.source.fingerprint, manifest.source.images, manifest.images]
    lossy = ["jpeg", storage.jpeg_quality] if stored and storage.occluded == "jpeg" else []
    return fingerprint([*pixels, *lossy])


def load_test_set(directory: Path, manifest: Manifest, name: str, store: PixelStore | None = None) -> TestSet:
    """Return the test set of a dataset; its clean images are decoded when they are first used.

    Args:
        directory: of the dataset.
        manifest: of the dataset.
        name: fingerprint of the test set.
        store: where the decoded images live; in memory by default.

    Raises:
        ConfigError: on first use, images of different sizes.
        DatasetError: a shard that cannot be read.
    """
    clean, one_at_a_time = CleanImages(directory, manifest), Lock()

    def read(position: int) -> Example:
        with one_at_a_time:  # open Parquet files are not to be read by several threads
            row = clean.row(position)
        return clean.to_example(row)

    multi = manifest.multi_label
    rows = [row for file in manifest.files_in("clean") for row in _labelled_keys(directory / file.path, multi)]
    labels = tuple(tuple(row["labels"]) if multi else (row["label"],) for row in rows)
    ignored = [row_ignored(row, own, manifest) for row, own in zip(rows, labels, strict=True)]
    same = {label: label for label in range(len(manifest.classes))}
    listing = Listing(
        keys=tuple(row["key"] for row in rows),
        labels=labels,
        classes=tuple(manifest.classes),
        read=read,
        identity=lambda: {"dataset": manifest.dataset_fingerprint},
        size_px=manifest.recipe.prepare.size_px,
    )
    renderer = Renderer(manifest.recipe.build_occlusions(), manifest.recipe.seed, open_overlays(directory, manifest))
    targets = (MULTI_LABEL if multi else SINGLE_LABEL).targets(labels, ignored, same)
    images = listed_images(listing, targets, store)
    return TestSet(images, renderer, (CLEAN, *renderer.conditions), name)


def folder_test_set(source: Source, rule: Prepare, name: str, store: PixelStore | None = None) -> TestSet:
    """Return the test set of a source's images as they are, ``clean`` its one column.

    Args:
        source: the images; label i answers to the head's row i.
        rule: must give all images one size.
        name: fingerprint of the test set.
        store: where the decoded images live; in memory by default.
    """
    same = {label: label for label in range(len(source.classes))}
    images = load_images(source, range(len(source)), rule, same, store)
    return TestSet(images, Renderer((), 0), (CLEAN,), name)


def _labelled_keys(shard: Path, multi_label: bool) -> list[dict[str, Any]]:
    try:
        wanted = {"key", "labels", "ignored"} if multi_label else {"key", "label"}
        columns = [name for name in pq.read_schema(shard).names if name in wanted]
        rows: list[dict[str, Any]] = pq.read_table(shard, columns=columns).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{shard} cannot be read: {error}. Run `occbench verify` on it.") from error
    return rows
