"""Image files with their labels: what every folder-shaped source is made of, whatever its folders look like."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from occbench.core.canonical import fingerprint
from occbench.core.errors import SourceError
from occbench.core.interfaces import Source
from occbench.core.types import Example
from occbench.sources.decode import decode_image
from occbench.sources.folder_scan import IMAGE_SUFFIXES, FoundFile, fingerprint_files, scan_images, unique_keys

__all__ = [
    "LabelledFileSource",
    "LabelledFiles",
    "MultiLabelFileSource",
    "check_index",
    "files_by_class_folder",
    "label_files",
]


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
        files: the images; a file may be listed several times, for several objects in it.
        labels: class indices of each, ascending; exactly one for a single-label source, none where it is not known.
        keys: one unique key per listed file.
        ignored: class indices that are neither claimed nor denied of each, ascending; empty where no image has any.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[FoundFile, ...]
    labels: tuple[tuple[int, ...], ...]
    keys: tuple[str, ...]
    ignored: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def key(self, index: int) -> str:
        """Return image ``index``'s key, or raise IndexError."""
        return self.keys[check_index(index, len(self))]

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s labels, or raise IndexError."""
        return self.labels[check_index(index, len(self))]

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return the classes that are neither claimed nor denied of image ``index``, or raise IndexError."""
        check_index(index, len(self))
        return self.ignored[index] if self.ignored else ()

    def example(self, index: int) -> Example:
        """Decode image ``index``.

        Raises:
            BrokenImageError: the file cannot be used.
            IndexError: no such index.
        """
        relative = self.files[check_index(index, len(self))].relative
        image = decode_image(self.root / relative, relative)
        return Example(self.keys[index], image, self.labels[index], ignored=self.ignored_of(index))

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes."""
        return fingerprint_files(self.files)

    @property
    def labelled_fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of what is said of it."""
        return fingerprint([self.fingerprint, self.classes, self.keys, self.labels, self.ignored])


class LabelledFileSource(Source):
    """The part that all sources of labelled image files share: everything but finding the files.

    Abstract; a source adds its options and ``_images``. The disk is read when ``_images`` is first asked for.
    """

    @property
    @abstractmethod
    def _images(self) -> LabelledFiles:
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

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return the classes that are neither claimed nor denied of image ``index``, without decoding it."""
        return self._images.ignored_of(index)

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``."""
        return self._images.example(index)


class MultiLabelFileSource(LabelledFileSource):
    """A source of image files with any number of labels each; abstract, as ``LabelledFileSource``."""

    @property
    def multi_label(self) -> bool:
        """True: an image may have any number of labels."""
        return True


def label_files(
    root: Path, classes: Sequence[str], files: Sequence[FoundFile], labels: Sequence[int], names: Sequence[str] = ()
) -> LabelledFiles:
    """Put files and their one label each together and give every file its key.

    Args:
        root: as ``LabelledFiles``.
        classes: likewise.
        files: likewise.
        labels: the class index of each file.
        names: paths to make the keys of; empty takes those of the files.
    """
    single = [(label,) for label in range(len(classes))]  # shared: ImageNet has a million images of a thousand classes
    keys = unique_keys(names or [file.relative for file in files])
    return LabelledFiles(root, tuple(classes), tuple(files), tuple(single[label] for label in labels), keys)


def files_by_class_folder(root: Path, folders: Sequence[str], classes: Sequence[str]) -> LabelledFiles:
    """Take the images of every class folder, nested ones too; label i belongs to ``folders[i]`` and ``classes[i]``.

    Raises:
        SourceError: a folder cannot be read or holds no image.
    """
    files: list[FoundFile] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = scan_images(root / folder)
        if not found:
            raise SourceError(
                f"the class folder {root / folder} has no image: no file ends in {', '.join(sorted(IMAGE_SUFFIXES))}. "
                "Fill it or remove it, then run again."
            )
        files += (FoundFile(f"{folder}/{file.relative}", file.size_bytes) for file in found)
        labels += [label] * len(found)
    return label_files(root, classes, files, labels)
