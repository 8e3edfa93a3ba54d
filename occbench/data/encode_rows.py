"""From a clean image to the encoded bytes of all its occluded variants, sharing whatever the variants share."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from occbench.core.types import Condition, Example, Overlay
from occbench.data.encode import Encoding
from occbench.data.recipe import Storage
from occbench.data.render import Renderer
from occbench.data.scratch import scratch
from occbench.data.splice import PreparedSplice, SplicedEncoder, prepare_splice

__all__ = ["RowEncoder", "encoding_of"]

#: A tar file does not remove what variants share, so its PNG files are deflated; level 1 is within 5 % of level 9.
_TAR_PNG_LEVEL = 1


def encoding_of(storage: Storage) -> Encoding:
    """Return how a dataset with this storage encodes its occluded images."""
    level = "stored" if storage.format == "parquet" else _TAR_PNG_LEVEL
    return Encoding(name=storage.occluded, quality=storage.jpeg_quality, level=level)  # type: ignore[arg-type]


class RowEncoder:
    """Encodes every condition of one clean image after another."""

    def __init__(self, renderer: Renderer, encoding: Encoding) -> None:
        """Keep the renderer; nothing is drawn yet."""
        self.encoding = encoding
        self._renderer = renderer
        self._shared_splice = lru_cache(maxsize=len(renderer.conditions))(self._make_splice)

    def encode(self, example: Example) -> Iterator[tuple[Condition, Overlay, bytes]]:
        """Yield (condition, overlay, encoded image) in row order.

        Raises:
            OcclusionError, BrokenImageError: as the families' ``overlay``.
        """
        rows = self._spliced(example) if self.encoding.name == "jpeg" else self._rendered(example)
        yield from rows

    def overlays(self, example: Example) -> Iterator[tuple[Condition, Overlay]]:
        """Yield (condition, overlay) in row order without rendering or encoding anything."""
        for condition in self._renderer.conditions:
            yield condition, self._renderer.bare_overlay(example, condition)

    def _rendered(self, example: Example) -> Iterator[tuple[Condition, Overlay, bytes]]:
        out = scratch("rendered", *example.image.shape)
        for condition in self._renderer.conditions:
            image, overlay = self._renderer.render(example, condition, out)
            yield condition, overlay, self.encoding.encode(image)

    def _spliced(self, example: Example) -> Iterator[tuple[Condition, Overlay, bytes]]:
        height, width = example.image.shape[:2]
        encoder = SplicedEncoder(np.ascontiguousarray(example.image), self.encoding.quality)
        for condition in self._renderer.conditions:
            overlay = self._renderer.bare_overlay(example, condition)
            if self._renderer.per_image(condition):
                splice = prepare_splice(overlay, height, width, self.encoding.quality)
            else:
                splice = self._shared_splice(condition, height, width)
            yield condition, overlay, encoder.encode(splice)

    def _make_splice(self, condition: Condition, height: int, width: int) -> PreparedSplice:
        overlay = self._renderer.shared_overlay(condition, height, width)
        return prepare_splice(overlay, height, width, self.encoding.quality)
