"""What an image's labels mean: exactly one class of several, or any number of them.

A task turns labels into targets, logits into probabilities and answers, and both together into a loss. Trainer, methods
and scorer ask it and need not know which one they are at.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "EVERY_TASK",
    "MULTI_LABEL",
    "SINGLE_LABEL",
    "TASKS",
    "MultiLabel",
    "SingleLabel",
    "Task",
    "stored_task",
    "task_entry",
    "task_of",
]


class Task(ABC):
    """How labels, logits and losses belong together.

    Attributes:
        name: as manifests have it.
    """

    name: ClassVar[str]

    @abstractmethod
    def targets(
        self, labels: Sequence[Sequence[int]], ignored: Sequence[Sequence[int]], head: dict[int, int]
    ) -> "Tensor":
        """Return the targets of images, one row for each.

        Args:
            labels: of every image, as its source gives them.
            ignored: classes of every image that are neither claimed nor denied of it.
            head: label in the source -> label in the head; others are absent.
        """

    @abstractmethod
    def loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the task's own loss, a mean over the batch.

        Args:
            logits: float[B, C].
            targets: rows of ``targets``, or what a method's ``augment`` made of them.
        """

    @abstractmethod
    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Return float[B, C] in 0..1."""

    @abstractmethod
    def multi_hot(self, targets: "Tensor", num_classes: int) -> "Tensor":
        """Return float32[B, C]: 1 on the classes of an image, 0 on others, nan where nothing is known."""

    @abstractmethod
    def decisions(self, logits: "Tensor") -> "Tensor":
        """Return what a network answers: int64[B] classes, or bool[B, C] which classes."""


@final
class SingleLabel(Task):
    """Exactly one class an image: targets int64[B], -1 for a class that the head does not have; cross-entropy."""

    name: ClassVar[str] = "single-label"

    def targets(
        self,
        labels: Sequence[Sequence[int]],
        ignored: Sequence[Sequence[int]],  # noqa: ARG002 - such a source has none
        head: dict[int, int],
    ) -> "Tensor":
        """Return int64[N]; see ``Task.targets``."""
        import torch

        return torch.tensor([head.get(found[0], -1) for found in labels], dtype=torch.int64)

    def loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the cross-entropy; see ``Task.loss``."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(logits, targets)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Return the softmax."""
        return logits.softmax(1)

    def multi_hot(self, targets: "Tensor", num_classes: int) -> "Tensor":
        """Return one-hot rows; soft targets as they are."""
        from torch.nn.functional import one_hot

        return targets if targets.is_floating_point() else one_hot(targets, num_classes).float()

    def decisions(self, logits: "Tensor") -> "Tensor":
        """Return int64[B], the largest logit's class."""
        return logits.argmax(1)


@final
class MultiLabel(Task):
    """Any number of classes an image: targets float32[B, C] of 0 and 1, nan where nothing is known.

    The loss is the binary cross-entropy with logits, a mean over the known entries of the batch. A missing entry is
    not a number because whatever mixes targets then keeps it missing.
    """

    name: ClassVar[str] = "multi-label"

    def targets(
        self, labels: Sequence[Sequence[int]], ignored: Sequence[Sequence[int]], head: dict[int, int]
    ) -> "Tensor":
        """Return float32[N, C]; see ``Task.targets``."""
        import torch

        made = torch.zeros(len(labels), len(head))
        for row, (own, unknown) in enumerate(zip(labels, ignored, strict=True)):
            made[row, [head[label] for label in own if label in head]] = 1.0
            made[row, [head[label] for label in unknown if label in head]] = float("nan")
        return made

    def loss(self, logits: "Tensor", targets: "Tensor") -> "Tensor":
        """Return the binary cross-entropy over known entries; see ``Task.loss``."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        known = ~targets.isnan()
        # what is missing gets a weight of 0 instead of being picked out, which would make a GPU wait for a count
        total = binary_cross_entropy_with_logits(
            logits, targets.nan_to_num(0.0).to(logits), weight=known.to(logits), reduction="sum"
        )
        return total / known.sum().clamp(min=1)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Return the sigmoid of every class."""
        return logits.sigmoid()

    def multi_hot(self, targets: "Tensor", num_classes: int) -> "Tensor":  # noqa: ARG002 - the role's signature
        """Return the targets."""
        return targets

    def decisions(self, logits: "Tensor") -> "Tensor":
        """Return bool[B, C], the classes of a probability of at least one half."""
        return logits >= 0


SINGLE_LABEL: Final = SingleLabel()
MULTI_LABEL: Final = MultiLabel()
#: name -> task.
TASKS: Final[dict[str, Task]] = {task.name: task for task in (SINGLE_LABEL, MULTI_LABEL)}
#: The names of all tasks.
EVERY_TASK: Final = frozenset(TASKS)


def task_of(targets: "Tensor") -> Task:
    """Return the task that targets are of: rows of classes are multi-label, single numbers are not."""
    return MULTI_LABEL if targets.ndim == 2 else SINGLE_LABEL


def task_entry(task: Task) -> dict[str, str]:
    """Return a run manifest's entry ``task``: none where an image has one label, as manifests had none before."""
    return {} if task is SINGLE_LABEL else {"task": task.name}


def stored_task(manifest: Mapping[str, Any]) -> Task:
    """Return the task that a run manifest's entry ``task`` names."""
    return TASKS[str(manifest.get("task", SINGLE_LABEL.name))]
