"""Everything a benchmark trains and tests on, loaded once and shared by its cells."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from occbench.bench.images.image_split import draw_image_split
from occbench.bench.images.images import ImageSet, load_images
from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.images.splits import Split, draw_split
from occbench.bench.images.twins import occluded_twins
from occbench.bench.protocol.benchmark import Arm, Benchmark
from occbench.bench.protocol.twin_family import twin_family
from occbench.core.build import build_plugin
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Source
from occbench.core.seeding import stream
from occbench.core.tasks import Task
from occbench.core.types import CLEAN, Condition, Example
from occbench.data.config import PluginSpec
from occbench.data.render import Renderer

__all__ = ["Materials", "load_materials", "test_source_of"]


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
        origin: fingerprint of the sources that the split's indices count in.
    """

    benchmark: Benchmark
    split: Split
    train: ImageSet
    validation: ImageSet
    pairs: ImageSet
    test: ImageSet
    renderer: Renderer
    pair_renderer: Renderer
    origin: str
    _twin_sets: dict[str, ImageSet] = field(default_factory=dict, repr=False)

    @property
    def task(self) -> Task:
        """What labels mean."""
        return self.train.task

    @property
    def fingerprint(self) -> str:
        """A hash of which images are trained, validated, paired and tested on."""
        return fingerprint([self.origin, self.split.fingerprint, list(self.test.keys)])

    def split_keys(self) -> dict[str, list[str]]:
        """Return which images were used for what, by key, and the head's classes: the split as a run publishes it."""
        sets = {"train": self.train, "validation": self.validation, "pairs": self.pairs, "test": self.test}
        return {"classes": list(self.split.classes)} | {name: list(images.keys) for name, images in sets.items()}

    @property
    def test_conditions(self) -> tuple[Condition, ...]:
        """The test columns, ``clean`` first where it is one."""
        return (*((CLEAN,) if self.benchmark.clean_column else ()), *self.renderer.conditions)

    def pair_conditions(self, arm: Arm) -> tuple[Condition, ...]:
        """The conditions of an arm's pairs.

        Raises:
            ConfigError: the arm names a condition group that there is not.
        """
        wanted = arm.pair_groups
        known = {item.group: None for item in self.pair_renderer.conditions}
        if unknown := [group for group in wanted if group not in known]:
            raise ConfigError(
                f"pair_groups asks for {unknown[0]}, the pairs have the groups {', '.join(known)}. Use some of these."
            )
        return tuple(item for item in self.pair_renderer.conditions if not wanted or item.group in wanted)

    def training_images(self, arm: Arm) -> ImageSet:
        """Return an arm's training images: the clean ones, and the occluded ones that the arm adds to them.

        Raises:
            ConfigError: ``add_occluded`` where the pairs are of classes that the head does not have; twins of a family
                that can occlude no image.
        """
        added = [self._occluded_pairs(arm)] if arm.add_occluded else []
        if (family := arm.twin_family) is not None:
            added.append(self._twins(family))
        images = self.train
        for one in added:
            images = images.joined(one)
        return images

    def _occluded_pairs(self, arm: Arm) -> ImageSet:
        """Return the pairs' images under each of their conditions (arms F of Cen et al.)."""
        if (self.pairs.labels < 0).any():
            raise ConfigError(
                "add_occluded trains on the occluded images of the pairs, and the exclusive protocol keeps their "
                "classes out of training. Use protocol: inclusive, or take add_occluded out of the arm."
            )
        cells = self._distinct_cells(self.pair_conditions(arm))
        twins = (self._twin(self.pairs.examples[row], condition) for row, condition in cells)
        return ImageSet.of(twins, self.pairs.labels[[row for row, _ in cells]])

    def _distinct_cells(self, conditions: Sequence[Condition]) -> list[tuple[int, Condition]]:
        """Return (pair, condition) of every occluded image: one that several pairs have in common is there once.

        That happens with photographs alone: a person's plain pictures are all paired with the same one in a scarf.
        """
        cells, found = [], set()
        for row, example in enumerate(self.pairs.examples):
            for condition in conditions:
                if self.pair_renderer.per_image(condition):
                    pixels, _ = self.pair_renderer.render(example, condition)
                    content = (hashlib.sha256(pixels.tobytes()).digest(), self.pairs.labels[row].numpy().tobytes())
                    if content in found:
                        continue
                    found.add(content)
                cells.append((row, condition))
        return cells

    def _twin(self, example: Example, condition: Condition) -> Example:
        image, _ = self.pair_renderer.render(example, condition)
        # a key of its own, because activations are kept under keys
        return Example(
            f"{example.key}-{condition.name}",
            image,
            example.labels,
            example.object_mask,
            example.parts,
            class_names=example.class_names,
        )

    def _twins(self, family: PluginSpec) -> ImageSet:
        """Return the twins of all training images, made once for all cells."""
        name = family.model_dump_json()
        if name not in self._twin_sets:
            player = twin_family(family, self.benchmark.prepare)
            self._twin_sets[name] = occluded_twins(self.train, player, self.benchmark.split_seed)
        return self._twin_sets[name]

    @cached_property
    def occluded_validation(self) -> ImageSet:
        """The validation images, each under one condition whose places are drawn apart from the test's."""
        seed = self.benchmark.split_seed + 1
        renderer = self.pair_renderer.with_seed(seed)
        examples = []
        for example in self.validation.examples:
            number = stream(seed, "validation", example.key).integer(0, len(renderer.conditions))
            image, _ = renderer.render(example, renderer.conditions[number])
            examples.append(Example(example.key, image, example.labels, example.object_mask, example.parts))
        return ImageSet.of(examples, self.validation.labels)

    def decode(self) -> None:
        """Decode all images now, so that a broken one is found before hours of training; the second call does nothing.

        Raises:
            BrokenImageError: an image of the split cannot be used.
            StorageError: there is no space for them.
        """
        for images in (self.pairs, self.test, self.validation, self.train):  # the large one last
            _ = images.images.arrays


