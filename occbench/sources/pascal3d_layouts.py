"""How the releases of occluded PASCAL3D+ objects and COCO vehicles name their lists, folders and files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from occbench.core.errors import ConfigError

__all__ = ["CLASSES", "TYPES", "VEHICLES", "Layout", "find_layout", "occluded_folders"]

CLASSES: Final = (
    "aeroplane", "bicycle", "boat", "bottle", "bus", "car",
    "chair", "diningtable", "motorbike", "sofa", "train", "tvmonitor",
)  # fmt: skip
#: Those that have occluded images.
VEHICLES: Final = ("aeroplane", "bicycle", "bus", "car", "motorbike", "train")
_LEVELS: Final = ("zero", "one", "five", "nine")
#: type -> what the folder's name ends in.
TYPES: Final[Mapping[str, str]] = {"white": "_white", "noise": "_noise", "texture": "_texture", "object": ""}
_FOREGROUND_BACKGROUND: Final = re.compile(r"FGL([1-3])_?BGL([1-3])", re.IGNORECASE)
#: Occluded versions are listed by the image's name and the object's number, clean ones go by the image's name.
_NUMBER_CHARACTERS: Final = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one release keeps the images of one split and level.

    Attributes:
        folder: of the release, if it has one; all else is below it.
        lists: path of a class's list; ``{name}`` stands for the class.
        images: path of a listed image; ``{name}`` for the class, ``{file}`` for what the list says.
        drop: characters at the end of what the list says that the file's name has not.
        has_types: whether there is a folder for each type of occluder.
        annotations: path of a listed image's annotation; empty where there is none.
    """

    folder: str
    lists: str
    images: str
    drop: int = 0
    has_types: bool = False
    annotations: str = ""

    def list_file(self, name: str) -> str:
        """Return the path of a class's list."""
        return self.lists.format(name=name)

    def image_file(self, name: str, listed: str) -> str:
        """Return the path of an image, as its class's list calls it."""
        return self.images.format(name=name, file=listed[: len(listed) - self.drop])

    def annotation_file(self, name: str, listed: str) -> str:
        """Return the path of an image's annotation."""
        return self.annotations.format(name=name, file=listed)


def find_layout(data: str, split: str, level: str, occluder: str) -> Layout:
    """Return the layout of a release, split, level and type of occluder.

    Raises:
        ConfigError: the release has no such level or split.
    """
    if data == "detection":
        return _detection(split, level)
    if level not in _LEVELS:
        raise ConfigError(f"pascal3d: {data} has the levels {', '.join(_LEVELS)}, found {level!r}. Choose one of them.")
    if split == "train" and level != "zero":
        raise ConfigError(f"pascal3d: {data} has no images to train on at level {level}. Use zero.")
    return _coco(split, level) if data == "coco" else _classification(split, level, occluder)


def occluded_folders(name: str) -> dict[str, str]:
    """Return condition -> folder of a class's occluded versions: ``l1-white`` to ``l3-object``, as in ``levels``."""
    return {
        f"l{number}-{kind}": f"{name}LEVEL{level.upper()}{suffix}"
        for number, level in enumerate(_LEVELS[1:], start=1)
        for kind, suffix in TYPES.items()
    }


def _detection(split: str, level: str) -> Layout:
    asked = _FOREGROUND_BACKGROUND.fullmatch(level)
    if asked is None or split != "test":
        raise ConfigError(
            "pascal3d: detection has the split test and the levels FGL1_BGL1 to FGL3_BGL3, "
            f"found {split} and {level!r}. Set both."
        )
    folder = f"{{name}}FGL{asked[1]}_BGL{asked[2]}"
    return Layout(
        folder="OccludedPASCAL3D",
        lists=f"lists/{folder}.txt",
        images=f"images/{folder}/{{file}}.JPEG",
        annotations=f"annotations/{folder}/{{file}}.npz",
    )


def _coco(split: str, level: str) -> Layout:
    if level == "zero":
        return Layout("coco_occ", f"{{name}}_ZERO_{split}.txt", "{name}_zero/{file}.jpg")
    return Layout("coco_occ", f"{{name}}_{level.upper()}.txt", "{name}_occ/{file}.jpg")


def _classification(split: str, level: str, occluder: str) -> Layout:
    folder = "pascal3d+_occ"
    if split == "train":
        return Layout(folder, "{name}_imagenet_train.txt", "TRAINING_DATA/{name}_imagenet/{file}.JPEG")
    lists = "{name}_imagenet_occ.txt"
    if level == "zero":
        return Layout(folder, lists, "{name}LEVELZERO/{file}.JPEG", drop=_NUMBER_CHARACTERS)
    images = f"{{name}}LEVEL{level.upper()}{TYPES[occluder]}/{{file}}.JPEG"
    return Layout(folder, lists, images, has_types=True)
