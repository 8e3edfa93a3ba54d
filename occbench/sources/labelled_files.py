"""Image files with one label each: what every folder-shaped source is made of, whatever its folders look like."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from occbench.core.errors import SourceError
from occbench.core.interfaces import Source
from occbench.core.types import Example
from occbench.sources.decode import decode_image
from occbench.sources.folder_scan import FoundFile, fingerprint_files, scan_images, unique_keys

__all__ = [
    "LabelledFileSource",
    "LabelledFiles",
    "ListedImages",
    "check_index",
    "files_by_class_folder",
    "label_files",
]


class ListedImages(Protocol):
    """What a source of image files asks of its list of them."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the files."""

    def __len__(self) -> int:
        """Return the number of images."""

    def key(self, index: int) -> str:
        """Return image ``index``'s key, or raise IndexError."""

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s labels, or raise IndexError."""

    def example(self, index: int) -> Example:
        """Decode image ``index``, or raise IndexError or BrokenImageError."""


def check_index(index: int, count: int) -> int:
    """Return ``index``.

    Raises:
        IndexError: no such image of ``count``; indices start at zero and negative ones mean nothing.
    """
    if not 0 <= index < count:
        raise IndexError(f"image {index} was asked for, the source has {count}")
    return index


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """A list of image files with their labels.

    Attributes:
        root: the folder that the files' relative paths start from.
        classes: class names in label order.
        files: the images.
        labels: one class index per file.
        keys: one unique key per file.
        ignored: how many other files lie beside them.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[FoundFile, ...]
    labels: tuple[int, ...]
    keys: tuple[str, ...]
    ignored: int = 0

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def key(self, index: int) -> str:
        """Return image ``index``'s key.

        Raises:
            IndexError: no such index.
        """
        return self.keys[check_index(index, len(self.keys))]

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s one label.

        Raises:
            IndexError: no such index.
        """
        return (self.labels[check_index(index, len(self.keys))],)

    def example(self, index: int) -> Example:
        """Decode image ``index``.

        Raises:
            BrokenImageError: the file cannot be used.
            IndexError: no such index.
        """
        key = self.key(index)
        relative = self.files[index].relative
        return Example(key=key, image=decode_image(self.root / relative, relative), labels=self.labels_of(index))

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes."""
        return fingerprint_files(self.files)


class LabelledFileSource(Source):
    """The part that all sources of labelled image files share: everything but finding the files.

    Abstract; a source adds its options and ``_images``. The disk is read when ``_images`` is first asked for.
    """

    @property
    @abstractmethod
    def _images(self) -> ListedImages:
        """The files, found once: override with a ``functools.cached_property``."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self._images.classes

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes."""
        return self._images.fingerprint

    def __len__(self) -> int:
        """Return the number of images, readable or not."""
        return len(self._images)

    def key(self, index: int) -> str:
        """Return image ``index``'s key, made of its relative path."""
        return self._images.key(index)

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s labels, without decoding it."""
        return self._images.labels_of(index)

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``."""
        return self._images.example(index)


def label_files(
    root: Path, classes: Sequence[str], files: Sequence[FoundFile], labels: Sequence[int], ignored: int = 0
) -> LabelledFiles:
    """Put files and labels together and give every file its key."""
    keys = unique_keys([file.relative for file in files])
    return LabelledFiles(root, tuple(classes), tuple(files), tuple(labels), keys, ignored)


def files_by_class_folder(root: Path, folders: Sequence[str], classes: Sequence[str]) -> LabelledFiles:
    """Take the images of every class folder, nested ones too; label i belongs to ``folders[i]`` and ``classes[i]``.

    Raises:
        SourceError: a folder cannot be read or holds no image.
    """
    files: list[FoundFile] = []
    labels: list[int] = []
    ignored = 0
    for label, folder in enumerate(folders):
        scan = scan_images(root / folder)
        if not scan.files:
            found = f"only {scan.ignored} other files" if scan.ignored else "it is empty"
            raise SourceError(
                f"the class folder {root / folder} has no image: {found}. Fill it or remove it, then run again."
            )
        files += (FoundFile(f"{folder}/{file.relative}", file.size_bytes) for file in scan.files)
        labels += [label] * len(scan.files)
        ignored += scan.ignored
    return label_files(root, classes, files, labels, ignored)
