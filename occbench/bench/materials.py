"""Everything a benchmark trains and tests on, loaded once and shared by its cells."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from occbench.bench.images import ImageSet, load_images
from occbench.bench.protocol import Arm, Benchmark
from occbench.bench.splits import Split, draw_split
from occbench.core.interfaces import Source
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition, Example
from occbench.data.config import build_plugin
from occbench.data.render import Renderer

__all__ = ["Materials", "load_materials"]


@dataclass(frozen=True, eq=False)
class Materials:
    """Images and overlays of one benchmark.

    Attributes:
        benchmark: what is compared.
        split: which images went where.
        train: training images.
        validation: held out of the training images to choose the epoch; may be empty.
        pairs: clean images that are paired with their occluded twins.
        test: test images.
        renderer: of the test columns.
        pair_renderer: of the pairs.
    """

    benchmark: Benchmark
    split: Split
    train: ImageSet
    validation: ImageSet
    pairs: ImageSet
    test: ImageSet
    renderer: Renderer
    pair_renderer: Renderer

    @property
    def test_conditions(self) -> tuple[Condition, ...]:
        """The test columns, ``clean`` first."""
        return (CLEAN, *self.renderer.conditions)

    def pair_conditions(self, arm: Arm) -> tuple[Condition, ...]:
        """The conditions of an arm's pairs."""
        wanted = arm.pair_groups
        return tuple(item for item in self.pair_renderer.conditions if not wanted or item.group in wanted)

    def training_images(self, arm: Arm) -> ImageSet:
        """Return an arm's training images: the clean ones, and for ``add_occluded`` the occluded twins of the pairs."""
        if not arm.add_occluded:
            return self.train
        made = [
            (self.pair_renderer.render(example, condition)[0], int(label), example)
            for example, label in zip(self.pairs.examples, self.pairs.labels, strict=True)
            for condition in self.pair_conditions(arm)
        ]
        pixels = torch.from_numpy(np.stack([image for image, _, _ in made])).permute(0, 3, 1, 2)
        return ImageSet(
            torch.cat([self.train.images, pixels]).contiguous(memory_format=torch.channels_last),
            torch.cat([self.train.labels, torch.tensor([label for _, label, _ in made])]),
            (*self.train.examples, *(example for _, _, example in made)),
        )

    @cached_property
    def occluded_validation(self) -> ImageSet:
        """The validation images, each under one condition whose places are drawn apart from the test's."""
        seed = self.benchmark.split_seed + 1
        renderer = Renderer(self.benchmark.pair_recipe().build_occlusions(), seed)
        pixels, examples = [], []
        for example in self.validation.examples:
            number = stream(seed, "validation", example.key).integer(0, len(renderer.conditions))
            image, _ = renderer.render(example, renderer.conditions[number])
            pixels.append(image)
            examples.append(Example(example.key, image, example.labels))
        return ImageSet(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), self.validation.labels, tuple(examples))


def load_materials(benchmark: Benchmark, source: Source, test_images: int | None = None) -> Materials:
    """Draw the split and decode every image of it.

    Args:
        benchmark: what is compared.
        source: the clean images.
        test_images: at most so many test images, evenly spread over the split's; all by default.

    Raises:
        ConfigError: the source has too few images or classes for the split.
        BrokenImageError: an image of the split cannot be used.
    """
    rule = benchmark.split.test_source
    path = getattr(source, "path", "")
    test_source = source
    if rule is not None:
        test_source = build_plugin(rule.name, "sources", Source, {"path": path, **rule.options})
    labels = [source.labels_of(index)[0] for index in range(len(source))]
    test_labels = None if rule is None else [test_source.labels_of(index)[0] for index in range(len(test_source))]
    split = draw_split(benchmark.split, labels, source.classes, benchmark.split_seed, test_labels)
    test = split.test
    if test_images is not None and test_images < len(test):
        test = tuple(test[number * len(test) // test_images] for number in range(test_images))

    def images(of: Source, indices: tuple[int, ...]) -> ImageSet:
        return load_images(of, indices, benchmark.prepare, split.label_of)

    return Materials(
        benchmark=benchmark,
        split=split,
        train=images(source, split.train),
        validation=images(source, split.validation),
        pairs=images(source, split.pairs),
        test=images(test_source, test),
        renderer=Renderer(benchmark.test_recipe().build_occlusions(), benchmark.split_seed),
        pair_renderer=Renderer(benchmark.pair_recipe().build_occlusions(), benchmark.split_seed),
    )
