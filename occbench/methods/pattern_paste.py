"""Pattern paste: the pairs' occlusion patterns are put on the training images themselves.

The oracle among the augmentations: it sees what it is tested on, every pattern on every image. It bounds from above
what deep feature augmentation [Cen et al., arXiv 2011.00768] reaches with a few pairs. The expected hidden share is
``probability`` times the mean ratio of the pairs' conditions.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.compose import composite_batch
from occbench.core.options import check_probability
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun

__all__ = ["PatternPaste"]


@dataclass(frozen=True)
class PatternPaste(Method):
    """Puts a random pattern of the pairs on a share of the images.

    Pixels of an image that gets one are rounded to whole levels first, because that is what overlays are put on
    everywhere.

    Attributes:
        probability: that an image gets a pattern, 0 to 1.

    Raises:
        ConfigError: an option outside of its range.
    """

    probability: float = 0.9

    needs: ClassVar[frozenset[str]] = frozenset({"overlays"})
    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_probability(self, "probability")

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with patterns on them, and their labels; see ``Method.augment``."""
        overlays = run.overlays()
        drawn = torch.randint(len(overlays), (len(images),), generator=run.draws)
        rows = (torch.rand(len(images), generator=run.draws) < self.probability).nonzero()[:, 0]
        chosen, rows = drawn[rows].to(overlays.device), rows.to(images.device)
        whole = images[rows].round().clamp(0, 255).to(torch.uint8)
        changed = images.clone()
        changed[rows] = composite_batch(whole, overlays[chosen]).to(images)
        return changed, labels
