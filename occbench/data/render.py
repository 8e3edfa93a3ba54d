"""Rendering: conditions put on clean images, with everything that images share computed once."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from occbench.core.compose import PreparedOverlay, Workspace, composite, prepare_overlay
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.types import Condition, Example, Overlay, Sample

__all__ = ["Renderer"]


class Renderer:
    """Renders any condition of a recipe on any clean image.

    Overlays that do not depend on the image are made once per image size and kept prepared.

    Attributes:
        conditions: every condition in row order.
    """

    def __init__(
        self, occlusions: Sequence[Occlusion], seed: int, stored: Callable[[str, str], Overlay] | None = None
    ) -> None:
        """Collect the families' conditions; nothing is drawn yet.

        Args:
            occlusions: the families.
            seed: the recipe's.
            stored: (image key, condition name) -> overlay, for families that are stored; without it they are asked.
        """
        self._occlusions = tuple(occlusions)
        self._seed = seed
        self._stored = stored
        self._families = {condition.name: family for family in occlusions for condition in family.conditions}
        self.conditions: tuple[Condition, ...] = tuple(item for family in occlusions for item in family.conditions)
        self._by_name = {condition.name: condition for condition in self.conditions}
        self._workspace = Workspace()
        self._shared = lru_cache(maxsize=len(self.conditions))(self._make_shared)

    def with_seed(self, seed: int) -> "Renderer":
        """Return a renderer of the same families that draws by another seed and knows no stored overlays."""
        return Renderer(self._occlusions, seed)

    def condition(self, name: str) -> Condition:
        """Return the condition called ``name``.

        Raises:
            ConfigError: there is none.
        """
        if name not in self._by_name:
            raise ConfigError(
                f"there is no condition {name!r} here; the first of {len(self._by_name)} are "
                f"{', '.join(list(self._by_name)[:3])}."
            )
        return self._by_name[name]

    def per_image(self, condition: Condition) -> bool:
        """Whether the condition's overlay depends on the image."""
        return self._families[condition.name].per_image

    def overlay(self, example: Example, condition: Condition) -> PreparedOverlay:
        """Make (or recall) the overlay of a condition for an example, ready to composite.

        Raises:
            OcclusionError, BrokenImageError: as the family's ``overlay``.
        """
        family = self._families[condition.name]
        if family.per_image:
            return prepare_overlay(self._own(family, example, condition))
        height, width = example.image.shape[:2]
        return self._shared(condition.name, height, width)

    def bare_overlay(self, example: Example, condition: Condition) -> Overlay:
        """Make (or recall) the overlay of a condition without preparing it for the compositor, for other uses.

        Raises:
            OcclusionError, BrokenImageError: as the family's ``overlay``.
        """
        family = self._families[condition.name]
        if family.per_image:
            return self._own(family, example, condition)
        return self.overlay(example, condition).overlay

    def render(
        self, example: Example, condition: Condition, out: NDArray[np.uint8] | None = None
    ) -> tuple[NDArray[np.uint8], Overlay]:
        """Return the occluded image, uint8[H, W, 3], and the overlay that made it.

        Args:
            example: after the resize rule.
            condition: one of ``conditions``.
            out: memory to write the image into, as ``core.compose.composite``.
        """
        prepared = self.overlay(example, condition)
        return composite(example.image, prepared, out, self._workspace), prepared.overlay

    def samples(self, example: Example) -> Iterator[Sample]:
        """Yield the example under every condition, in row order; each image is a new array."""
        for condition in self.conditions:
            image, overlay = self.render(example, condition)
            yield overlay.sample(example, condition, image)

    def full_overlay(self, example: Example, condition: Condition) -> NDArray[np.uint8]:
        """Return the overlay as uint8[H, W, 4] of the whole image, transparent outside its box."""
        return self.bare_overlay(example, condition).on_canvas(*example.image.shape[:2])

    def shared_overlay(self, condition: Condition, height: int, width: int) -> Overlay:
        """Return the overlay that every image of this size gets; only for conditions that images share."""
        return self._shared(condition.name, height, width).overlay

    def _own(self, family: Occlusion, example: Example, condition: Condition) -> Overlay:
        if self._stored is not None and not family.recomputable:
            return self._stored(example.key, condition.name)
        return family.overlay(example, condition, self._seed)

    def _make_shared(self, name: str, height: int, width: int) -> PreparedOverlay:
        canvas = Example(key="canvas", image=np.zeros((height, width, 3), dtype=np.uint8), labels=(0,))
        return prepare_overlay(self._families[name].overlay(canvas, self._by_name[name], self._seed))
