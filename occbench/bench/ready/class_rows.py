"""Which row of an ImageNet head answers for a class, by the class's name."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from occbench.core.errors import ConfigError

__all__ = ["rows_by_name"]

_SYNSET: Final = re.compile(r"\bn\d{8}\b")
_AMBIGUOUS: Final = -1


def rows_by_name(classes: Sequence[str], head_classes: int) -> list[int | None]:
    """Return the row of a published ImageNet head for every class, None where no row goes by that name.

    A class is called by its synset (``n01440764``, alone or within a longer name), by all its names (``tench, Tinca
    tinca``) or by one of them (``tench``); case, ``_`` and ``-`` do not matter.

    Args:
        classes: names.
        head_classes: rows of the head: 1000 is ImageNet-1k, 21841 and others are the subsets of ImageNet-21k that timm
            knows; of any other head no row has a name.

    Raises:
        ConfigError: a name that several classes of ImageNet have (crane, the bird and the machine).
    """
    known = _rows(head_classes)
    found: list[int | None] = []
    for name in classes:
        synset = _SYNSET.search(name)
        row = known.get(synset[0] if synset else _plain(name))
        if row == _AMBIGUOUS:
            raise ConfigError(
                f"the class {name!r} may be one of several of ImageNet. Call it by its synset (n01440764), or give "
                "--classes-map FILE."
            )
        found.append(row)
    return found


@lru_cache(maxsize=2)
def _rows(head_classes: int) -> dict[str, int]:
    """Name -> row; ``_AMBIGUOUS`` where several rows have it."""
    from timm.data import ImageNetInfo, infer_imagenet_subset  # here, because it takes a second to import

    subset = infer_imagenet_subset({"num_classes": head_classes})
    if subset is None:
        return {}
    info = ImageNetInfo(subset)
    rows: dict[str, int] = {}
    for row in range(info.num_classes()):
        names = info.index_to_description(row)
        for name in {info.index_to_label_name(row), _plain(names), *map(_plain, names.split(","))}:
            rows[name] = row if rows.get(name, row) == row else _AMBIGUOUS
    return rows


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[_-]", " ", name).casefold().split())
