"""Any folder that holds one folder of images per class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, SourceError
from occbench.core.options import check_different, settle_options
from occbench.sources.class_map import map_classes
from occbench.sources.folder_scan import SPLIT_NAMES, folders_in, scan_images
from occbench.sources.labelled_files import LabelledFiles, LabelledFileSource, files_by_class_folder

__all__ = ["ImageFolder"]


@dataclass(frozen=True)
class ImageFolder(LabelledFileSource):
    """``path/<class>/**/<image>``: the folder's name is the class, images may lie at any depth below it.

    Classes are sorted without regard to case. Hidden files and folders are skipped, and so are files without an image
    suffix. The folder is read on first use, not on construction.

    With ``class_map`` the folders keep names of their own and are given classes of a model, so that a user's own
    photographs (of real occlusions, say) can be scored with it; several folders may show one class.

    Attributes:
        path: the folder that holds the class folders.
        only: the class folders to use, in any order; empty means all.
        class_map: a file that says which folder shows which class: YAML or JSON with ``folder: class``, or text with a
            folder, a tab or comma, and its class a line. Every folder used must be in it.
        classes_file: with ``class_map``, a text file of all classes of the model in label order, one a line, as its
            training source calls them; they keep their labels where no folder shows them. Without it the classes of the
            map, sorted without regard to case.

    Raises:
        ConfigError: no path, a class listed twice, or ``classes_file`` without ``class_map``.
        SourceError: on first use: a missing folder, no class folder, a class that is missing or has no image, or a map
            that does not fit the folders.
    """

    path: str
    only: tuple[str, ...] = ()
    class_map: str = ""
    classes_file: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("image_folder needs path: the folder that holds one folder of images per class.")
        settle_options(self)
        check_different(self, "only", self.only)
        if self.classes_file and not self.class_map:
            raise ConfigError("image_folder: classes_file is for class_map, which is empty. Give class_map, too.")

    @property
    def fingerprint(self) -> str:
        """A hash of every file's relative path and size in bytes; with ``class_map`` also of the labels it gives."""
        found = self._images
        if not self.class_map:
            return found.fingerprint
        return fingerprint([found.fingerprint, found.classes, [label for (label,) in found.labels]])

    @cached_property
    def _images(self) -> LabelledFiles:
        root = Path(self.path).expanduser()
        folders = folders_in(root)
        if not folders:
            raise SourceError(_no_class_folder(root))
        if not self.only and SPLIT_NAMES.issuperset(folders):
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
        return self._mapped(root, wanted) if self.class_map else files_by_class_folder(root, wanted, wanted)

    def _mapped(self, root: Path, folders: Sequence[str]) -> LabelledFiles:
        """Take the images of the folders with the labels of the classes that the map gives them."""
        classes, label_of = map_classes(
            folders,
            Path(self.class_map).expanduser(),
            Path(self.classes_file).expanduser() if self.classes_file else None,
            may_name_others=bool(self.only),
        )
        found = files_by_class_folder(root, folders, folders)
        return replace(found, classes=tuple(classes), labels=tuple((label_of[place],) for (place,) in found.labels))


def _no_class_folder(root: Path) -> str:
    images = len(scan_images(root))
    if images:
        return (
            f"{root} has {images} images but no class folders. "
            "Put the images of each class into a folder named after the class."
        )
    return f"{root} has neither class folders nor images. Give the folder that holds one folder of images per class."
