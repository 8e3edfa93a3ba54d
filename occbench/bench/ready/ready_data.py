"""What ``occbench score`` takes: a dataset of ``occbench generate``, or a plain folder of class folders."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.ready.ready_images import fingerprint_of, folder_test_set, load_test_set
from occbench.bench.scoring.test_set import TestSet
from occbench.core.build import build_plugin
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare
from occbench.core.tasks import MULTI_LABEL, SINGLE_LABEL, Task
from occbench.core.types import CLEAN, Condition, slug
from occbench.data.datasets import StoredDataset
from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER
from occbench.data.manifest import Manifest, read_manifest

__all__ = ["ReadyData", "open_data"]


@dataclass(frozen=True)
class ReadyData(ABC):
    """Images to score, before any of them is decoded.

    Attributes:
        path: where they are.
    """

    path: Path

    @property
    @abstractmethod
    def name(self) -> str:
        """What the records call it."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """What the labels mean."""

    @property
    @abstractmethod
    def images(self) -> int:
        """How many clean images there are."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """The columns, ``clean`` first."""

    @property
    @abstractmethod
    def pixels(self) -> str:
        """A hash of what is done to the source's images."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of the source and of what is done to its images: of the data as a whole."""

    @property
    @abstractmethod
    def test_set(self) -> str:
        """The test set's fingerprint: equal for everything that has the same pixels and labels."""

    @abstractmethod
    def load(self, store: PixelStore | None = None) -> TestSet:
        """Return the test set; see ``ready.ready_images``."""

    def stored_rows(self) -> StoredDataset | None:
        """Return the occluded images as they are stored, where those are to be scored; None where they are rendered."""
        return None

    @property
    def cells(self) -> int:
        """How many occluded images it stands for."""
        return self.images * (len(self.conditions) - 1)


@dataclass(frozen=True)
class _Dataset(ReadyData):
    """A dataset of ``occbench generate``."""

    manifest: Manifest
    stored: bool

    @property
    def name(self) -> str:
        return self.manifest.recipe.name

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.manifest.classes)

    @property
    def task(self) -> Task:
        return MULTI_LABEL if self.manifest.multi_label else SINGLE_LABEL

    @property
    def images(self) -> int:
        return self.manifest.images

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        return (CLEAN, *self.manifest.recipe.conditions())

    @property
    def pixels(self) -> str:
        return self.manifest.pixels_fingerprint

    @property
    def fingerprint(self) -> str:
        return self.manifest.dataset_fingerprint

    @property
    def test_set(self) -> str:
        return fingerprint_of(self.manifest, stored=self.stored)

    def load(self, store: PixelStore | None = None) -> TestSet:
        return load_test_set(self.path, self.manifest, self.test_set, store)

    def stored_rows(self) -> StoredDataset | None:
        return StoredDataset(self.path) if self.stored else None


@dataclass(frozen=True)
class _Folder(ReadyData):
    """A folder of class folders, whose images are scored as they are; ``clean`` is its one column."""

    source: Source
    rule: Prepare

    @property
    def name(self) -> str:
        return slug(self.path.resolve().name)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.source.classes)

    @property
    def task(self) -> Task:
        return SINGLE_LABEL

    @property
    def images(self) -> int:
        return len(self.source)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (CLEAN,)

    @property
    def pixels(self) -> str:
        return fingerprint(self.rule.model_dump())

    @property
    def fingerprint(self) -> str:
        return fingerprint([self.source.fingerprint, self.rule.model_dump()])

    @property
    def test_set(self) -> str:
        return self.fingerprint

    def load(self, store: PixelStore | None = None) -> TestSet:
        return folder_test_set(self.source, self.rule, self.test_set, store)


def open_data(
    path: Path, *, stored: bool = False, resize: Literal["shorter_side", "direct"] = "shorter_side", size_px: int = 224
) -> ReadyData:
    """Open what is to be scored.

    Args:
        path: a dataset directory, or a folder that holds one folder of images per class.
        stored: read the occluded images that a materialised dataset stores instead of rendering them.
        resize: of a plain folder: ``shorter_side`` resizes the shorter side to 256/224 of the size and crops the
            centre, as published accuracies assume; ``direct`` stretches to the square.
        size_px: of a plain folder: side of the images that the model takes.

    Raises:
        ConfigError: ``stored`` for a plain folder.
        DatasetError: an unfinished or damaged dataset, or nothing of either kind.
        SourceError: a folder without class folders, or a class folder without an image.
    """
    if (path / MANIFEST_FILE).is_file() or (path / WORK_FOLDER).is_dir() or not _has_folders(path):
        return _Dataset(path, read_manifest(path), stored)
    if stored:
        raise ConfigError(f"{path} is a plain folder of images, which stores no occluded ones: leave --stored out.")
    source = build_plugin("image_folder", "sources", Source, {"path": str(path)})
    return _Folder(path, source, Prepare(rule=resize, size_px=size_px))


def _has_folders(path: Path) -> bool:
    return path.is_dir() and any(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir())
