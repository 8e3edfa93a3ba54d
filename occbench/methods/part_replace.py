"""Part replacement: training on images and on their twins whose parts show another image.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, baseline zeta 3: half of an image's parts, rounded up,
those of the largest area, are filled with pixels of another image, so that the outline stays and the texture misleads.
Loss: equation 1 of the paper, as ``twin_training`` has it.
"""

from dataclasses import dataclass
from typing import ClassVar

from occbench.methods.twin_training import TwinTraining

__all__ = ["PartReplace"]


@dataclass(frozen=True)
class PartReplace(TwinTraining):
    """Trains on every image and on its twin whose parts show another image, same label.

    Options: ``TwinTraining``'s.
    """

    twins: ClassVar[str] = "part_replace"
