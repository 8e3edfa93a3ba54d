"""Occluded twins of training images: the set X-hat that part and diffusion augmentation trains on beside X.

Mallick, Dong, Ruiz, Bargal, "D-Feat Occlusions", arXiv 2504.06432, section 3. A twin is a function of the image, the
family and the seed, so all arms, seeds and epochs train on the same one.
"""

import numpy as np
import torch

from occbench.bench.images import ImageSet
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example
from occbench.data.render import Renderer

__all__ = ["occluded_twins"]


def occluded_twins(images: ImageSet, family: Occlusion, seed: int) -> ImageSet:
    """Return one twin of each image that the family can occlude, with its label and its masks.

    Args:
        images: clean images.
        family: one that has several conditions draws one of them for each image.
        seed: names the draws.

    Raises:
        ConfigError: the family can occlude none of them (no image has parts).
    """
    renderer = Renderer([family], seed)
    twins: list[Example] = []
    rows: list[int] = []
    problem = ""
    for row, example in enumerate(images.examples):
        condition = _drawn(renderer.conditions, example.key, seed)
        try:
            pixels, _ = renderer.render(example, condition)
        except BrokenImageError as error:  # an image without parts is trained on as it is, alone
            problem = str(error)
            continue
        # a key of its own, because activations are kept under keys
        key = f"{example.key}-{condition.name}"
        twins.append(Example(key, pixels, example.labels, example.object_mask, example.parts))
        rows.append(row)
    if not twins:
        raise ConfigError(
            f"none of the {len(images)} training images can be occluded by {renderer.conditions[0].family}: {problem}. "
            "Use a source that has part masks (coco_parts, part_imagenet, toyparts)."
        )
    stacked = torch.from_numpy(np.stack([twin.image for twin in twins])).permute(0, 3, 1, 2)
    return ImageSet(stacked, images.labels[rows], tuple(twins))


def _drawn(conditions: tuple[Condition, ...], key: str, seed: int) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    return conditions[stream(seed, "twins", key).integer(0, len(conditions))]
