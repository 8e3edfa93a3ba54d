"""Real photographs as every measurement takes them: copies in one class folder, and datasets made of them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from occbench.core.prepare import prepare
from occbench.core.types import Example
from occbench.data.recipe import Recipe, parse_recipe

__all__ = ["copy_photos", "emptied", "prepared", "recipe"]


def copy_photos(folder: Path, count: int, to: Path) -> list[Path]:
    """Copy ``count`` photographs, evenly spread over ``folder``, into one class folder; return the copies."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if len(files) < count:
        raise SystemExit(f"{folder} has {len(files)} JPEG or PNG files, and {count} are wanted.")
    (to / "photos").mkdir(parents=True)
    copies = []
    for number in range(count):
        file = files[number * len(files) // count]
        copies.append(Path(shutil.copy(file, to / "photos" / f"{number:05d}{file.suffix.lower()}")))
    return copies


def recipe(bank: str = "occbench-3", side: int = 224, **storage: Any) -> Recipe:  # noqa: ANN401 - keys of ``storage``
    """Return the recipe that is measured: the patterns of a bank on any folder of photographs."""
    content = {
        "name": "speed",
        "source": {"name": "image_folder"},
        "prepare": {"rule": "direct", "size_px": side},
        "occlusions": [{"name": "patterns", "bank": bank}],
        "storage": storage,
    }
    return parse_recipe(content, "speed")


def prepared(what: Recipe, folder: Path) -> Iterator[Example]:
    """Decode and resize the photographs of ``folder``, one after the other."""
    source = what.open_source(str(folder))
    for index in range(len(source)):
        yield prepare(source[index], what.prepare)


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """Make a folder and remove it with everything in it."""
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
