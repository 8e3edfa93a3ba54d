"""Occluded twins of training images: the set X-hat that part and diffusion augmentation trains on beside X.

Mallick, Dong, Ruiz, Bargal, "D-Feat Occlusions", arXiv 2504.06432, section 3. A twin is a function of the image, the
family and the seed, so all arms, seeds and epochs train on the same one. Twins that take long to make (diffusion) are
made once by ``occbench generate``, and an arm names the dataset instead of the family.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from occbench.bench.images.images import ImageSet
from occbench.core.compose import PreparedOverlay, composite
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.data.render import Renderer

__all__ = ["occluded_twins"]


def occluded_twins(images: ImageSet, family: Occlusion, seed: int) -> ImageSet:
    """Return one twin of each image that the family can occlude, with its label and its masks.

    Args:
        images: clean images, which are each other's donors where the family shows pixels of others.
        family: one that has several conditions draws one of them for each image.
        seed: names the draws.

    Raises:
        ConfigError: the family can occlude none of them (no image has parts).
    """
    maker = _Maker(family.with_donors(images.examples) if family.needs_donors else family, seed)
    drawn = [_drawn(family.conditions, key, seed) for key in images.keys]
    twins: dict[int, Example] = {}
    problem = ""
    for condition in family.conditions:
        rows = [row for row, item in enumerate(drawn) if item == condition]
        for start in range(0, len(rows), family.batch_size):
            some = rows[start : start + family.batch_size]
            examples = [images.examples[row] for row in some]
            for row, example, overlay in zip(some, examples, maker.overlays(examples, condition), strict=True):
                if isinstance(overlay, BrokenImageError):  # it has no parts, and is trained on as it is, alone
                    problem = str(overlay)
                else:
                    twins[row] = _twin(example, condition, composite(example.image, overlay))
    if not twins:
        raise ConfigError(
            f"none of the {len(images)} training images can be occluded by {family.conditions[0].family}: {problem}. "
            "Parts need a source that has part masks (coco_parts, part_imagenet, toyparts)."
        )
    rows = sorted(twins)
    # taken out one by one, because the set copies them
    return ImageSet.of((twins.pop(row) for row in rows), images.labels[rows])


class _Maker:
    """Makes overlays in batches, and those that all images share once."""

    def __init__(self, family: Occlusion, seed: int) -> None:
        self._family, self._seed = family, seed
        self._renderer = Renderer([family], seed)

    def overlays(
        self, examples: Sequence[Example], condition: Condition
    ) -> Sequence[Overlay | PreparedOverlay | BrokenImageError]:
        if self._family.per_image:
            return self._family.overlays(examples, condition, self._seed)
        return [self._renderer.overlay(example, condition) for example in examples]


def _twin(example: Example, condition: Condition, image: NDArray[np.uint8]) -> Example:
    # activations and side vectors are kept under keys, and two arms may give one family different options
    pixels = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    return replace(example, key=f"{example.key}-{condition.name}-{pixels}", image=image)


def _drawn(conditions: tuple[Condition, ...], key: str, seed: int) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    return conditions[stream(seed, "twins", key).integer(0, len(conditions))]
