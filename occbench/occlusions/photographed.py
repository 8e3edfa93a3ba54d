"""Real occlusion: another photograph of the same thing, in which something is in front of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.types import KEY_PATTERN, Condition, Example, Overlay

__all__ = ["Photographed"]


@dataclass(frozen=True)
class Photographed(Occlusion):
    """Takes what the source has photographed in place of a clean image: AR's faces in sunglasses and scarves.

    The overlay is one of ``Example.photographs``, whole and opaque, so the occluded image is the photograph itself, and
    ``achieved`` is 1: how much of the thing is hidden nobody knows. More than the hidden pixels may differ between the
    two (pose, light, expression), which deep feature augmentation puts up with [Cen et al. 2021, footnote 1].

    Attributes:
        photographs: condition name -> its condition group; names as the source calls them.
    """

    per_image: ClassVar[bool] = True
    recomputable: ClassVar[bool] = False  # a dataset holds the clean photographs alone

    photographs: Mapping[str, str] = field(hash=False)

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            ConfigError: no condition, or a name or group that cannot be one.
        """
        if not self.photographs:
            raise ConfigError("photographed needs photographs: condition names and their groups, found none.")
        for name in (*self.photographs, *self.photographs.values()):
            if not KEY_PATTERN.fullmatch(name):
                raise ConfigError(f"photographed: names are made of a-z, 0-9, _ and -, found {name!r}: rename it.")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """One condition for each photograph."""
        return tuple(Condition(name, "photographed", group) for name, group in self.photographs.items())

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:  # noqa: ARG002 - nothing is drawn
        """Return the photograph as an opaque overlay.

        Raises:
            BrokenImageError: there is none of this image, it cannot be decoded, or it has another size.
        """
        decode = example.photographs.get(condition.name)
        if decode is None:
            known = ", ".join(example.photographs) or "none at all"
            raise BrokenImageError(f"{example.key} has no photograph {condition.name}; the source has {known}")
        pixels = decode()
        if pixels.shape != example.image.shape:
            sizes = " and ".join("{1} x {0} px".format(*image.shape) for image in (pixels, example.image))
            raise BrokenImageError(
                f"{example.key}: the photograph {condition.name} and the clean one differ in size, {sizes}"
            )
        opaque = np.full((*pixels.shape[:2], 1), 255, dtype=np.uint8)
        return Overlay(np.concatenate([pixels, opaque], axis=2), 0, 0, achieved=1.0)
