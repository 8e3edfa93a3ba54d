"""`occbench preview`: what a recipe makes, or a dataset holds, as one picture or one page."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.files import write_bytes
from occbench.core.types import Condition
from occbench.report.gallery import Gallery, Row, choose_conditions, spread_positions
from occbench.report.origins import Origin, open_origin

__all__ = ["collect", "preview"]

#: Conditions shown: on a sheet as many as fit beside each other, on a page as many as one likes to scroll through.
_SHEET_CONDITIONS: Final = 8
_PAGE_CONDITIONS: Final = 24
#: Images decoded at most in the search for different classes: so many, and so many more for each one wanted.
_TRIES: Final = 32
_TRIES_PER_IMAGE: Final = 8


def preview(
    recipe_or_directory: str | Path,
    out: str | Path,
    *,
    source_path: str = "",
    images: int = 6,
    overrides: Sequence[str] = (),
) -> Path:
    """Draw clean images under a selection of conditions and write the result, whole or not at all.

    Args:
        recipe_or_directory: a recipe's name or file, or the directory of a finished dataset.
        out: ``.png`` for a contact sheet, ``.html`` or ``.htm`` for a self-contained page.
        source_path: where the recipe's source reads; only with a recipe.
        images: clean images to show, of different classes as far as possible.
        overrides: changes of the recipe, as ``data.recipe.load_recipe``; only with a recipe.

    Returns:
        ``out``.

    Raises:
        ConfigError: another suffix, fewer than 1 image, a wrong recipe or override.
        SourceError: the source cannot be opened or none of its images can be used.
        DatasetError: the directory is not a finished dataset.
        StorageError: ``out`` cannot be written.
    """
    out = Path(out)
    suffix = out.suffix.lower()
    if suffix not in (".png", ".html", ".htm"):
        raise ConfigError(f"--out needs a name that ends in .png (a sheet) or .html (a page), found {out.name!r}.")
    limit = _SHEET_CONDITIONS if suffix == ".png" else _PAGE_CONDITIONS
    gallery = collect(str(recipe_or_directory), limit, source_path=source_path, images=images, overrides=overrides)
    if suffix == ".png":
        from occbench.report.sheet import draw_sheet

        write_bytes(out, draw_sheet(gallery))
    else:
        from occbench.report.preview_page import preview_page

        write_bytes(out, preview_page(gallery).encode())
    return out


def collect(
    recipe_or_directory: str, conditions: int, *, source_path: str = "", images: int = 6, overrides: Sequence[str] = ()
) -> Gallery:
    """Choose images and at most ``conditions`` conditions, and render or read them; otherwise as ``preview``."""
    if images < 1:
        raise ConfigError(f"--images needs 1 or more, found {images}.")
    origin = open_origin(recipe_or_directory, source_path, overrides)
    groups = choose_conditions(origin.recipe.conditions(), conditions)
    shown = tuple(condition for group in groups for condition in group.shown)
    rows = _find_rows(origin, shown, images)
    facts = [
        ("Clean images", f"{len(rows)} of {origin.count:,} shown"),
        ("Classes", f"{len(origin.classes):,}"),
        ("Conditions", f"{len(shown)} of {len(origin.recipe.conditions())} shown"),
        *origin.facts(),
    ]
    if rows.broken:
        facts.append(("Skipped as unusable", f"{len(rows.broken)} ({'; '.join(rows.broken[:3])})"))
    return Gallery(origin.recipe.name, origin.recipe.description, tuple(facts), groups, rows.in_order())


class _Rows:
    """The rows found so far, and what was found on the way."""

    def __init__(self, origin: Origin, conditions: Sequence[Condition]) -> None:
        self._origin = origin
        self._conditions = conditions
        self._found: dict[tuple[tuple[int, ...], int], Row] = {}
        self._labels: set[tuple[int, ...]] = set()
        self.repeated: list[int] = []
        self.broken: list[str] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, position: int, repeat: bool = False) -> None:
        """Add an image; without ``repeat`` one whose labels are there already is only noted."""
        try:
            example, under = self._origin.image(position)
            if example.labels in self._labels and not repeat:
                self.repeated.append(position)
                return
            samples = tuple(under(condition) for condition in self._conditions)
        except BrokenImageError as error:
            self.broken.append(f"{self._origin.key(position)}: {error}")
            return
        self._labels.add(example.labels)
        name = self._named(example.labels) or "no label"
        ignored = f" (ignored: {self._named(example.ignored)})" if example.ignored else ""
        self._found[example.labels, position] = Row(example.key, name + ignored, example.image, samples)

    def _named(self, labels: Sequence[int]) -> str:
        return ", ".join(self._origin.classes[label] for label in labels)

    def in_order(self) -> tuple[Row, ...]:
        """Return the rows by label, then position."""
        return tuple(self._found[place] for place in sorted(self._found))


def _find_rows(origin: Origin, conditions: Sequence[Condition], wanted: int) -> _Rows:
    """Find ``wanted`` images of classes that differ as far as possible, spread over the source."""
    rows = _Rows(origin, conditions)
    for position in islice(spread_positions(origin.count), _TRIES + _TRIES_PER_IMAGE * wanted):
        if len(rows) == wanted:
            break
        rows.add(position)
    for position in rows.repeated:
        if len(rows) == wanted:
            break
        rows.add(position, repeat=True)
    if not rows:
        found = f"none of {len(rows.broken)} images tried can be used: {'; '.join(rows.broken[:3])}"
        raise SourceError(f"{origin.recipe.source.name}: {found if rows.broken else 'there are no images'}.")
    return rows
