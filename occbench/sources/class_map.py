"""Lists of class names, and class maps: which folder of a user's photographs shows which class of a model."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from occbench.core.errors import SourceError
from occbench.sources.folder_scan import class_order
from occbench.sources.side_files import read_text

__all__ = ["map_classes", "read_classes"]


def map_classes(
    folders: Sequence[str], map_file: Path, classes_file: Path | None, *, may_name_others: bool = False
) -> tuple[list[str], list[int]]:
    """Return (class names in label order, label of each folder).

    Args:
        folders: those whose images are used.
        map_file: folder -> class. A ``.yaml``, ``.yml`` or ``.json`` file is one mapping; any other is text with a
            folder and its class a line, parted by a tab or, in a line without one, by the first comma. Empty lines and
            lines that start with ``#`` are passed over.
        classes_file: text, all classes in label order, one a line; None takes those of ``folders`` in class order.
        may_name_others: whether the map may name folders that are not used.

    Raises:
        SourceError: a file cannot be read, the map names a folder or class that is not there, or leaves a folder out.
    """
    class_of = _read_map(map_file)
    if unmapped := [folder for folder in folders if folder not in class_of]:
        raise SourceError(
            f"{map_file} gives {len(unmapped)} of {len(folders)} folders no class, e.g. {unmapped[0]}. "
            "Give it one, or list the folders to use in only."
        )
    if not may_name_others and (missing := sorted(set(class_of).difference(folders))):
        raise SourceError(f"{map_file} names the folder {missing[0]}, which is not there. Add it, or take it out.")
    wanted = [class_of[folder] for folder in folders]
    classes = read_classes(classes_file) if classes_file else class_order(set(wanted))
    label_of = {name: label for label, name in enumerate(classes)}
    if unknown := sorted(set(wanted).difference(label_of)):
        raise SourceError(
            f"{map_file} names the class {unknown[0]}, which {classes_file} does not have. "
            "Write it as it is written there."
        )
    return classes, [label_of[name] for name in wanted]


def read_classes(file: Path) -> list[str]:
    """Return the class names of a text file, one a line, in label order.

    Raises:
        SourceError: it cannot be read, is empty or names a class twice.
    """
    names = [line.strip() for line in read_text(file, "list of classes", "Give a file that exists.").splitlines()]
    names = [name for name in names if name]
    if not names:
        raise SourceError(f"{file} is empty. Write one class name a line, in label order.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"{file} names the class {twice} more than once. Name each class once.")
    return names


def _read_map(file: Path) -> dict[str, str]:
    text = read_text(file, "class map", "Give a file that exists.")
    if file.suffix.lower() not in (".yaml", ".yml", ".json"):
        return _read_lines(file, text)
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SourceError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not found or any(isinstance(name, dict | list) for name in found.values()):
        raise SourceError(f"{file} is not a mapping of folders to classes. Write one 'folder: class' a line.")
    return {str(folder): str(name) for folder, name in found.items()}


def _read_lines(file: Path, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        folder, _, name = (item.strip() for item in line.partition("\t" if "\t" in line else ","))
        if not (folder and name):
            raise SourceError(f"{file}, line {place}: expected a folder, a tab or comma, and a class, found {line!r}.")
        if found.setdefault(folder, name) != name:
            raise SourceError(f"{file} gives the folder {folder} two classes, {found[folder]} and {name}. Keep one.")
    if not found:
        raise SourceError(f"{file} is empty. Write a folder and its class a line.")
    return found
