"""Hide-and-Seek: the image is cut into a grid, and every cell is hidden with a probability of its own.

Singh, Lee, "Hide-and-Seek: Forcing a Network to be Meticulous", ICCV 2017, with the grids of the authors' code: every
image is cut into cells of a size drawn for it, or not at all. What is hidden is 0 after normalisation. The expected
hidden share is ``probability`` times the share of sizes that are not 0: 0.4 by default.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.errors import ConfigError
from occbench.core.options import check_probability, check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.hidden_pixels import filled, scaled_px

__all__ = ["HideAndSeek"]


@dataclass(frozen=True)
class HideAndSeek(Method):
    """Hides random cells of a grid.

    Attributes:
        cells_px: sides of a cell to draw from, in an image of 224 px; other images have cells of the same share of
            their side. 0 hides nothing. The authors' code: 0, 16, 32, 44, 56.
        probability: that a cell is hidden, 0 to 1. The paper: 0.5.

    Raises:
        ConfigError: an option outside of its range.
    """

    cells_px: tuple[int, ...] = (0, 16, 32, 44, 56)
    probability: float = 0.5

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        object.__setattr__(self, "cells_px", tuple(self.cells_px))  # a YAML list
        if not self.cells_px:
            raise ConfigError("hide_and_seek needs cells_px, found none. Give sides such as [16, 32].")
        check_range(self, "cells_px", 0)
        check_probability(self, "probability")

    def augment(self, run: TrainingRun, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with hidden cells, and their labels; see ``Method.augment``."""
        count, side = len(images), images.shape[-1]
        sizes = torch.tensor([scaled_px(cell, side) if cell else 0 for cell in self.cells_px])
        size = sizes[torch.randint(len(sizes), (count,), generator=run.draws)]
        cell = torch.arange(side) // size.clamp(min=1)[:, None]
        across = int(cell.max()) + 1
        hides = torch.rand(count, across, across, generator=run.draws) < self.probability
        hides &= (size > 0)[:, None, None]
        hidden = hides[torch.arange(count)[:, None, None], cell[:, :, None], cell[:, None, :]]
        return filled(run, images, hidden[:, None]), labels
