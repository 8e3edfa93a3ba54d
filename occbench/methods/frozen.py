"""The network as it is: what methods that train beside a frozen network are measured against."""

from dataclasses import dataclass
from typing import ClassVar

from occbench.core.training import Method

__all__ = ["Frozen"]


@dataclass(frozen=True)
class Frozen(Method):
    """Answers with the network that training starts from; nothing is trained.

    LEARN's "baseline" (Kotwal et al., arXiv 2402.06936) is the classifier in front of whose head it is put. Without a
    warm-up or a pretrained head the head is random.
    """

    trains_backbone: ClassVar[bool] = False
    has_epochs: ClassVar[bool] = False
