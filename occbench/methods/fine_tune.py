"""Classical training: cross-entropy on whatever images the arm is given."""

from dataclasses import dataclass
from typing import ClassVar

from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method

__all__ = ["FineTune"]


@dataclass(frozen=True)
class FineTune(Method):
    """Plain fine-tuning with cross-entropy (arm C on clean images, arm F with occluded ones added)."""

    tasks: ClassVar[frozenset[str]] = EVERY_TASK
