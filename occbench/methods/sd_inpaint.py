"""Inpainting: training on images and on their twins whose parts a diffusion model has painted anew.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, input augmentation: half of an image's parts, rounded
up, those of the largest area, are inpainted by Stable Diffusion, asked for the image's class. Twins are made once,
before training. Which model and how many steps are options of the family: name it in the arm, ``twins: {name: inpaint,
...}``. Loss: equation 1 of the paper, as ``twin_training`` has it.
"""

from dataclasses import dataclass
from typing import ClassVar

from occbench.methods.twin_training import TwinTraining

__all__ = ["DiffusionInpaint"]


@dataclass(frozen=True)
class DiffusionInpaint(TwinTraining):
    """Trains on every image and on its twin with parts inpainted by a diffusion model, same label.

    Options: ``TwinTraining``'s.
    """

    twins: ClassVar[str] = "inpaint"
