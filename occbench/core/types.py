"""The values that travel through occbench. All are frozen; arrays inside them are never written to."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLEAN", "KEY_PATTERN", "Condition", "Example", "Overlay", "Sample", "empty_overlay", "slug"]

#: What an image key or condition name may look like: safe as a file name, tar member and URL part.
KEY_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


def slug(text: str) -> str:
    """Return ``text`` as a key: lower case, every other character than a-z, 0-9, ``_``, ``-`` replaced by ``-``."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "x"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A clean image and what its source knows about it.

    Attributes:
        key: unique within the source, matches ``KEY_PATTERN``.
        image: uint8[H, W, 3], RGB.
        labels: class indices; exactly one for a single-label source, any number for a multi-label one.
        object_mask: bool[H, W], True on the object, or None where the source has none.
        parts: part name -> bool[H, W], True on the part.
        box: the object's box (x0, y0, x1, y1) in pixels, half-open, or None; used by the ``bbox`` resize rule.
        class_names: names of ``labels``, in the same order; empty where whoever made the example did not say them.
        photographs: condition name -> decodes another photograph of the same thing, uint8[H, W, 3], in which it is
            really occluded; empty where the source has none.
        ignored: class indices that are neither claimed nor denied of the image (a difficult object, an attribute that
            nobody specified); only multi-label sources have them, and none of them is among ``labels``.
    """

    key: str
    image: NDArray[np.uint8]
    labels: tuple[int, ...]
    object_mask: NDArray[np.bool_] | None = None
    parts: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    box: tuple[int, int, int, int] | None = None
    class_names: tuple[str, ...] = ()
    photographs: Mapping[str, Callable[[], NDArray[np.uint8]]] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A named test column.

    Attributes:
        name: unique within a recipe, e.g. ``umbrella2_20_c``; matches ``KEY_PATTERN``.
        family: the occlusion family that makes it, e.g. ``patterns``; ``clean`` for the untouched image.
        group: what a table averages, e.g. ``20r`` (20 %, random positions).
        parameters: what was asked, in JSON values: ``ratio``, ``position``, ``occluder``, ``loss``, ``level``, ...
    """

    name: str
    family: str
    group: str
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)


CLEAN: Final = Condition(name="clean", family="clean", group="clean")


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """What an occlusion puts on an image.

    Attributes:
        rgba: uint8[h, w, 4], straight (not premultiplied) alpha; alpha 255 hides the image, 0 leaves it untouched.
        x0: left edge of the overlay's box in the image, pixels, >= 0.
        y0: top edge, pixels, >= 0; the box lies wholly inside the image.
        achieved: the occlusion ratio, sum(alpha) / 255 / (H * W) of the image, in [0, 1].
        measured: what else its family measures on every overlay (``Occlusion.measures``), e.g. ``object_share``.
    """

    rgba: NDArray[np.uint8]
    x0: int
    y0: int
    achieved: float
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def alpha(self) -> NDArray[np.uint8]:
        """The alpha channel, uint8[h, w]."""
        return self.rgba[..., 3]

    def on_canvas(self, height: int, width: int, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Return the overlay at the size of the image, uint8[height, width, 4], transparent outside its box.

        Args:
            height: of the image, pixels.
            width: of the image, pixels.
            out: memory to draw into; new by default.

        Raises:
            ValueError: the box reaches out of the image.
        """
        rows, columns = self.rgba.shape[:2]
        if min(self.x0, self.y0) < 0 or self.y0 + rows > height or self.x0 + columns > width:
            raise ValueError(
                f"the overlay's box ({columns} x {rows} px at {self.x0}, {self.y0}) reaches out of the "
                f"{width} x {height} px image"
            )
        canvas = np.empty((height, width, 4), dtype=np.uint8) if out is None else out
        canvas.fill(0)
        canvas[self.y0 : self.y0 + rows, self.x0 : self.x0 + columns] = self.rgba
        return canvas

    def sample(self, example: Example, condition: Condition, image: NDArray[np.uint8]) -> "Sample":
        """Return the row of ``example`` under ``condition``; ``image`` is it with this overlay on."""
        facts = (condition.name, condition.group, self.achieved, self.measured)
        return Sample(example.key, image, example.labels, *facts, ignored=example.ignored)


def empty_overlay() -> Overlay:
    """Return the overlay that hides nothing: one transparent pixel."""
    return Overlay(rgba=np.zeros((1, 1, 4), dtype=np.uint8), x0=0, y0=0, achieved=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One row of a dataset: a clean image under one condition.

    Attributes:
        key: key of the clean image.
        image: uint8[H, W, 3], RGB, occluded.
        labels: class indices.
        condition: name of the condition.
        group: its condition group.
        achieved: the achieved occlusion ratio, in [0, 1].
        measured: what else the condition's family measures on every overlay, by name.
        ignored: class indices that are neither claimed nor denied of the image.
    """

    key: str
    image: NDArray[np.uint8]
    labels: tuple[int, ...]
    condition: str
    group: str
    achieved: float
    measured: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[int, ...] = ()
