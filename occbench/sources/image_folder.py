"""Any folder that holds one folder of images per class."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.folder_scan import folders_in, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, files_by_class_folder

__all__ = ["ImageFolder"]

_SPLIT_NAMES: Final = frozenset({"test", "train", "training", "val", "valid", "validation"})


@dataclass(frozen=True)
class ImageFolder(LabelledFileSource):
    """``path/<class>/**/<image>``: the folder's name is the class, images may lie at any depth below it.

    Classes are sorted without regard to case. Hidden files and folders are skipped; files in a class folder without
    an image suffix are left out and counted in ``ignored_files``. The folder is read on first use, not on construction.

    Attributes:
        path: the folder that holds the class folders.
        only: the class folders to use, in any order; empty means all.

    Raises:
        ConfigError: no path, or a class listed twice.
        SourceError: on first use: a missing folder, no class folder, a class that is missing or has no image.
    """

    path: str
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("image_folder needs path: the folder that holds one folder of images per class.")
        if len(set(self.only)) < len(self.only):
            twice = sorted({name for name in self.only if self.only.count(name) > 1})
            raise ConfigError(f"image_folder lists {', '.join(twice)} more than once in only. List each class once.")

    @property
    def ignored_files(self) -> int:
        """How many files in the class folders are no images by their suffix."""
        return self._images.ignored

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        folders = folders_in(root)
        if not folders:
            raise SourceError(_no_class_folder(root))
        if not self.only and _SPLIT_NAMES.issuperset(folders):
            raise SourceError(
                f"{root} holds {', '.join(folders)}, which look like splits, not classes. "
                f"Give one of them, e.g. {root / folders[0]}; if they are classes, list them in only."
            )
        if missing := sorted(set(self.only).difference(folders)):
            raise SourceError(
                f"only asks for {', '.join(missing)}, but {root} has no such class folder. "
                f"It has {len(folders)}: {', '.join(folders[:10])}{', ...' if len(folders) > 10 else ''}."
            )
        wanted = [folder for folder in folders if not self.only or folder in self.only]
        return files_by_class_folder(root, wanted, wanted)


def _no_class_folder(root: Path) -> str:
    images = len(scan_images(root).files)
    if images:
        return (
            f"{root} has {images} images but no class folders. "
            "Put the images of each class into a folder named after the class."
        )
    return f"{root} has neither class folders nor images. Give the folder that holds one folder of images per class."
