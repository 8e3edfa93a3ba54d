"""AR faces: people photographed plain, in sunglasses and in a scarf, in two sessions; the occlusion is real."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import check_different, settle_options
from occbench.core.types import Example
from occbench.sources.decode import decode_image
from occbench.sources.folder_scan import FoundFile, fingerprint_files, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, label_files

__all__ = ["PHOTOGRAPHS", "PICTURES", "ARFaces"]

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
#: Light on the pictures of an occlusion, in their order; a side light leaves half of the face in shadow.
_LIGHTS: Final = ("even", "left", "right")
#: What a plain picture's person was photographed in, in the same session: condition name -> its place in the session.
PHOTOGRAPHS: Final[Mapping[str, tuple[str, int]]] = {
    f"{worn}-{light}": (worn, place) for worn in ("sunglasses", "scarf") for place, light in enumerate(_LIGHTS)
}


@dataclass(frozen=True)
class ARFaces(LabelledFileSource):
    """The AR face database; every person is a class.

    A. M. Martinez, R. Benavente, "The AR face database", CVC technical report 24, 1998; the set of 100 people (50 men,
    50 women) with cropped faces: A. M. Martinez, A. C. Kak, "PCA versus LDA", IEEE PAMI 23(2), 2001.

    Layout: images called ``m-001-01.bmp`` at any depth below the folder: sex (``m`` man; ``w`` or ``f`` woman), person,
    picture 1 to 26; leading zeros and case do not matter. ``PICTURES`` says what each picture shows: 1 to 13 are of the
    first session, 14 to 26 of the second. The published RAW files must be converted to images first.

    A plain picture's ``Example.photographs`` are those of its person in sunglasses and a scarf, in the same session:
    ``sunglasses-even``, ``sunglasses-left`` (light from the left), ``sunglasses-right``, ``scarf-even``, ...; whichever
    of them are in the folder, whatever ``pictures`` says. The two are different photographs, so more than the occluded
    pixels differ.

    Attributes:
        path: the folder that holds the images.
        pictures: numbers of the pictures to use; empty means all.

    Raises:
        ConfigError: no path, or a picture that is not 1 to 26 or listed twice.
        SourceError: on first use: a missing folder, a file with another name, two files of one picture, none to use.
    """

    terms: ClassVar[str] = "research only, not to be passed on; ask the database's owner for access (AR face database)"
    sharing = "never"

    path: str
    pictures: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("ar_faces needs path: the folder that holds the images.")
        settle_options(self)
        if odd := [picture for picture in self.pictures if not 1 <= picture <= _LAST_PICTURE]:
            raise ConfigError(f"ar_faces has pictures 1 to {_LAST_PICTURE}, found {odd[0]}: name some of these.")
        check_different(self, "pictures", self.pictures)

    def __getitem__(self, index: int) -> Example:
        """Decode image ``index``; its photographs are decoded when they are asked for."""
        return replace(super().__getitem__(index), photographs=self._photographs(index))

    @property
    def fingerprint(self) -> str:
        """A hash of all images in the folder, those in ``photographs`` too, and of which of them are used."""
        return fingerprint([fingerprint_files(self._found), sorted(self.pictures)])

    def _photographs(self, index: int) -> dict[str, Callable[[], NDArray[np.uint8]]]:
        person, picture = _person_and_picture(self._images.files[index].relative)
        session = next((name[-1] for name, numbers in PICTURES.items() if picture in numbers and "plain" in name), None)
        if session is None:
            return {}
        root, found = self._images.root, dict[str, Callable[[], NDArray[np.uint8]]]()
        for name, (worn, place) in PHOTOGRAPHS.items():
            if (file := self._named.get((person, PICTURES[f"{worn}-{session}"][place]))) is not None:
                found[name] = partial(decode_image, root / file.relative, file.relative)
        return found

    @cached_property
    def _found(self) -> tuple[FoundFile, ...]:
        return scan_images(Path(self.path).expanduser())

    @cached_property
    def _named(self) -> dict[tuple[str, int], FoundFile]:
        """(person, picture) -> file, of all pictures in the folder."""
        named: dict[tuple[str, int], FoundFile] = {}
        for file in self._found:
            place = _person_and_picture(file.relative)
            if place in named:
                raise SourceError(
                    f"{self.path} has picture {place[1]} of {place[0]} twice: {named[place].relative} and "
                    f"{file.relative}. Remove one."
                )
            named[place] = file
        return named

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        wanted = sorted(place for place in self._named if not self.pictures or place[1] in self.pictures)
        if not wanted:
            raise SourceError(
                f"{root} has none of the pictures asked for. Give the folder with m-001-01.bmp and so on."
            )
        people = list(dict.fromkeys(person for person, _ in wanted))
        label_of = {person: label for label, person in enumerate(people)}
        labels = [label_of[person] for person, _ in wanted]
        return label_files(root, people, [self._named[place] for place in wanted], labels)


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
