"""Clean images as uint8, and their occluded twins rendered on the device where the model is."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
import PIL
import torch
from torch import Tensor

from occbench.bench.images.decoding import Listing, Reader
from occbench.bench.images.object_sizes import object_sizes
from occbench.bench.images.pixel_rows import PixelRows
from occbench.bench.images.pixel_store import PixelStore
from occbench.core.compose import composite_batch
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare, read_prepared
from occbench.core.tasks import MULTI_LABEL, SINGLE_LABEL, Task, task_of
from occbench.core.types import CLEAN, Condition, Example
from occbench.data.render import Renderer

__all__ = ["ImageSet", "LazyExamples", "batches", "listed_images", "load_images", "render_batch"]


class LazyExamples(Sequence[Example]):
    """Examples that are put together when they are asked for: a million of them cost nothing."""

    def __init__(self, count: int, make: Callable[[int], Example]) -> None:
        """Take how many there are, and what makes one."""
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | Sequence[Example]:
        if isinstance(place, slice):
            return [self._make(row) for row in range(*place.indices(self._count))]
        if not -self._count <= place < self._count:
            raise IndexError(f"example {place} was asked for, there are {self._count}")
        return self._make(place % self._count)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size with their labels; the pixels are decoded when they are first needed.

    Attributes:
        keys: of the images.
        labels: targets as ``core.tasks`` has them: int64[N] head labels, -1 where the image's class is not in the head;
            multi-label float32[N, C] of 0 and 1, nan where nothing is known.
        images: uint8[N, 3, S, S], RGB, after the resize rule.
        examples: what else the source knows (key, masks), in the same order; their ``image`` shares ``images``' memory.
        sizes: uint8[N, C], the size of each class's largest object in an image as ``images.object_sizes`` has it; None
            where the source does not tell.
    """

    keys: tuple[str, ...] = field(repr=False)
    labels: Tensor
    images: PixelRows
    examples: Sequence[Example] = field(repr=False)
    sizes: Tensor | None = field(default=None, repr=False)

    @property
    def task(self) -> Task:
        """What the labels mean."""
        return task_of(self.labels)

    @classmethod
    def of(cls, examples: Iterable[Example], labels: Tensor) -> "ImageSet":
        """Return a set of examples as they come; their pixels are copied, so that none of them is held twice.

        Args:
            examples: of one size.
            labels: targets; at least one.
        """
        held: list[Example] = []
        pixels = np.empty(0, dtype=np.uint8)
        for row, example in enumerate(examples):
            if row == 0:
                pixels = np.empty((len(labels), *example.image.shape), dtype=np.uint8)
            pixels[row] = example.image
            held.append(replace(example, image=pixels[row]))
        return cls(tuple(example.key for example in held), labels, PixelRows.of(pixels), tuple(held))

    def __len__(self) -> int:
        return len(self.keys)

    def joined(self, other: "ImageSet") -> "ImageSet":
        """Return these images and then the other ones; no pixel is copied."""
        count = len(self)

        def example(row: int) -> Example:
            return self.examples[row] if row < count else other.examples[row - count]

        return ImageSet(
            self.keys + other.keys,
            torch.cat([self.labels, other.labels]),
            self.images.joined(other.images),
            LazyExamples(count + len(other), example),
        )


def load_images(
    source: Source, indices: Sequence[int], rule: Prepare, label_of: dict[int, int], store: PixelStore | None = None
) -> ImageSet:
    """Return images under the resize rule; keys and labels now, pixels on first use.

    An image of the set costs 24 bytes beside its pixels and what the source itself keeps of it.

    Args:
        source: the clean images; decoded by several threads.
        indices: which ones, in order; none gives an empty set.
        rule: must give all images one size.
        label_of: source label -> head label; classes that are absent get -1.
        store: where the pixels live; in memory by default.

    Raises:
        BrokenImageError: when the pixels are used and one of them cannot be decoded; a benchmark does not silently go
            on with fewer.
        ConfigError: when the pixels are used and their sizes differ.
    """
    known: dict[tuple[int, ...], tuple[int, ...]] = {}  # equal labels share one tuple
    labels = tuple(known.setdefault(found, found) for found in map(source.labels_of, indices))
    listing = Listing(
        keys=tuple(map(source.key, indices)),
        labels=labels,
        classes=tuple(source.classes),
        read=lambda row: read_prepared(source, indices[row], rule),
        identity=lambda: {
            "source": type(source).__name__,
            "source_fingerprint": source.fingerprint,
            "images": hashlib.sha256(np.asarray(indices, dtype="<i8").tobytes()).hexdigest(),
            "prepare": rule.model_dump(),
            "pillow": PIL.__version__,
        },
        size_px=rule.size_px,
    )
    if not source.multi_label:
        return listed_images(listing, SINGLE_LABEL.targets(labels, (), label_of), store)
    targets = MULTI_LABEL.targets(labels, [source.ignored_of(index) for index in indices], label_of)
    return replace(listed_images(listing, targets, store), sizes=object_sizes(source, indices, label_of))


def listed_images(listing: Listing, labels: Tensor, store: PixelStore | None = None) -> ImageSet:
    """Return the images of a listing.

    Args:
        listing: how they are read.
        labels: targets of the images.
        store: where the pixels live; in memory by default.
    """
    reader = Reader(listing, store or PixelStore())
    pixels = PixelRows(len(listing.keys), reader.arrays)
    examples = LazyExamples(len(listing.keys), lambda row: reader.example(row, pixels.image(row)))
    return ImageSet(listing.keys, labels, pixels, examples)


def render_batch(
    images: ImageSet, rows: slice, condition: Condition, renderer: Renderer, device: torch.device
) -> Tensor:
    """Return uint8[B, 3, S, S] on the device: images ``rows`` under a condition; ``clean`` leaves them as they are."""
    batch = images.images[rows].to(device, non_blocking=True)
    if condition.name == CLEAN.name:
        return batch
    if not renderer.per_image(condition):
        overlay = torch.from_numpy(renderer.full_overlay(images.examples[0], condition))
        return composite_batch(batch, overlay.permute(2, 0, 1)[None].to(device))
    overlays = np.stack([renderer.full_overlay(example, condition) for example in images.examples[rows]])
    return composite_batch(batch, torch.from_numpy(overlays).permute(0, 3, 1, 2).to(device))


def batches(count: int, size: int) -> Iterator[slice]:
    """Yield consecutive slices of at most ``size`` items."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
