"""The images of a dataset directory as a test set: clean ones decoded once and resident, occluded ones to be made."""

from pathlib import Path

import numpy as np
import torch

from occbench.bench.images import ImageSet
from occbench.bench.score import TestSet
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.types import CLEAN, Example
from occbench.data.clean import CleanImages
from occbench.data.manifest import Manifest
from occbench.data.render import Renderer

__all__ = ["fingerprint_of", "load_test_set"]


def fingerprint_of(manifest: Manifest, *, stored: bool) -> str:
    """Return the fingerprint of a dataset as a test set: of its pixels, not of how they are kept.

    Args:
        manifest: of the dataset.
        stored: whether the stored occluded images are scored; JPEG ones have pixels of their own.
    """
    storage = manifest.recipe.storage
    pixels = [manifest.pixels_fingerprint, manifest.source.fingerprint, manifest.source.images, manifest.images]
    lossy = ["jpeg", storage.jpeg_quality] if stored and storage.occluded == "jpeg" else []
    return fingerprint([*pixels, *lossy])


def load_test_set(directory: Path, manifest: Manifest, name: str) -> TestSet:
    """Decode the clean images of a dataset.

    Args:
        directory: of the dataset.
        manifest: of the dataset.
        name: fingerprint of the test set.

    Raises:
        ConfigError: images with several labels or of different sizes.
        DatasetError: a shard that cannot be read.
    """
    if manifest.multi_label:
        raise ConfigError(f"{directory} gives its images several labels: top-1 accuracy needs exactly one of each.")
    clean = CleanImages(directory, manifest)
    shape = clean.example(0).image.shape
    pixels = np.empty((len(clean), *shape), dtype=np.uint8)
    examples = []
    for number, place in enumerate(pixels):
        example = clean.example(number)
        if example.image.shape != shape:
            raise ConfigError(
                f"{directory} has images of different sizes ({shape[1]} x {shape[0]} and {example.image.shape[1]} x "
                f"{example.image.shape[0]} px): generate it with prepare.rule direct or shorter_side."
            )
        place[...] = example.image
        examples.append(Example(example.key, place, example.labels, example.object_mask, example.parts))
    labels = torch.tensor([example.labels[0] for example in examples])
    images = ImageSet(torch.from_numpy(pixels).permute(0, 3, 1, 2), labels, tuple(examples))
    renderer = Renderer(manifest.recipe.build_occlusions(), manifest.recipe.seed)
    return TestSet(images, renderer, (CLEAN, *renderer.conditions), name)
