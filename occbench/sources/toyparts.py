"""The embedded source: drawn objects with part masks, so that every command runs with no download.

Twelve classes in six pairs that share every part but one (car and pickup differ by the cabin, horse and giraffe by the
neck), drawn with random shape, pose, colour, texture, background and clutter. A small network learns the clean images;
hiding the discriminative part makes twins hard to tell apart, which is what an occlusion benchmark has to show.
"""

from dataclasses import dataclass
from typing import ClassVar

from occbench.core.boxes import box_of_mask
from occbench.core.errors import ConfigError
from occbench.core.types import Example
from occbench.sources.labelled_files import check_index
from occbench.sources.toyparts_drawing.classes import CLASS_NAMES
from occbench.sources.toyparts_drawing.scene import draw_scene
from occbench.sources.toyparts_drawing.source import DrawnSource

__all__ = ["ToyParts"]


@dataclass(frozen=True)
class ToyParts(DrawnSource):
    """Drawn objects with part masks; single-label, 12 classes.

    Images are ordered class by class in turn (car, cat, ..., watering_can, car, ...), so any beginning of the source is
    balanced, and image ``i`` of a class is the same however many images are asked for. Pixels depend on ``seed``,
    ``split``, class, number and ``size_px`` only. Drawing rounds coordinates to a fraction of a pixel; even so, another
    OpenCV version or processor may differ by one level in single pixels. Options beside its own: ``DrawnSource``'s.

    Attributes:
        images_per_class: 1 or more.

    Raises:
        ConfigError: an option out of its range.
    """

    images_per_class: int = 100

    name: ClassVar[str] = "toyparts"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._check_drawing()
        if self.images_per_class < 1:
            raise ConfigError(f"toyparts needs images_per_class of 1 or more, found {self.images_per_class}.")

    def __len__(self) -> int:
        return len(CLASS_NAMES) * self.images_per_class

    def key(self, index: int) -> str:
        """Return image ``index``'s key, e.g. ``test-car-00012``."""
        name, number = self._image(index)
        return f"{self.split}-{name}-{number:05d}"

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return image ``index``'s one label, without drawing it."""
        name, _ = self._image(index)
        return (CLASS_NAMES.index(name),)

    def __getitem__(self, index: int) -> Example:
        """Draw image ``index``."""
        name, number = self._image(index)
        scene = draw_scene(self.seed, self.split, name, number, self.size_px)
        return Example(
            key=self.key(index),
            image=scene.image,
            labels=self.labels_of(index),
            object_mask=scene.object_mask,
            parts=scene.parts,
            box=box_of_mask(scene.object_mask),
        )

    def _image(self, index: int) -> tuple[str, int]:
        """Return (class, number within the class) of image ``index``."""
        number, label = divmod(check_index(index, len(self)), len(CLASS_NAMES))
        return CLASS_NAMES[label], number
