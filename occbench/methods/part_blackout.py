"""Part blackout: training on images and on their twins whose parts are blacked out.

Mallick et al., "D-Feat Occlusions", arXiv 2504.06432, section 3, baseline zeta 1: half of an image's parts, rounded up,
those of the largest area, go black; texture and colour vanish there, the outline stays. Loss: equation 1 of the paper,
as ``twin_training`` has it.
"""

from dataclasses import dataclass
from typing import ClassVar

from occbench.methods.twin_training import TwinTraining

__all__ = ["PartBlackout"]


@dataclass(frozen=True)
class PartBlackout(TwinTraining):
    """Trains on every image and on its twin with parts blacked out, same label.

    Options: ``TwinTraining``'s.
    """

    twins: ClassVar[str] = "part_blackout"
