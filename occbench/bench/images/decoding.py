"""A list of images that are read one by one, as a set whose pixels are decoded side by side when first needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occbench.bench.images.pixel_store import Decoded, PixelStore
from occbench.core.errors import ConfigError
from occbench.core.types import Example

__all__ = ["Listing", "Reader"]


@dataclass(frozen=True, eq=False)
class Listing:
    """Images that are known by key and label before any of them is decoded.

    Attributes:
        keys: of the images.
        labels: of each, as its source gives them.
        classes: names of the labels.
        read: decodes image ``i`` and applies the resize rule; called from several threads.
        identity: everything that decides what ``read`` returns, in JSON values.
        size_px: side of an image, for a list without any.
    """

    keys: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...]
    read: Callable[[int], Example]
    identity: Callable[[], Mapping[str, Any]]
    size_px: int


class Reader:
    """Decodes a listing once, and puts its examples together from what was decoded."""

    def __init__(self, listing: Listing, store: PixelStore) -> None:
        """Take the images and where their pixels will live."""
        self._listing = listing
        self._store = store
        self._decoded: Decoded | None = None

    def arrays(self) -> tuple[NDArray[np.uint8], ...]:
        """Decode everything; see ``PixelRows.arrays``.

        Raises:
            BrokenImageError: an image cannot be used.
            ConfigError: images of different sizes.
            StorageError: no space for them.
        """
        listing = self._listing
        if not listing.keys:
            self._decoded = Decoded((np.empty((0, listing.size_px, listing.size_px, 3), dtype=np.uint8),))
        else:
            # the first one before all others: it tells the size, and its source opens now what it opens only once
            height, width, _ = listing.read(0).image.shape
            count, shape = len(listing.keys), (height, width, 3)
            self._decoded = self._store.decode(count, shape, self._into, dict(listing.identity()))
        return self._decoded.arrays

    def example(self, row: int, image: NDArray[np.uint8]) -> Example:
        """Return an example; ``image`` is its decoded image."""
        listing = self._listing
        if self._decoded is not None:
            if (kept := self._decoded.kept.get(row)) is not None:
                return kept
            if self._decoded.to_read_again is not None and self._decoded.to_read_again[row]:
                return replace(listing.read(row), image=image)
        labels = listing.labels[row]
        return Example(listing.keys[row], image, labels, class_names=tuple(listing.classes[label] for label in labels))

    def _into(self, row: int, place: NDArray[np.uint8]) -> Example | None:
        """Decode an image into its place; return its example where that holds more than pixels, key and labels."""
        example = self._listing.read(row)
        if example.image.shape != place.shape:
            found, first = ("{1} x {0}".format(*image.shape) for image in (example.image, place))
            raise ConfigError(
                f"images of one size are needed: {example.key} has {found} px, the first one {first} px. Set "
                "prepare.rule to direct or shorter_side."
            )
        place[...] = example.image
        has_more = example.object_mask is not None or bool(example.parts or example.photographs)
        return replace(example, image=place) if has_more else None
