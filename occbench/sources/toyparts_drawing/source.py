"""What both toyparts sources share: options, classes and terms; nothing is read from disk."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.core.options import settle_options
from occbench.sources.toyparts_drawing.classes import CLASS_NAMES

__all__ = ["DrawnSource"]


@dataclass(frozen=True)
class DrawnSource(Source):
    """Images that are drawn when they are asked for; abstract, a source adds its options and the drawing.

    Attributes:
        path: ignored; nothing is read from disk.
        size_px: side of the square image, 32 to 512.
        seed: another seed draws other images.
        split: different splits share no image.

    Raises:
        ConfigError: an option out of its range.
    """

    path: str = ""
    size_px: int = 96
    seed: int = 0
    split: Literal["train", "validation", "test"] = "test"

    terms: ClassVar[str] = "Apache-2.0, as occbench itself, whose code draws them"
    licence = "apache-2.0"
    sharing = "free"
    #: The source's name.
    name: ClassVar[str]
    #: Raised whenever the same options give other pixels than before.
    version: ClassVar[int]

    def _check_drawing(self) -> None:
        """Check the options that all drawn sources have; a source calls it first in ``__post_init__``."""
        settle_options(self)
        if not 32 <= self.size_px <= 512:
            raise ConfigError(
                f"{self.name} draws images of 32 to 512 px, found size_px {self.size_px}. "
                "Choose a size in that range and let the resize rule do the rest."
            )

    @property
    def classes(self) -> Sequence[str]:
        """Class names in label order."""
        return CLASS_NAMES

    @property
    def fingerprint(self) -> str:
        """A hash of the options that decide the images, and of the drawing's version."""
        options = {option: value for option, value in asdict(self).items() if option != "path"}
        return fingerprint({"source": self.name, "version": self.version, **options})
