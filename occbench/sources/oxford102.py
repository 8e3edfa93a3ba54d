"""Oxford 102 flowers: 102 classes, 8,189 photographs, 40 to 258 a class."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.folder_scan import FoundFile, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        names_file: text with the 102 class names, one a line, in the order of the class numbers; without it the classes
            are called ``1`` to ``102``, because the publication has no file of names.

    Raises:
        ConfigError: no path, or no such split.
        SourceError: on first use: a missing or foreign file, an image without a label.
    """

    terms: ClassVar[str] = "no licence is stated; photographs from the web, for research (Oxford 102 flowers)"
    sharing = "gated"

    path: str
    split: str = "all"
    names_file: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("oxford102 needs path: the folder with jpg and imagelabels.mat.")
        if self.split not in ("all", *_SPLITS):
            raise ConfigError(f"oxford102 has no split {self.split!r}. Choose one of all, {', '.join(_SPLITS)}.")

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        numbers = _matlab_vector(root / "imagelabels.mat", "labels")
        if not numbers.size or not 1 <= numbers.min() <= numbers.max() <= _CLASS_COUNT:
            raise SourceError(
                f"{root / 'imagelabels.mat'} has labels other than 1 to {_CLASS_COUNT}. Download it again."
            )
        scan = scan_images(root / "jpg")
        wanted = None if self.split == "all" else set(_matlab_vector(root / "setid.mat", _SPLITS[self.split]).tolist())
        files: list[FoundFile] = []
        labels: list[int] = []
        for file in scan.files:
            number = _image_number(file.relative, len(numbers), root)
            if wanted is None or number in wanted:
                files.append(file)
                labels.append(int(numbers[number - 1]) - 1)
        if not files:
            raise SourceError(f"{root / 'jpg'} has no image of the split {self.split}. Unpack 102flowers.tgz there.")
        return label_files(root / "jpg", self._names(), files, labels, scan.ignored)

    def _names(self) -> tuple[str, ...]:
        if not self.names_file:
            return tuple(str(number) for number in range(1, _CLASS_COUNT + 1))
        file = Path(self.names_file).expanduser()
        try:
            names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"the names file {file} cannot be read as text. Give {_CLASS_COUNT} lines.") from error
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise SourceError(f"{file} has the name {twice[0]} more than once. Give every class a name of its own.")
        if len(names) != _CLASS_COUNT:
            raise SourceError(f"{file} has {len(names)} names, needed are {_CLASS_COUNT}, one a line.")
        return tuple(names)


def _image_number(name: str, count: int, root: Path) -> int:
    """Return the number in an image's name, 1 to ``count``."""
    match = _FILE.fullmatch(name)
    if match is None or not 1 <= int(match[1]) <= count:
        raise SourceError(
            f"{root / 'jpg' / name} is none of the {count} images that imagelabels.mat labels (image_00001.jpg, ...). "
            "Remove it, or read the folder with another source."
        )
    return int(match[1])


def _matlab_vector(file: Path, variable: str) -> "NDArray[np.int64]":
    """Return the numbers of a MATLAB vector as int64[N]."""
    from scipy.io import loadmat  # here, because only this format needs it
    from scipy.io.matlab import MatReadError

    if not file.is_file():
        raise SourceError(f"there is no {file}. Put {file.name} of the published dataset there.")
    try:
        vector: NDArray[np.int64] = loadmat(file)[variable].astype("int64").ravel()
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (MatReadError, LookupError, ValueError, TypeError) as error:
        raise SourceError(
            f"{file} is not the {file.name} of Oxford 102 flowers: {error}. Download it again."
        ) from error
    return vector
