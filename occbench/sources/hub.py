"""Any Hugging Face dataset with an image column, from the Hub or from disk."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Source
from occbench.core.types import Example, slug
from occbench.sources.decode import decode_image
from occbench.sources.hub_table import (
    Labels,
    find_ignored_column,
    find_image_column,
    find_label_column,
    open_split,
    read_ignored,
    read_labels,
)
from occbench.sources.labelled_files import check_index

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["Hub"]


@dataclass(frozen=True)
class Hub(Source):
    """A split of a dataset that the library ``datasets`` can load.

    Images are decoded from their stored bytes by occbench itself, so a broken one is reported like that of any source.
    Class names come from a ClassLabel; integers without names are called ``0``, ``1``, ...; text labels are sorted.
    A list column makes the source multi-label. A row without a label (null or -1) is reported as broken.

    Attributes:
        path: a repository id (``owner/name``), a folder with Parquet or image files as ``datasets.load_dataset`` takes
            it, or a folder written by ``save_to_disk``.
        split: the split, e.g. ``train``, ``test``; ``load_dataset``'s slices (``train[:100]``) work except on
            ``save_to_disk`` folders.
        image_column: needed only where there are several image columns.
        label_column: needed only where it is neither the only ClassLabel nor called ``label`` or ``labels``.
        ignored_column: of a multi-label source, lists of classes that are neither claimed nor denied of the image;
            empty takes ``ignored`` where there is such a column, as datasets of occbench have.
        config: the configuration (subset) of a repository that has several.
        revision: a branch, tag or commit of the repository; name a commit to pin the data.

    Raises:
        ConfigError: no path or no split.
        SourceError: on first use: what cannot be found, reached or read, and columns that are not there.
    """

    path: str
    split: str = "train"
    image_column: str = ""
    label_column: str = ""
    config: str = ""
    revision: str = ""
    ignored_column: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("hub needs path: a repository id such as owner/name, or a folder.")
        if not self.split:
            raise ConfigError("hub needs split, for example train or test.")

    @property
    def terms(self) -> str:  # type: ignore[override]  # known only once the dataset is open
        """The licence that the dataset states, or where to look for it."""
        licence = str(self._rows.info.license or "").strip()
        return licence or f"unknown: see the dataset card of {self.path}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self._labels.classes

    @property
    def multi_label(self) -> bool:
        """Whether the label column holds lists."""
        return self._labels.multi_label

    @property
    def fingerprint(self) -> str:
        """A hash of the class names and of every row's labels, file name and encoded size in bytes."""
        return self._fingerprint

    def __len__(self) -> int:
        """Return the number of rows, readable or not."""
        return len(self._labels.of_image)

    def key(self, index: int) -> str:
        """Return row ``index``'s key, e.g. ``train-00000012``."""
        return f"{slug(self.split)}-{check_index(index, len(self)):08d}"

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return row ``index``'s labels, without decoding its image.

        Raises:
            BrokenImageError: the row has no label.
            IndexError: no such row.
        """
        key = self.key(index)
        labels = self._labels.of_image[index]
        if labels is None:
            raise BrokenImageError(f"{key}: the row has no label")
        return labels

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return row ``index``'s ignored classes, without decoding its image."""
        check_index(index, len(self))
        return self._ignored[index] if self._ignored else ()

    def __getitem__(self, index: int) -> Example:
        """Decode row ``index``.

        Raises:
            BrokenImageError: the image cannot be used, or the row has no label.
            IndexError: no such row.
        """
        key, labels = self.key(index), self.labels_of(index)
        return Example(key=key, image=self._image(index, key), labels=labels, ignored=self.ignored_of(index))

    def _image(self, index: int, key: str) -> NDArray[np.uint8]:
        stored = self._rows[index][self._image_column] or {}
        if (data := stored.get("bytes")) is not None:
            return decode_image(data, key)
        if file := stored.get("path"):
            return decode_image(Path(file), key)
        raise BrokenImageError(f"{key}: the row has no image")

    @cached_property
    def _rows(self) -> "Dataset":
        """The split with its images as stored bytes."""
        import datasets  # here, because it takes a second to import

        dataset = open_split(self.path, self.split, self.config, self.revision)
        column = find_image_column(dataset, self.image_column)
        labels = find_label_column(dataset, self.label_column)
        ignored = find_ignored_column(dataset, self.ignored_column, labels)
        columns = [name for name in (column, labels, ignored) if name]
        return dataset.select_columns(columns).cast_column(column, datasets.Image(decode=False))

    @cached_property
    def _image_column(self) -> str:
        return find_image_column(self._rows, self.image_column)

    @cached_property
    def _labels(self) -> Labels:
        return read_labels(self._rows, find_label_column(self._rows, self.label_column))

    @cached_property
    def _ignored(self) -> tuple[tuple[int, ...], ...]:
        """The ignored classes of each row; empty where there is no such column."""
        labels = find_label_column(self._rows, self.label_column)
        column = find_ignored_column(self._rows, self.ignored_column, labels)
        return read_ignored(self._rows, column, self._labels) if column else ()

    @cached_property
    def _fingerprint(self) -> str:
        from pyarrow import compute

        images = self._rows.with_format("arrow")[:][self._image_column]
        sizes = compute.binary_length(compute.struct_field(images, "bytes")).to_pylist()
        files = compute.struct_field(images, "path").to_pylist()
        names = [Path(file).name if file else None for file in files]
        sizes = [_file_size(file) if size is None else size for size, file in zip(sizes, files, strict=True)]
        ignored = [self._ignored] if self._ignored else []  # other sources' fingerprints stay what they were
        return fingerprint([self.classes, self._labels.of_image, sizes, names, *ignored])


def _file_size(file: str | None) -> int | None:
    """Return the size of an image that is stored beside the table instead of in it; None where there is none."""
    return Path(file).stat().st_size if file and Path(file).is_file() else None
