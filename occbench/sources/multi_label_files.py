"""Image files with any number of labels each: the multi-label counterpart of ``labelled_files``."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from occbench.core.canonical import fingerprint
from occbench.core.types import Example
from occbench.sources.decode import decode_image
from occbench.sources.folder_scan import FoundFile, fingerprint_files
from occbench.sources.labelled_files import LabelledFileSource, check_index

__all__ = ["MultiLabelFileSource", "MultiLabelFiles"]


@dataclass(frozen=True, slots=True)
class MultiLabelFiles:
    """A list of image files with their labels.

    Attributes:
        root: the folder that the files' relative paths start from.
        classes: class names in label order.
        files: the images; a file may be listed several times, for several crops of it.
        keys: one unique key per listed file.
        labels: class indices of each, ascending.
        ignored: class indices that are neither claimed nor denied of each, ascending.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[FoundFile, ...]
    keys: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    ignored: tuple[tuple[int, ...], ...]

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
        return self.ignored[check_index(index, len(self))]

    def example(self, index: int) -> Example:
        """Decode image ``index``.

        Raises:
            BrokenImageError: the file cannot be used.
            IndexError: no such index.
        """
        relative = self.files[check_index(index, len(self))].relative
        image = decode_image(self.root / relative, relative)
        return Example(self.keys[index], image, self.labels[index], ignored=self.ignored[index])

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes, and of what is said of it."""
        return fingerprint([fingerprint_files(self.files), self.classes, self.keys, self.labels, self.ignored])


class MultiLabelFileSource(LabelledFileSource):
    """The part that all sources of multi-label image files share: everything but finding files and labels.

    Abstract; a source adds its options and ``_images``. The disk is read when ``_images`` is first asked for.
    """

    @property
    @abstractmethod
    def _images(self) -> MultiLabelFiles:
        """The files, found once: override with a ``functools.cached_property``."""

    @property
    def multi_label(self) -> bool:
        """True: an image may have any number of labels."""
        return True

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return the classes that are neither claimed nor denied of image ``index``, without decoding it."""
        return self._images.ignored_of(index)
