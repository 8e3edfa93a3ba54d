"""The embedded source: drawn objects with part masks, so that every command runs with no download.

Twelve classes in six pairs that share every part but one (car and pickup differ by the cabin, horse and giraffe by the
neck), drawn with random shape, pose, colour, texture, background and clutter. A small network learns the clean images;
hiding the discriminative part makes twins hard to tell apart, which is what an occlusion benchmark has to show.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

import numpy as np

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.core.types import Example
from occbench.sources.toyparts_drawing.classes import CLASSES
from occbench.sources.toyparts_drawing.options import check_options
from occbench.sources.toyparts_drawing.scene import draw_scene

__all__ = ["ToyParts"]

_CLASSES: Final = tuple(CLASSES)


@dataclass(frozen=True)
class ToyParts(Source):
    """Drawn objects with part masks; single-label, 12 classes.

    Images are ordered class by class in turn (car, cat, ..., watering_can, car, ...), so any beginning of the source is
    balanced, and image ``i`` of a class is the same however many images are asked for. Pixels depend on ``seed``,
    ``split``, class, number and ``size_px`` only. Drawing rounds coordinates to a fraction of a pixel; even so, another
    OpenCV version or processor may differ by one level in single pixels.

    Attributes:
        path: ignored; nothing is read from disk.
        images_per_class: 1 or more.
        size_px: side of the square image, 32 to 512.
        seed: another seed draws other images.
        split: ``train``, ``validation`` or ``test``; different splits share no image.
    """

    path: str = ""
    images_per_class: int = 100
    size_px: int = 96
    seed: int = 0
    split: str = "test"

    terms: ClassVar[str] = "Apache-2.0, as occbench itself, whose code draws them"
    licence = "apache-2.0"
    sharing = "free"
    #: Raised whenever the same options give other pixels than before.
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_options("toyparts", self.split, self.size_px)
        if self.images_per_class < 1:
            raise ConfigError(f"toyparts needs images_per_class of 1 or more, found {self.images_per_class}.")

    @property
    def classes(self) -> Sequence[str]:
        """Class names in label order."""
        return _CLASSES

    def __len__(self) -> int:
        return len(_CLASSES) * self.images_per_class

    def key(self, index: int) -> str:
        """Return image ``index``'s key, e.g. ``test-car-00012``."""
        name, number = self._image(index)
        return f"{self.split}-{name}-{number:05d}"

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s one label, without drawing it."""
        name, _ = self._image(index)
        return (_CLASSES.index(name),)

    def __getitem__(self, index: int) -> Example:
        """Draw image ``index``."""
        name, number = self._image(index)
        scene = draw_scene(self.seed, self.split, name, number, self.size_px)
        rows, columns = np.flatnonzero(scene.object_mask.any(axis=1)), np.flatnonzero(scene.object_mask.any(axis=0))
        return Example(
            key=self.key(index),
            image=scene.image,
            labels=self.labels_of(index),
            object_mask=scene.object_mask,
            parts=scene.parts,
            box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
        )

    @property
    def fingerprint(self) -> str:
        """A hash of the options that decide the images, and of the drawing's version."""
        options = {name: value for name, value in asdict(self).items() if name != "path"}
        return fingerprint({"source": "toyparts", "version": self.version, **options})

    def _image(self, index: int) -> tuple[str, int]:
        """Return (class, number within the class) of image ``index``."""
        if not 0 <= index < len(self):
            raise IndexError(f"toyparts has {len(self)} images, asked for number {index}")
        number, label = divmod(index, len(_CLASSES))
        return _CLASSES[label], number
