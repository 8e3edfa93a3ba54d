"""The roles. Read this file first: everything else is a player of one of them or an engine that knows only them.

A player is a frozen dataclass whose fields are its options (JSON values), found by name through ``core.plugins``:
the fields are its configuration schema, the docstring its help. Engines never import players.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from occbench.core.types import Condition, Example, Overlay

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["Executor", "Method", "Occlusion", "Source", "TrainingRun"]

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

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s labels; a source that knows them without decoding the image overrides this.

        Raises:
            BrokenImageError: the image has no label, or must be decoded to learn it and cannot be.
            IndexError: no such index.
        """
        return self[index].labels

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


class Method:
    """An occlusion-robustness method: how a classifier is trained and asked. An empty subclass is plain fine-tuning.

    A method is a frozen dataclass whose fields are its options. It keeps nothing between calls: what must be remembered
    during an epoch (a table of difference vectors, say) goes into ``run.memory``, a dict of the run's own.
    """

    #: What the method must be given: ``pairs`` (clean images with their occluded twins), ``parts`` (part masks).
    needs: ClassVar[frozenset[str]] = frozenset()

    def on_epoch_start(self, run: "TrainingRun") -> None:
        """Prepare an epoch; called once before its first batch, with the model in evaluation mode and no gradients."""

    def loss(self, run: "TrainingRun", inputs: "Tensor", labels: "Tensor") -> "Tensor":
        """Return the scalar loss of a batch; the trainer takes the gradient step.

        Args:
            run: the model (``run.vectors``, ``run.head``), the epoch, the random draws, the memory.
            inputs: the batch as the model takes it: pass it to ``run.vectors`` unopened.
            labels: int64[B], class indices.
        """
        from torch.nn.functional import cross_entropy

        return cross_entropy(run.head(run.vectors(inputs)), labels)

    def predict(self, run: "TrainingRun", inputs: "Tensor") -> "Tensor":
        """Return logits float[B, C] of a batch at test time, with the model in evaluation mode and no gradients."""
        return run.head(run.vectors(inputs))


class TrainingRun(ABC):
    """What a method may touch while it trains; the trainer's side of the bargain.

    Attributes:
        epoch: number of the present epoch, from 0.
        draws: torch generator of the method's own on the CPU; using it disturbs neither data order nor augmentation.
        memory: the method's notes of this epoch; empty when ``on_epoch_start`` is called, so that a resumed run does
            not differ from an uninterrupted one.
    """

    epoch: int
    draws: "Generator"
    memory: dict[str, Any]

    @abstractmethod
    def vectors(self, inputs: "Tensor") -> "Tensor":
        """Return the deep feature vectors float[B, D] of a batch, with gradients where the trunk trains."""

    @abstractmethod
    def head(self, vectors: "Tensor") -> "Tensor":
        """Return logits float[B, C] of deep feature vectors."""

    @abstractmethod
    def pairs(self) -> "Iterator[tuple[Tensor, Tensor]]":
        """Yield every clean image with its occluded twins: (inputs of 1 clean image, inputs of its P occluded ones).

        Both are prepared and normalised alike and never augmented.
        """
