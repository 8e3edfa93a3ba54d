"""Example predictions as the page holds them: the first ones drawn, all others as data that its script draws on demand.

A browser lays out ten thousand pictures slowly and reads ten thousand short lists fast: names and answers of all
examples stand in one JSON list, pictures in many, which are read only when one of theirs is looked at.
"""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, islice
from typing import Any, Final

from PIL import Image

from occbench.core.results.examples import ExamplePrediction

__all__ = ["PAGE", "ExampleBrowser", "ShownExample", "browse"]

#: Examples on one page of the browser.
PAGE: Final = 24
#: Pictures in one list.
_CHUNK: Final = 32
#: Up to so many examples, pictures are large.
_FEW: Final = 500
#: (longest side in pixels, WebP quality) of a few pictures, and of many.
_LARGE: Final = (224, 85)
_SMALL: Final = (128, 75)


@dataclass(frozen=True, slots=True)
class ShownExample:
    """An example that the page shows without its script.

    Attributes:
        example: what it says.
        picture: a WebP file in base64.
    """

    example: ExamplePrediction
    picture: str


@dataclass(frozen=True, slots=True)
class ExampleBrowser:
    """What the page holds of a table's examples.

    Attributes:
        first: the first page.
        data: JSON values: the names of rows, classes and conditions, and every example with indices into them:
            ``[key, class, condition, [answer, ...], [right as 0 or 1, ...], [per cent or None, ...]]``.
        pictures: WebP files in base64 of all examples but the first page's, in lists of equal length.
        size_px: no side of a picture is longer.
        quality: of its WebP.
    """

    first: tuple[ShownExample, ...]
    data: dict[str, Any]
    pictures: tuple[tuple[str, ...], ...]
    size_px: int
    quality: int

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(self.data["examples"])


def browse(examples: Iterable[ExamplePrediction]) -> ExampleBrowser:
    """Return the browser of a table's examples; pictures are reduced as they come, more than 500 of them further.

    Args:
        examples: gone through once, in order.
    """
    coming = iter(examples)
    begun = list(islice(coming, _FEW + 1))
    size_px, quality = _LARGE if len(begun) <= _FEW else _SMALL
    table = _Table()
    first: list[ShownExample] = []
    pictures: list[str] = []
    for number, example in enumerate(chain(begun, coming)):
        picture = _picture(example.png, size_px, quality)
        table.add(example)
        if number < PAGE:
            first.append(ShownExample(example, picture))
        else:
            pictures.append(picture)
    data = table.data | {"page": PAGE, "chunk": _CHUNK}
    chunks = tuple(tuple(pictures[start : start + _CHUNK]) for start in range(0, len(pictures), _CHUNK))
    return ExampleBrowser(tuple(first), data, chunks, size_px, quality)


class _Table:
    """Examples in short: every name once, indices otherwise."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._classes: dict[str, int] = {}
        self._conditions: dict[tuple[str, str], int] = {}
        self._examples: list[list[Any]] = []

    def add(self, example: ExamplePrediction) -> None:
        for answer in example.answers:
            self._rows.setdefault(answer.label, len(self._rows))
        self._examples.append(
            [
                example.key,
                self._class(example.class_name),
                self._conditions.setdefault((example.condition, example.group), len(self._conditions)),
                [self._class(answer.class_name) for answer in example.answers],
                [int(answer.right) for answer in example.answers],
                [None if answer.confidence is None else round(100 * answer.confidence) for answer in example.answers],
            ]
        )

    def _class(self, name: str) -> int:
        return self._classes.setdefault(name, len(self._classes))

    @property
    def data(self) -> dict[str, Any]:
        return {
            "rows": list(self._rows),
            "classes": list(self._classes),
            "conditions": [list(item) for item in self._conditions],
            "examples": self._examples,
        }


def _picture(png: bytes, size_px: int, quality: int) -> str:
    with Image.open(BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=quality)
    return b64encode(buffer.getvalue()).decode()
