"""The embedded multi-label source: scenes of several toyparts objects, some of them small or half hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from occbench.core.errors import ConfigError
from occbench.core.types import Example
from occbench.sources.labelled_files import check_index
from occbench.sources.toyparts_drawing.crowd import Crowd, Seen, draw_crowd, see_crowd
from occbench.sources.toyparts_drawing.source import DrawnSource

__all__ = ["ToyPartsScenes"]

#: Share of an object that must be seen for its class to be claimed of the image.
_LEAST_VISIBLE: Final = 0.5


@dataclass(frozen=True)
class ToyPartsScenes(DrawnSource):
    """Drawn scenes of several toyparts objects; multi-label, the 12 classes of ``toyparts``.

    Later objects stand in front of earlier ones. A class is a label of the scene when at least half of one of its
    objects can be seen; where less can be seen of all of them, it is ignored, as VOC's difficult objects are. Scene
    ``i`` has an object of class ``i`` modulo 12; it is the same however many scenes are asked for and shows the same
    things at every size. The object mask is the union of all objects. Options beside its own: ``DrawnSource``'s.

    Attributes:
        images: how many scenes, 1 or more.
        objects: the least and the greatest number of objects in a scene, 1 to 8.
        extents: the least and the greatest longer side of an object, as a share of the image's side, 0.1 to 0.95.

    Raises:
        ConfigError: an option out of its range.
    """

    size_px: int = 128
    images: int = 1200
    objects: tuple[int, int] = (1, 5)
    extents: tuple[float, float] = (0.2, 0.6)

    name: ClassVar[str] = "toyparts_scenes"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._check_drawing()
        if self.images < 1:
            raise ConfigError(f"toyparts_scenes needs images of 1 or more, found {self.images}.")
        for name, least, greatest in (("objects", 1, 8), ("extents", 0.1, 0.95)):
            span: Sequence[float] = getattr(self, name)
            if len(span) != 2 or not least <= span[0] <= span[1] <= greatest:
                raise ConfigError(
                    f"toyparts_scenes: {name} are the least and the greatest, in {least} to {greatest}, found "
                    f"{list(span)}: use two numbers in that order."
                )

    @property
    def multi_label(self) -> bool:
        """True: a scene has as many labels as classes can be seen in it."""
        return True

    def __len__(self) -> int:
        return self.images

    def key(self, index: int) -> str:
        """Return scene ``index``'s key, e.g. ``test-scene-00012``."""
        return f"{self.split}-scene-{self._crowd(index).number:05d}"

    def labels_of(self, index: int) -> tuple[int, ...]:
        """Return the classes that can be seen in scene ``index``, without painting it."""
        return tuple(sorted({seen.label for seen in self._seen(index) if seen.visible >= _LEAST_VISIBLE}))

    def ignored_of(self, index: int) -> tuple[int, ...]:
        """Return the classes of which only little can be seen, without painting the scene."""
        return tuple(sorted({seen.label for seen in self._seen(index)}.difference(self.labels_of(index))))

    def areas_of(self, index: int) -> Mapping[int, tuple[float, ...]]:
        """Return label -> visible areas of its objects, pixels; those of which only little can be seen left out."""
        areas: dict[int, tuple[float, ...]] = dict.fromkeys(self.labels_of(index), ())
        for seen in self._seen(index):
            if seen.visible >= _LEAST_VISIBLE:
                areas[seen.label] += (seen.area * self.size_px**2,)
        return areas

    def __getitem__(self, index: int) -> Example:
        """Draw scene ``index``."""
        image, object_mask = draw_crowd(self._crowd(index), self.size_px)
        return Example(
            key=self.key(index),
            image=image,
            labels=self.labels_of(index),
            object_mask=object_mask,
            ignored=self.ignored_of(index),
        )

    def _crowd(self, index: int) -> Crowd:
        return Crowd(self.seed, self.split, check_index(index, len(self)), self.objects, self.extents)

    def _seen(self, index: int) -> tuple[Seen, ...]:
        return see_crowd(self._crowd(index))
