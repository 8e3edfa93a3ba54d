"""Where the annotation file and the images of a COCO-style data set lie, as far as that can be told without asking."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from occbench.core.errors import SourceError

__all__ = ["find_annotation_file", "locate_images", "pick_layout"]

_FILES: Final = ("annotations.json", "instances.json")
_FOLDERS: Final = ("JPEGImages", "images", ".")
#: How many listed files are looked for before a folder counts as the wrong one.
_TRIES: Final = 16


def find_annotation_file(root: Path, asked: str, what: str) -> Path:
    """Return the annotation file of a data set.

    Args:
        root: the data set's folder.
        asked: below ``root`` or absolute; empty takes ``annotations.json``, ``instances.json`` or the only JSON file.
        what: the masks it holds, for errors, e.g. ``part masks``.

    Raises:
        SourceError: there is no such folder, or no file that is the one.
    """
    if asked:
        return root / Path(asked).expanduser()
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}. Give the folder of the annotation file and its images.")
    for name in _FILES:
        if (root / name).is_file():
            return root / name
    others = sorted(file for pattern in ("*.json", "annotations/*.json") for file in root.glob(pattern))
    if len(others) == 1:
        return others[0]
    names = ", ".join(file.relative_to(root).as_posix() for file in others[:5])
    raise SourceError(
        f"{root} has {len(others) or 'no'} JSON files{f' ({names})' if others else ''}, and none is called "
        f"{' or '.join(_FILES)}. Name the one with the {what} as annotations."
    )


def locate_images(root: Path, file: Path, names: Sequence[str], asked: str) -> tuple[Path, list[str]]:
    """Return the image folder of a data set, and every listed image's path below it.

    Args:
        root: the data set's folder.
        file: the annotation file, for errors.
        names: of the images, as the file lists them.
        asked: the image folder, below ``root`` or absolute; empty takes ``JPEGImages``, ``images`` or ``root`` itself,
            whichever has them.

    Raises:
        SourceError: none of the images is there, or two are the same.
    """
    folders = [root / Path(asked).expanduser()] if asked else [root / name for name in _FOLDERS]
    for folder in folders:
        if layout := pick_layout(folder, names, (str, lambda name: PurePosixPath(name).name)):
            relatives = [layout(name) for name in names]
            if len(set(relatives)) < len(relatives):
                twice = Counter(relatives).most_common(1)[0][0]
                raise SourceError(f"{file} lists {twice} more than once. List every image once.")
            return folder, relatives
    looked = ", ".join(str(folder) for folder in folders)
    raise SourceError(
        f"none of the {len(names)} images of {file} is there, e.g. {names[0]}; looked in {looked}. "
        "Name the folder they start from as images."
    )


def pick_layout(
    root: Path, names: Sequence[str], layouts: Iterable[Callable[[str], str]]
) -> Callable[[str], str] | None:
    """Return the first layout (listed name -> path below ``root``) under which some of the files are there, or None."""
    tried = names[:: max(1, len(names) // _TRIES)]
    return next((layout for layout in layouts if any((root / layout(name)).is_file() for name in tried)), None)
