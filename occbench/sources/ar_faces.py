"""AR faces: people photographed plain, in sunglasses and in a scarf, in two sessions; the occlusion is real."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.folder_scan import FoundFile, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files

__all__ = ["PICTURES", "ARFaces"]

_NAME: Final = re.compile(r"([mwf])-(\d{1,3})-(\d{1,2})", re.IGNORECASE)
_LAST_PICTURE: Final = 26
#: What the pictures of a person show, by their number; those of an occlusion differ by the light: even, left, right.
PICTURES: Final[Mapping[str, tuple[int, ...]]] = {
    "plain-1": (1, 2, 3, 4, 5, 6, 7),
    "sunglasses-1": (8, 9, 10),
    "scarf-1": (11, 12, 13),
    "plain-2": (14, 15, 16, 17, 18, 19, 20),
    "sunglasses-2": (21, 22, 23),
    "scarf-2": (24, 25, 26),
}


@dataclass(frozen=True)
class ARFaces(LabelledFileSource):
    """The AR face database; every person is a class.

    A. M. Martinez, R. Benavente, "The AR face database", CVC technical report 24, 1998; the set of 100 people (50 men,
    50 women) with cropped faces: A. M. Martinez, A. C. Kak, "PCA versus LDA", IEEE PAMI 23(2), 2001.

    Layout: images called ``m-001-01.bmp`` at any depth below the folder: sex (``m`` man; ``w`` or ``f`` woman), person,
    picture 1 to 26; leading zeros and case do not matter. ``PICTURES`` says what each picture shows: 1 to 13 are of the
    first session, 14 to 26 of the second. The published RAW files must be converted to images first.

    Attributes:
        path: the folder that holds the images.
        pictures: numbers of the pictures to use; empty means all.

    Raises:
        ConfigError: no path, or a picture that is not 1 to 26 or listed twice.
        SourceError: on first use: a missing folder, a file with another name, two files of one picture, none to use.
    """

    terms: ClassVar[str] = "research only, not to be passed on; ask the database's owner for access (AR face database)"

    path: str
    pictures: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("ar_faces needs path: the folder that holds the images.")
        for picture in self.pictures:
            if not 1 <= picture <= _LAST_PICTURE or self.pictures.count(picture) > 1:
                raise ConfigError(f"ar_faces has pictures 1 to {_LAST_PICTURE}, each listed once; found {picture}.")

    def picture(self, index: int) -> int:
        """Return which picture of its person image ``index`` is, 1 to 26.

        Raises:
            IndexError: no such index.
        """
        self.key(index)  # a negative index would silently count from the end
        return self._shown[index]

    def pairs(self, person: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Return the real pairs of a person: (clean image, its occluded ones), all of the first session.

        Every plain picture is paired with every one in sunglasses or a scarf: 7 times 6 where none is missing [Cen et
        al., section 4.2]. The two are different photographs, so more than the occluded pixels differ.

        Args:
            person: the person's label.
        """
        own = [index for index, label in enumerate(self._images.labels) if label == person]
        clean = [index for index in own if self._shown[index] in PICTURES["plain-1"]]
        hidden = {*PICTURES["sunglasses-1"], *PICTURES["scarf-1"]}
        occluded = tuple(index for index in own if self._shown[index] in hidden)
        return tuple((index, occluded) for index in clean)

    @cached_property
    def _shown(self) -> tuple[int, ...]:
        """Which picture every image is."""
        return tuple(_person_and_picture(file.relative)[1] for file in self._images.files)

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        scan = scan_images(root)
        named: dict[tuple[str, int], FoundFile] = {}
        for file in scan.files:
            place = _person_and_picture(file.relative)
            if place in named:
                raise SourceError(
                    f"{root} has picture {place[1]} of {place[0]} twice: {named[place].relative} and {file.relative}. "
                    "Remove one."
                )
            named[place] = file
        wanted = sorted(place for place in named if not self.pictures or place[1] in self.pictures)
        if not wanted:
            raise SourceError(
                f"{root} has none of the pictures asked for. Give the folder with m-001-01.bmp and so on."
            )
        people = list(dict.fromkeys(person for person, _ in wanted))
        label_of = {person: label for label, person in enumerate(people)}
        labels = [label_of[person] for person, _ in wanted]
        return label_files(root, people, [named[place] for place in wanted], labels, scan.ignored)


def _person_and_picture(relative: str) -> tuple[str, int]:
    name = relative.rpartition("/")[2].rpartition(".")[0]
    match = _NAME.fullmatch(name)
    if match is None or not 1 <= int(match[3]) <= _LAST_PICTURE:
        raise SourceError(
            f"{relative} is not called as the AR face database calls its images (m-001-01.bmp: sex, person, picture 1 "
            f"to {_LAST_PICTURE}). Remove it from the folder."
        )
    sex = "m" if match[1].lower() == "m" else "w"
    return f"{sex}-{int(match[2]):03d}", int(match[3])
