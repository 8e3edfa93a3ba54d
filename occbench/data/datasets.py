"""A generated dataset as a ``torch.utils.data.Dataset``; a user cannot tell a stored one from a virtual one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from occbench.core.errors import DatasetError
from occbench.core.types import Condition, Example, Sample
from occbench.data.clean import CleanImages, row_ignored, row_labels
from occbench.data.encode import decode
from occbench.data.manifest import Manifest, read_manifest
from occbench.data.occluded import OccludedRows
from occbench.data.overlays import StoredOverlays, open_overlays
from occbench.data.recipe import Recipe
from occbench.data.remote import fetch_dataset, is_remote
from occbench.data.render import Renderer
from occbench.data.shards import damaged_rows

__all__ = ["OccludedDataset", "StoredDataset", "VirtualDataset", "load"]

Transform = Callable[[torch.Tensor], Any]


class OccludedDataset(Dataset[dict[str, Any]], ABC):
    """Rows of occluded images: row ``i`` is clean image ``i // conditions`` under condition ``i % conditions``.

    An item is a dict that PyTorch's default collate batches: ``image`` (uint8[3, H, W] tensor, or what ``transform``
    makes of it), ``label`` (int; for a multi-label dataset ``labels``, a float32[classes] tensor of 0 and 1, and
    ``ignored``, a bool[classes] tensor, True where a class is neither claimed nor denied), ``key``, ``condition``,
    ``group``, ``achieved`` (share of the image hidden), ``row`` (the row's id in ``data/FORMAT.md``: it counts images
    of the source, so it stays the same with another limit, and differs from ``i`` after a gap).

    Attributes:
        directory: where it lies.
        manifest: what it is.
        transform: applied to the image tensor, for example a ``torchvision.transforms.v2`` pipeline; None leaves it.
        conditions: of every clean image, in row order.
        measures: names of what is measured beside ``achieved``, such as ``object_share``: an item has each as a float,
            NaN where the row's family does not measure it.
    """

    def __init__(self, directory: str | Path, transform: Transform | None = None) -> None:
        """Open a finished dataset.

        Raises:
            DatasetError: no dataset, or an unfinished one.
        """
        self.directory = Path(directory)
        self.manifest: Manifest = read_manifest(self.directory)
        self.transform = transform
        self.conditions: tuple[Condition, ...] = self.manifest.recipe.conditions()
        self.measures: tuple[str, ...] = self.manifest.recipe.measures()
        if len(self.conditions) != self.manifest.conditions:
            raise DatasetError(
                f"{self.directory}: the manifest says {self.manifest.conditions} conditions, its recipe makes "
                f"{len(self.conditions)} with this occbench. Read it with the version named under made_with."
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""
        return self.manifest.classes

    def __len__(self) -> int:
        return self.manifest.rows

    def sample(self, index: int) -> Sample:
        """Return row ``index`` as numpy: uint8[H, W, 3] image and everything known about it."""
        return self._read(index)[0]

    @abstractmethod
    def _read(self, index: int) -> tuple[Sample, int]:
        """Return row ``index`` and its id."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return row ``index`` as a dict; see the class."""
        sample, row = self._read(index)
        image = torch.from_numpy(np.ascontiguousarray(sample.image.transpose(2, 0, 1)))
        item = {
            "image": image if self.transform is None else self.transform(image),
            "key": sample.key,
            "condition": sample.condition,
            "group": sample.group,
            "achieved": sample.achieved,
            **{name: sample.measured.get(name, math.nan) for name in self.measures},
            "row": row,
        }
        if self.manifest.multi_label:
            present, ignored = torch.zeros(len(self.classes)), torch.zeros(len(self.classes), dtype=torch.bool)
            present[list(sample.labels)] = 1.0
            ignored[list(sample.ignored)] = True
            return item | {"labels": present, "ignored": ignored}
        return item | {"label": sample.labels[0]}

    def locate(self, index: int) -> tuple[int, int]:
        """Return (position of the clean image, number of the condition) of a row.

        Raises:
            IndexError: no such row.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no row {index} among {len(self)}")
        return divmod(index % len(self), len(self.conditions))


class VirtualDataset(OccludedDataset):
    """Renders every row from the clean images while it is read; works on any dataset that stores clean images."""

    def __init__(self, directory: str | Path, transform: Transform | None = None) -> None:
        """Open a finished dataset; see ``OccludedDataset``."""
        super().__init__(directory, transform)
        self._clean = CleanImages(self.directory, self.manifest)
        self._overlays = open_overlays(self.directory, self.manifest)
        self._last: tuple[int, Example, int] | None = None

    def _read(self, index: int) -> tuple[Sample, int]:
        position, number = self.locate(index)
        if self._last is None or self._last[0] != position:
            row = self._clean.row(position)
            self._last = position, self._clean.to_example(row), row["index"]
        _, example, image_number = self._last
        condition = self.conditions[number]
        image, overlay = _renderer(self.manifest.recipe, self._overlays).render(example, condition)
        sample = overlay.sample(example, condition, image)
        return sample, image_number * len(self.conditions) + number


class StoredDataset(OccludedDataset):
    """Reads every row from the Parquet shards of a materialised dataset."""

    def __init__(self, directory: str | Path, transform: Transform | None = None) -> None:
        """Open a finished, materialised dataset.

        Raises:
            DatasetError: it is virtual, or stored as tar files (read those with ``webdataset``).
        """
        super().__init__(directory, transform)
        storage = self.manifest.storage
        if not storage.stores_rows:
            raise DatasetError(
                f"{self.directory} stores no occluded Parquet shards ({storage.layout}, {storage.format}). "
                "Open it with occbench.load, or read tar shards with webdataset."
            )
        self._rows = OccludedRows(self.directory, self.manifest)

    def _read(self, index: int) -> tuple[Sample, int]:
        row = self._rows.row(*self.locate(index))
        with damaged_rows(f"{self.directory}: row {index}"):
            labels = row_labels(row, self.manifest)
            image = decode(row["image"]["bytes"])
            measured = {name: row[name] for name in self.measures if row[name] is not None}
            facts = (row["condition"], row["group"], row["achieved"], measured)
            ignored = row_ignored(row, labels, self.manifest)
            return Sample(row["key"], image, labels, *facts, ignored=ignored), row["row"]


def load(directory: str | Path, transform: Transform | None = None) -> OccludedDataset:
    """Open a dataset: stored rows where there are any, otherwise rendered ones.

    Args:
        directory: made by ``occbench generate``; or a repository on the Hugging Face Hub, ``hub:namespace/name`` (with
            ``@revision`` where it is not the main branch) or, where there is no such folder, ``namespace/name``; or a
            URL that fsspec reads, ``s3://bucket/name``. What is far is fetched once, into the user's cache.
        transform: applied to each image tensor, uint8[3, H, W].

    Raises:
        DatasetError: no dataset, or an unfinished one.
        HubError: the repository cannot be read.
        StorageError: the URL cannot be read.
    """
    if is_remote(directory):
        directory = fetch_dataset(str(directory))
    opened = StoredDataset if read_manifest(Path(directory)).storage.stores_rows else VirtualDataset
    return opened(directory, transform)


@lru_cache(maxsize=4)
def _renderer(recipe: Recipe, overlays: StoredOverlays | None) -> Renderer:
    """One renderer per recipe and process: it is not part of the dataset's pickled state."""
    return Renderer(recipe.build_occlusions(), recipe.seed, overlays)
