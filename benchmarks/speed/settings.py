"""What all measurements share: the photographs, how much work, how many turns, which device."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import device

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How the measurements are run; every one takes what concerns it.

    Attributes:
        photos: folder of JPEG or PNG files, searched to any depth.
        turns: how often every way takes its turn, after one that is not counted.
        share: of the amount of work: 1 gives the numbers in the table, less is a rehearsal.
        images: photographs in ``generating``; 0 takes the table's number.
        bank: bank of the patterns in ``generating``.
        albumentations: the Python of an environment that has albumentations; empty to leave it out.
        inpainter: folder or repository of an inpainting pipeline; empty for a random one.
    """

    photos: Path
    turns: int = 5
    share: float = 1.0
    images: int = 0
    bank: str = "occbench-3"
    albumentations: str = ""
    inpainter: str = ""

    @cached_property
    def device(self) -> "device":
        """Where networks run."""
        import torch  # here, because every worker imports this module and its memory is measured

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def many(self, cpu: int, gpu: int = 0, least: int = 1) -> int:
        """Return how many of something there are on this device, less of them in a rehearsal.

        Args:
            cpu: where there is no GPU.
            gpu: where there is one; 0 for as many.
            least: what a measurement cannot do without.
        """
        return max(least, round(self.share * (gpu if gpu and self.device.type == "cuda" else cpu)))
