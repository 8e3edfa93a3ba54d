"""PartImageNet: 24,095 photographs of 158 ImageNet classes with masks of their parts."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from occbench.core.errors import ConfigError
from occbench.core.options import check_different, settle_options
from occbench.core.seeding import stream
from occbench.sources.coco_annotations import CocoImage
from occbench.sources.folder_scan import stat_files, unique_keys
from occbench.sources.imagenet_labels import name_synsets
from occbench.sources.labelled_files import LabelledFiles
from occbench.sources.part_imagenet_files import SPLITS, Split, annotation_file, find_release, read_split, synset_of
from occbench.sources.part_images import PartImages, PartSource, PartUnit, Region

__all__ = ["PartImageNet"]


@dataclass(frozen=True)
class PartImageNet(PartSource):
    """PartImageNet in either release, with its official splits merged.

    J. He et al., "PartImageNet: a large, high-quality dataset of parts", ECCV 2022.

    ``PartImageNet_OOD`` (the first release) has ``train.json`` and ``train/<synset>/<image>``, and the same for ``val``
    and ``test``; its splits share no class, so a classifier of all 158 needs them merged. ``PartImageNet_Seg`` has
    ``annotations/train/train.json`` and ``images/train/<image>``; its splits share the classes. Both hold segments of
    one or two points, which are skipped and counted in ``notes()``. The photographs are ImageNet *training* images:
    test on others, such as the validation images of the same classes (``imagenet`` with ``only_from``).

    Classes are the sorted synsets. Parts are the annotated categories, e.g. ``Quadruped Head``.

    Attributes:
        path: the folder of a release, or the one that contains it.
        splits: official splits to merge.
        images: folder of the images where they are not in the release, e.g. ImageNet's ``ILSVRC/Data/CLS-LOC/train``.
        part_unit: ``category`` makes all regions of a category one part, ``instance`` keeps them apart.
        classes_file: readable names as for ``imagenet``: ``synset_words.txt``, ``LOC_synset_mapping.txt`` or
            ``meta.mat``; without it a class is called by its synset.
        names: of a synset with several names, the ``first`` or ``all``. ``imagenet`` has the same option: give both the
            same files and names, and their classes agree.
        use: ``all`` images, or of every class the ``selection_share`` held out to choose a model by (``selection``) or
            the rest (``train``).
        selection_share: share of every class that is held out, in (0, 1); which images is drawn by ``selection_seed``.
        selection_seed: another seed holds out other images.

    Raises:
        ConfigError: no path, or an option out of its range.
        SourceError: on first use: no release, several, or a part of it missing or broken.
    """

    terms: ClassVar[str] = "images: ImageNet, non-commercial research and education only; annotations: PartImageNet"
    sharing = "gated"

    path: str
    splits: tuple[Literal["train", "val", "test"], ...] = SPLITS
    images: str = ""
    part_unit: PartUnit = "category"
    classes_file: str = ""
    names: Literal["first", "all"] = "first"
    use: Literal["all", "train", "selection"] = "all"
    selection_share: float = 0.05
    selection_seed: int = 0

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("part_imagenet needs path: the folder of PartImageNet_OOD or PartImageNet_Seg.")
        settle_options(self)
        check_different(self, "splits", self.splits)
        if not self.splits:
            raise ConfigError(f"part_imagenet: splits are some of {', '.join(SPLITS)}, found none: name one.")
        if not 0 < self.selection_share < 1:
            raise ConfigError(
                f"part_imagenet: selection_share is a share in (0, 1), found {self.selection_share}: 5 % is 0.05."
            )

    @cached_property
    def _annotated(self) -> PartImages:
        release = find_release(self.path)
        splits: dict[str, Split] = {split: read_split(release, split, self.images) for split in self.splits}
        found, repeated = _merge(release, splits)
        synsets = sorted({item.synset for item in found})
        classes_file = Path(self.classes_file).expanduser() if self.classes_file else None
        classes = name_synsets(synsets, classes_file, first_only=self.names == "first")
        keys = unique_keys([item.file for item in found])
        held_out = self._held_out(found, keys)
        if self.use != "all":
            kept = [index for index in range(len(found)) if (index in held_out) == (self.use == "selection")]
            found, keys = [found[index] for index in kept], tuple(keys[index] for index in kept)
        label_of = {synset: (label,) for label, synset in enumerate(synsets)}
        folder = next(iter(splits.values())).folder
        return PartImages(
            files=LabelledFiles(
                folder,
                tuple(classes),
                tuple(stat_files(folder, (item.relative for item in found))),
                tuple(label_of[item.synset] for item in found),
                keys,
            ),
            sizes=tuple((item.image.width, item.image.height) for item in found),
            regions=tuple(item.regions for item in found),
            unlabelled={},
            digests=tuple(split.annotations.sha256 for split in splits.values()),
            skipped=sum((Counter(split.annotations.skipped) for split in splits.values()), Counter()),
            remarks=(f"{repeated} images are listed in two splits and taken once.",) if repeated else (),
        )

    def _held_out(self, found: "list[_Found]", keys: tuple[str, ...]) -> set[int]:
        """Return the indices held out for selection: of every class the share, rounded to whole images."""
        of_class: dict[str, list[int]] = {}
        for index, item in enumerate(found):
            of_class.setdefault(item.synset, []).append(index)
        chosen: set[int] = set()
        for synset, members in of_class.items():
            members.sort(key=keys.__getitem__)
            order = stream(self.selection_seed, "part_imagenet", synset, "selection").permutation(len(members))
            chosen.update(members[place] for place in order[: round(self.selection_share * len(members))].tolist())
        return chosen


@dataclass(frozen=True, slots=True)
class _Found:
    file: str
    relative: str
    synset: str
    image: CocoImage
    regions: tuple[Region, ...]


def _merge(release: Path, splits: dict[str, Split]) -> "tuple[list[_Found], int]":
    """Return the images of all splits by file name, and how many are left out because another split lists them too."""
    merged: dict[str, _Found] = {}
    count = 0
    for name, split in splits.items():
        file = annotation_file(release, name) or release
        part_of = {number: category.name or str(number) for number, category in split.annotations.categories.items()}
        count += len(split.annotations.images)
        for image in split.annotations.images:
            base = image.file_name.rpartition("/")[2]
            regions = tuple(Region(part_of[annotation.category], annotation) for annotation in image.annotations)
            found = _Found(base, split.layout(image.file_name), synset_of(file, image.file_name), image, regions)
            merged.setdefault(base, found)
    return [merged[base] for base in sorted(merged)], count - len(merged)
