"""The roles of data and jobs. Read this file first; ``core.training`` and ``core.networks`` hold the other roles.

Everything else is a player of a role, or an engine that knows only roles. A player is a frozen dataclass whose fields
are its options (JSON values), found by name through ``core.plugins``: the fields are its configuration schema, the
docstring its help. Engines never import players.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import BrokenImageError
from occbench.core.types import Condition, Example, Overlay

__all__ = ["Executor", "Occlusion", "Source"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Source(ABC):
    """Clean images with their labels; one data format per player.

    A player's first field is ``path`` (folder, file or repository) where it reads from disk.
    """

    #: Licence and terms of the images, shown in cards; ``unknown`` where the user brings the data.
    terms: ClassVar[str] = "unknown: ask the owner of the images"
    #: The licence's identifier as the Hugging Face Hub writes it, e.g. ``cc-by-4.0``; empty where none is stated.
    licence: ClassVar[str] = ""
    #: Who may be given the images or what is made from them: ``free`` everybody under the licence, ``gated`` those who
    #: accept the terms, ``never`` nobody, ``ask`` only the user can know.
    sharing: ClassVar[Literal["free", "gated", "never", "ask"]] = "ask"

    @property
    @abstractmethod
    def classes(self) -> Sequence[str]:
        """Class names in label order."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images, readable or not."""

    @abstractmethod
    def key(self, index: int) -> str:
        """Return image ``index``'s key without decoding it; keys are unique and match ``KEY_PATTERN``."""

    @abstractmethod
    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``.

        Raises:
            BrokenImageError: the file cannot be used; the message says why in a few words.
            IndexError: no such index.
        """

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s labels; a source that knows them without decoding the image overrides this.

        Raises:
            BrokenImageError: the image has no label, or must be decoded to learn it and cannot be.
            IndexError: no such index.
        """
        return self[index].labels

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return ``Example.ignored`` of image ``index``; a source that knows it without decoding overrides this.

        Raises:
            BrokenImageError: the image must be decoded to learn it and cannot be.
            IndexError: no such index.
        """
        return self[index].ignored if self.multi_label else ()

    def areas_of(self, index: int) -> Mapping[int, tuple[float, ...]]:  # noqa: ARG002 - for those who override it
        """Return label -> the areas of its single objects in image ``index``, pixels of the source image, undecoded.

        What breakdowns by object size go by (COCO's small is below 32 x 32 px). A source that knows objects overrides
        this; labels whose objects were not measured are left out, as all are here.

        Raises:
            IndexError: no such index.
        """
        return {}

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A short hash that changes when an image is added, removed, renamed or resized on disk."""

    @property
    def multi_label(self) -> bool:
        """Whether an image may have any number of labels."""
        return False

    def notes(self) -> tuple[str, ...]:
        """Return what was passed over while reading (segments skipped, say), a sentence each; shown with the data."""
        return ()


class Occlusion(ABC):
    """A family of occlusions: turns a clean image and a named condition into an overlay."""

    #: Raised whenever the same recipe gives other pixels than before; part of every dataset fingerprint.
    version: ClassVar[int] = 1
    #: True when the overlay depends on the image (its key, its masks); False when all images share one overlay.
    per_image: ClassVar[bool] = False
    #: False when overlays are stored once, because nobody can be asked to make them again (diffusion).
    recomputable: ClassVar[bool] = True
    #: Names of what is measured on every overlay beside its ratio (``Overlay.measured``); a column each in a dataset.
    measures: ClassVar[tuple[str, ...]] = ()
    #: True when overlays are made by a network, for which one worker a GPU is enough.
    uses_gpu: ClassVar[bool] = False
    #: True when overlays show pixels of other images: ``with_donors`` is called before the first overlay is asked for.
    needs_donors: ClassVar[bool] = False

    @property
    def batch_size(self) -> int:
        """How many images ``overlays`` is best given at once; 1 where it makes no difference."""
        return 1

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition this player makes, in order; names are unique."""

    @abstractmethod
    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Make the overlay of ``condition`` for ``example``.

        Randomness comes from ``core.seeding.stream(seed, ..., purpose)``; a family with ``per_image = False`` reads
        nothing of the example but the image's height and width.

        Args:
            example: the clean image after the resize rule.
            condition: one of ``self.conditions``.
            seed: the recipe's seed.

        Raises:
            OcclusionError: the condition cannot be made as asked for any image (an occluder that does not fit).
            BrokenImageError: it cannot be made for this image (a mask is missing); the image is quarantined.
        """

    def overlays(
        self, examples: Sequence[Example], condition: Condition, seed: int
    ) -> list[Overlay | BrokenImageError]:
        """Make the overlays of ``condition`` for several images; a family that works in batches overrides this.

        Which images are given together changes an overlay at most by the rounding of batched arithmetic.

        Returns:
            One item for each example, in order: its overlay, or the error that ``overlay`` raises for this image.

        Raises:
            OcclusionError: as ``overlay``.
        """
        made: list[Overlay | BrokenImageError] = []
        for example in examples:
            try:
                made.append(self.overlay(example, condition, seed))
            except BrokenImageError as error:
                made.append(error)
        return made

    def hidden(self, example: Example, condition: Condition, seed: int) -> NDArray[np.bool_] | None:  # noqa: ARG002
        """Return bool[H, W], the pixels whose alpha must be 255 while all others are 0, without making the overlay.

        ``occbench verify`` holds stored overlays against it. None where the family cannot say.

        Raises:
            BrokenImageError: as ``overlay``.
        """
        return None

    def with_donors(self, donors: Sequence[Example]) -> "Occlusion":  # noqa: ARG002
        """Return the family with the images whose pixels it may show; only where ``needs_donors`` is it asked.

        Args:
            donors: other images of the same source under the same resize rule, the occluded one among them (their keys
                tell); decoded when they are indexed, which raises BrokenImageError for one that cannot be used.
        """
        return self

    def summary(self) -> dict[str, Any]:
        """Return what a reader of the dataset needs to know beyond the recipe (bank hash, file hashes); JSON values."""
        return {}

    def provenance(self) -> dict[str, Any]:
        """Find what overlays that are stored are made with (a model, libraries), before any work starts; JSON values.

        Kept in the dataset and part of its fingerprint. Reading a dataset does not call it.

        Raises:
            ConfigError: something is missing; one line says how to get it.
        """
        return {}


class Executor(ABC):
    """Where jobs run: local processes, a cluster."""

    @abstractmethod
    def map(self, job: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """Run ``job`` on every item and yield (item, result) in order of completion.

        ``job`` must be picklable and idempotent: an item whose worker died is run again.

        Raises:
            WorkerError: an item's worker died on every allowed try. Other items are finished first.
            OccbenchError: raised by a job; passed on as it is.
        """
