"""Where the two releases of PartImageNet keep their annotations and images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from occbench.core.errors import SourceError
from occbench.sources.coco_annotations import CocoAnnotations, read_annotations
from occbench.sources.coco_layout import pick_layout
from occbench.sources.imagenet_labels import SYNSET_PATTERN

__all__ = ["SPLITS", "Split", "annotation_file", "find_release", "part_synsets", "read_split", "synset_of"]

SPLITS: Final = ("train", "val", "test")
_RELEASES: Final = "PartImageNet*"
#: ``_OOD`` has the files in its folder, ``_Seg`` in a folder of each split, beside one mask a photograph.
_ANNOTATIONS: Final = ("{split}.json", "annotations/{split}.json", "annotations/{split}/{split}.json")


@dataclass(frozen=True)
class Split:
    """One split as released.

    Attributes:
        annotations: of its images.
        layout: listed file name -> path below the image folder.
        folder: the image folder.
    """

    annotations: CocoAnnotations
    layout: Callable[[str], str]
    folder: Path


def find_release(path: str) -> Path:
    """Return the folder of the release at ``path``: itself, or the one release that it holds, at most two levels down.

    Raises:
        SourceError: none or several, or no such folder.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise SourceError(f"there is no folder {root}. Give the folder of PartImageNet_OOD or PartImageNet_Seg.")
    for level in ([root], sorted(root.glob(_RELEASES)), sorted(root.glob(f"{_RELEASES}/{_RELEASES}"))):
        found = [folder for folder in level if any(annotation_file(folder, split) for split in SPLITS)]
        if len(found) > 1:
            names = " and ".join(folder.name for folder in found)
            raise SourceError(f"{root} holds {names}. Give the folder of one of them: they are the same photographs.")
        if found:
            return found[0]
    raise SourceError(
        f"{root} holds no train.json, val.json or test.json of PartImageNet, neither in annotations. "
        "Give the folder of the unpacked release."
    )


def annotation_file(release: Path, split: str) -> Path | None:
    """Return the annotation file of a split, or None."""
    files = [release / pattern.format(split=split) for pattern in _ANNOTATIONS]
    return next((file for file in files if file.is_file()), None)


def read_split(release: Path, split: str, images: str) -> Split:
    """Read one split.

    Args:
        release: its folder.
        split: ``train``, ``val`` or ``test``.
        images: the folder of the images where they are not in the release (ImageNet's own training folder will do).

    Raises:
        SourceError: its annotation file is missing or broken, or its images are nowhere.
    """
    file = annotation_file(release, split)
    if file is None:
        raise SourceError(f"{release} has no {split}.json. Unpack the whole release, or leave {split} out of splits.")
    annotations = read_annotations(file)
    names = [image.file_name for image in annotations.images]
    if not names:
        raise SourceError(f"{file} lists no images. Unpack the release again.")
    folder = release / Path(images).expanduser() if images else release
    layout = pick_layout(folder, names, _layouts(split))
    if layout is None:
        raise SourceError(
            f"none of the {len(names)} images of {file} is in {folder}, e.g. {names[0]}. Unpack {split}.zip there, "
            "or give the folder of the images as images."
        )
    return Split(annotations, layout, folder)


def synset_of(file: Path, name: str) -> str:
    """Return the synset that an image's file name starts with.

    Raises:
        SourceError: it starts with none.
    """
    if found := SYNSET_PATTERN.match(_base(name)):
        return found[0]
    raise SourceError(
        f"{file} lists {name[:60]!r}, which does not start with a synset such as n01440764. "
        "Give the annotation files of PartImageNet; coco_parts reads others."
    )


def part_synsets(path: str) -> tuple[str, ...]:
    """Return the synsets of a release, sorted: 158 in the whole of either.

    Raises:
        SourceError: as ``find_release``; a file is broken or lists images without synsets.
    """
    release = find_release(path)
    files = [file for split in SPLITS if (file := annotation_file(release, split))]
    return tuple(
        sorted({synset_of(file, image.file_name) for file in files for image in read_annotations(file).images})
    )


def _layouts(split: str) -> Iterator[Callable[[str], str]]:
    """Yield where the image of a listed name may be, the releases' own ways first."""
    for before in (f"{split}/", f"images/{split}/", "JPEGImages/", "images/", ""):
        for pattern in ("{before}{synset}/{name}", "{before}{name}"):
            yield partial(_place, pattern, before)


def _place(pattern: str, before: str, name: str) -> str:
    base = _base(name)
    return pattern.format(before=before, synset=base.partition("_")[0], name=base)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
