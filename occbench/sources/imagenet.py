"""ImageNet (ILSVRC2012): 1000 WordNet synsets, 1,281,167 training and 50,000 validation images."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import check_different, settle_options
from occbench.sources.folder_scan import folders_in, scan_images
from occbench.sources.imagenet_labels import SYNSET_PATTERN, name_synsets, read_labels, read_synset_list
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, files_by_class_folder, label_files
from occbench.sources.part_imagenet_files import part_synsets

__all__ = ["ImageNet"]


@dataclass(frozen=True)
class ImageNet(LabelledFileSource):
    """ILSVRC2012, training or validation part, in any of the layouts it is found in.

    O. Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 115, 2015.

    Layouts: class folders ``path/n01440764/*.JPEG``; or ``path/ILSVRC2012_val_*.JPEG`` without folders, with the
    labels in ``labels_file``. Labels follow the sorted synsets, the order of published classifiers; with a subset,
    the sorted synsets of the subset.

    Attributes:
        path: the folder of one part, e.g. ``ILSVRC/Data/CLS-LOC/train``.
        labels_file: only without class folders: ``LOC_val_solution.csv``, a text file with an image name and a synset
            a line, or ``ILSVRC2012_validation_ground_truth.txt`` (then ``classes_file`` must be the development kit's
            ``meta.mat``, or text with a synset and its ILSVRC2012_ID a line).
        classes_file: readable names, ``synset_words.txt``, ``LOC_synset_mapping.txt`` or ``meta.mat``; without it a
            class is called by its synset. A name that two synsets share gets the synset added.
        only: the synsets to use, in any order; empty means all.
        only_from: instead of ``only``, a text file of the synsets to use, one a line, or the folder of PartImageNet,
            whose 158 classes are used.
        names: of a synset with several names in ``classes_file``, ``all`` or the ``first``.

    Raises:
        ConfigError: no path, both ``only`` and ``only_from``, or in ``only`` a non-synset or a synset twice.
        SourceError: on first use: a missing folder or file, images without labels, a synset without images.
    """

    terms: ClassVar[str] = "non-commercial research and education only (ImageNet terms of access)"
    sharing = "gated"

    path: str
    labels_file: str = ""
    classes_file: str = ""
    only: tuple[str, ...] = ()
    only_from: str = ""
    names: Literal["all", "first"] = "all"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("imagenet needs path: the folder of the training or validation images.")
        if self.only and self.only_from:
            raise ConfigError("imagenet was given both only and only_from. Give one of them.")
        settle_options(self)
        if odd := [synset for synset in self.only if not SYNSET_PATTERN.fullmatch(synset)]:
            raise ConfigError(f"imagenet has {odd[0]!r} in only, which is not a synset such as n01440764.")
        check_different(self, "only", self.only)

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        folders = folders_in(root)
        synsets = [name for name in folders if SYNSET_PATTERN.fullmatch(name)]
        if synsets and self.labels_file:
            raise SourceError(f"{root} has class folders, which give the labels. Leave labels_file empty.")
        if synsets:
            wanted = self._wanted(synsets, root)
            return files_by_class_folder(root, wanted, self._names(wanted))
        return self._flat(root, folders)

    def _flat(self, root: Path, folders: Sequence[str]) -> LabelledFiles:
        """Label the images that lie directly in ``root`` by ``labels_file``."""
        files = [file for file in scan_images(root) if "/" not in file.relative]
        if not files:
            inside = f" It holds {', '.join(folders[:5])}: give the folder of one part." if folders else ""
            raise SourceError(f"{root} has neither synset folders (n01440764, ...) nor images.{inside}")
        if not self.labels_file:
            raise SourceError(
                f"{root} has {len(files)} images without class folders, and labels_file is empty. "
                "Give LOC_val_solution.csv, or a text file with an image name and a synset a line, as labels_file."
            )
        synset_of = read_labels(Path(self.labels_file).expanduser(), self._classes_path)
        if unlabelled := [file.relative for file in files if Path(file.relative).stem not in synset_of]:
            raise SourceError(
                f"{self.labels_file} has no label for {len(unlabelled)} of {len(files)} images in {root}, "
                f"e.g. {unlabelled[0]}. Give the labels of these images."
            )
        synsets = [synset_of[Path(file.relative).stem] for file in files]
        wanted = self._wanted(set(synsets), root)
        label_of = {synset: label for label, synset in enumerate(wanted)}
        kept = [(file, label_of[synset]) for file, synset in zip(files, synsets, strict=True) if synset in label_of]
        return label_files(root, self._names(wanted), [file for file, _ in kept], [label for _, label in kept])

    def _wanted(self, available: Collection[str], root: Path) -> list[str]:
        """Return the synsets to use, sorted: their places are the labels."""
        only = self.only or self._listed
        if missing := sorted(set(only).difference(available)):
            raise SourceError(
                f"{len(missing)} of the {len(only)} synsets asked for have no image in {root}, e.g. {missing[0]}. "
                "Ask for synsets that are there."
            )
        return sorted(only or available)

    @property
    def _listed(self) -> tuple[str, ...]:
        """The synsets that ``only_from`` lists; none without it."""
        if not self.only_from:
            return ()
        listed = Path(self.only_from).expanduser()
        return part_synsets(self.only_from) if listed.is_dir() else read_synset_list(listed)

    def _names(self, synsets: Sequence[str]) -> list[str]:
        return name_synsets(synsets, self._classes_path, first_only=self.names == "first")

    @property
    def _classes_path(self) -> Path | None:
        return Path(self.classes_file).expanduser() if self.classes_file else None
