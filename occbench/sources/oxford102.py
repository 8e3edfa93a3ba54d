"""Oxford 102 flowers: 102 classes, 8,189 photographs, 40 to 258 a class."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import settle_options
from occbench.sources.class_map import read_classes
from occbench.sources.folder_scan import FoundFile, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files
from occbench.sources.side_files import read_matlab

__all__ = ["Oxford102"]

_CLASS_COUNT: Final = 102
_FILE: Final = re.compile(r"image_(\d{5})\.jpg")
#: split -> variable of ``setid.mat`` with the numbers of its images.
_SPLITS: Final = {"train": "trnid", "validation": "valid", "test": "tstid"}


@dataclass(frozen=True)
class Oxford102(LabelledFileSource):
    """The 102 flower categories of Oxford.

    M.-E. Nilsback, A. Zisserman, "Automated flower classification over a large number of classes", Indian Conference on
    Computer Vision, Graphics and Image Processing, 2008.

    Layout, as published: ``path/jpg/image_00001.jpg`` to ``image_08189.jpg``, ``path/imagelabels.mat`` with the class
    numbers 1 to 102 in that order, and ``path/setid.mat`` with the official splits (needed for one of them only).

    Attributes:
        path: the folder with ``jpg`` and ``imagelabels.mat``.
        split: ``all``, or an official split: ``train``, ``validation``, ``test``.
        classes_file: text with the 102 class names, one a line, in the order of the class numbers; without it the
            classes are called ``1`` to ``102``, because the publication has no file of names.

    Raises:
        ConfigError: no path, or no such split.
        SourceError: on first use: a missing or foreign file, an image without a label.
    """

    terms: ClassVar[str] = "no licence is stated; photographs from the web, for research (Oxford 102 flowers)"
    sharing = "gated"

    path: str
    split: Literal["all", "train", "validation", "test"] = "all"
    classes_file: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("oxford102 needs path: the folder with jpg and imagelabels.mat.")
        settle_options(self)

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        numbers = _matlab_vector(root / "imagelabels.mat", "labels")
        if not numbers.size or not 1 <= numbers.min() <= numbers.max() <= _CLASS_COUNT:
            raise SourceError(
                f"{root / 'imagelabels.mat'} has labels other than 1 to {_CLASS_COUNT}. Download it again."
            )
        wanted = None if self.split == "all" else set(_matlab_vector(root / "setid.mat", _SPLITS[self.split]).tolist())
        files: list[FoundFile] = []
        labels: list[int] = []
        for file in scan_images(root / "jpg"):
            number = _image_number(file.relative, len(numbers), root)
            if wanted is None or number in wanted:
                files.append(file)
                labels.append(int(numbers[number - 1]) - 1)
        if not files:
            raise SourceError(f"{root / 'jpg'} has no image of the split {self.split}. Unpack 102flowers.tgz there.")
        return label_files(root / "jpg", self._names(), files, labels)

    def _names(self) -> list[str]:
        if not self.classes_file:
            return [str(number) for number in range(1, _CLASS_COUNT + 1)]
        names = read_classes(Path(self.classes_file).expanduser())
        if len(names) != _CLASS_COUNT:
            raise SourceError(f"{self.classes_file} has {len(names)} names, needed are {_CLASS_COUNT}, one a line.")
        return names


def _image_number(name: str, count: int, root: Path) -> int:
    """Return the number in an image's name, 1 to ``count``."""
    match = _FILE.fullmatch(name)
    if match is None or not 1 <= int(match[1]) <= count:
        raise SourceError(
            f"{root / 'jpg' / name} is none of the {count} images that imagelabels.mat labels (image_00001.jpg, ...). "
            "Remove it, or read the folder with another source."
        )
    return int(match[1])


def _matlab_vector(file: Path, variable: str) -> NDArray[np.int64]:
    """Return the numbers of a MATLAB vector as int64[N]."""
    return read_matlab(
        file, variable, lambda found: np.asarray(found).astype(np.int64).ravel(), "Download the published file again."
    )
