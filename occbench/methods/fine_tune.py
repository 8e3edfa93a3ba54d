"""Classical training: cross-entropy on whatever images the arm is given."""

from dataclasses import dataclass

from occbench.core.interfaces import Method

__all__ = ["FineTune"]


@dataclass(frozen=True)
class FineTune(Method):
    """Plain fine-tuning with cross-entropy (arm C on clean images, arm F with occluded ones added)."""