def test_source_of(benchmark: Benchmark, source: Source) -> Source:
    """Return the source of the test images, which is that of the training images where the split names no other.

    Raises:
        ConfigError: it has other classes than the training source.
    """
    rule = benchmark.split.test_source
    if rule is None:
        return source
    found = build_plugin(rule.name, "sources", Source, {"path": getattr(source, "path", ""), **rule.options})
    if list(found.classes) != list(source.classes):
        raise ConfigError(
            f"the test source {rule.name} has other classes than the training source, or another order of them "
            f"({len(found.classes)} and {len(source.classes)}): labels would mean other things. Give both the same "
            "classes."
        )
    return found


test_source_of.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever its name


def load_materials(
    benchmark: Benchmark, source: Source, test_images: int | None = None, store: PixelStore | None = None
) -> Materials:
    """Draw the split; images are decoded when they are first needed, or by ``Materials.decode``.

    Args:
        benchmark: what is compared.
        source: the clean images.
        test_images: at most so many test images, evenly spread over the split's; all by default.
        store: where decoded images live; in memory by default.

    Raises:
        ConfigError: the source has too few images or classes for the split, or the test source has other classes.
    """
    kept = store or PixelStore()
    test_source = test_source_of(benchmark, source)
    split = _split(benchmark, source, test_source)
    test = split.test
    if benchmark.split.leave_pairs_out:
        paired = {source.key(index) for index in split.pairs}
        test = tuple(index for index in test if test_source.key(index) not in paired)
    if test_images is not None and test_images < len(test):
        test = tuple(test[number * len(test) // test_images] for number in range(test_images))

    def images(of: Source, indices: tuple[int, ...]) -> ImageSet:
        return load_images(of, indices, benchmark.prepare, split.label_of, kept)

    train = images(source, split.train)
    if source.multi_label and benchmark.labels.training == "absent":
        train = replace(train, labels=train.labels.nan_to_num(0.0))
    return Materials(
        benchmark=benchmark,
        split=split,
        train=train,
        validation=images(source, split.validation),
        pairs=images(source, split.pairs),
        test=images(test_source, test),
        renderer=Renderer(benchmark.test_recipe().build_occlusions(test_source), benchmark.split_seed),
        pair_renderer=Renderer(benchmark.pair_recipe().build_occlusions(source), benchmark.split_seed),
        origin=fingerprint([source.fingerprint, test_source.fingerprint]),
    )


def _split(benchmark: Benchmark, source: Source, test_source: Source) -> Split:
    """Draw the split: class by class, or image by image where images have several labels."""
    rule, seed = benchmark.split, benchmark.split_seed
    apart = rule.test_source is not None
    if source.multi_label != test_source.multi_label:
        raise ConfigError("of the training and the test source one has several labels an image: give two of one kind.")
    if source.multi_label:
        return draw_image_split(rule, len(source), source.classes, seed, len(test_source) if apart else None)
    if rule.test_share is not None:
        raise ConfigError(
            "split.test_share is for images with several labels: set split.train_per_class and split.test_per_class."
        )
    labels = [source.labels_of(index)[0] for index in range(len(source))]
    test_labels = [test_source.labels_of(index)[0] for index in range(len(test_source))] if apart else None
    return draw_split(rule, labels, source.classes, seed, test_labels)
