"""The roles. Read this file first: everything else is a player of one of them or an engine that knows only them.

A player is a frozen dataclass whose fields are its options (JSON values), found by name through ``core.plugins``:
the fields are its configuration schema, the docstring its help. Engines never import players.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, TypeVar

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

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A short hash that changes when an image is added, removed, renamed or resized on disk."""

    @property
    def multi_label(self) -> bool:
        """Whether an image may have any number of labels."""
        return False


class Occlusion(ABC):
    """A family of occlusions: turns a clean image and a named condition into an overlay."""

    #: Raised whenever the same recipe gives other pixels than before; part of every dataset fingerprint.
    version: ClassVar[int] = 1
    #: True when the overlay depends on the image (its key, its masks); False when all images share one overlay.
    per_image: ClassVar[bool] = False
    #: False when overlays must be stored because they cannot be recomputed (diffusion).
    recomputable: ClassVar[bool] = True

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

    def summary(self) -> dict[str, Any]:
        """Return what a reader of the dataset needs to know beyond the recipe (bank hash, file hashes); JSON values."""
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
