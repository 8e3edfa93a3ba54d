"""Opening a Hugging Face dataset and finding the images and labels in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from occbench.core.errors import SourceError

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = [
    "Labels",
    "find_ignored_column",
    "find_image_column",
    "find_label_column",
    "open_split",
    "read_ignored",
    "read_labels",
]

#: More classes than any labelled set has; above it an integer column is something else, such as an id.
_MAX_CLASSES: Final = 1_000_000
_NO_LABEL: Final = -1


@dataclass(frozen=True, slots=True)
class Labels:
    """A label column.

    Attributes:
        classes: class names in label order.
        of_image: class indices per row; None where the row has no label.
        multi_label: whether a row may have any number of labels.
    """

    classes: tuple[str, ...]
    of_image: tuple[tuple[int, ...] | None, ...]
    multi_label: bool


def open_split(path: str, split: str, config: str, revision: str) -> "Dataset":
    """Open one split of a repository, a folder that ``load_dataset`` understands, or a ``save_to_disk`` folder.

    Raises:
        SourceError: it cannot be found, reached or read, or has no such split; one line, ending in what to do.
    """
    import datasets  # here, because it takes a second to import

    folder = Path(path).expanduser()
    if folder.is_dir() and ((folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()):
        return _saved_split(folder, split)
    is_local = folder.exists()
    try:
        return datasets.load_dataset(
            str(folder) if is_local else path, name=config or None, split=split, revision=revision or None
        )
    # load_dataset promises no one class: unknown names and splits are ValueError, scripts RuntimeError
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        hint = (
            "Check path, config and split."
            if is_local
            else "Check the repository id, config, split and revision, and that the network or the local cache has it."
        )
        raise SourceError(f"the split {split!r} of {path} cannot be opened: {_one_line(error)} {hint}") from error


def find_image_column(dataset: "Dataset", asked: str) -> str:
    """Return the image column: the one asked for, or the only one.

    Raises:
        SourceError: no such column, no image column at all, or several to choose from.
    """
    import datasets

    images = [name for name, feature in dataset.features.items() if isinstance(feature, datasets.Image)]
    if asked in images:
        return asked
    if asked:
        raise SourceError(f"there is no image column {asked!r}. The columns are {_listed(dataset)}.")
    if len(images) != 1:
        found = f"{len(images)} image columns ({', '.join(images)})" if images else "no image column"
        raise SourceError(f"the dataset has {found}; name one as image_column. The columns are {_listed(dataset)}.")
    return str(images[0])


def find_label_column(dataset: "Dataset", asked: str) -> str:
    """Return the label column: the one asked for, the only ClassLabel, the one called ``label`` or ``labels``.

    Raises:
        SourceError: no such column, a column of another type, or none that can be told to be the labels.
    """
    import datasets

    possible = {name: _label_type(feature) for name, feature in dataset.features.items()}
    possible = {name: found for name, found in possible.items() if found is not None}
    if asked in possible:
        return asked
    if asked:
        raise SourceError(
            f"there is no column {asked!r} of class labels, integers, text or lists of them. "
            f"The columns are {_listed(dataset)}."
        )
    named = [name for name, found in possible.items() if isinstance(found, datasets.ClassLabel)]
    if len(named) == 1:
        return str(named[0])
    for name in ("label", "labels"):
        if name in possible:
            return name
    raise SourceError(
        f"the labels cannot be told apart; name them as label_column. The columns are {_listed(dataset)}."
    )


def find_ignored_column(dataset: "Dataset", asked: str, labels: str) -> str:
    """Return the column of ignored classes: the one asked for, or ``ignored``; empty where there is none.

    It holds lists of the same type as the multi-label column ``labels``.

    Raises:
        SourceError: the column asked for is not there or of another type.
    """
    fits = {
        name
        for name, feature in dataset.features.items()
        if name != labels and _inner(feature) is not None and _inner(feature) == _inner(dataset.features[labels])
    }
    if asked and asked not in fits:
        raise SourceError(f"there is no column {asked!r} of lists like {labels!r}. The columns are {_listed(dataset)}.")
    return asked or ("ignored" if "ignored" in fits else "")


def read_ignored(dataset: "Dataset", column: str, labels: Labels) -> tuple[tuple[int, ...], ...]:
    """Read a column of ignored classes; null means none, and what is a label of the row is not ignored.

    Raises:
        SourceError: a value is no class.
    """
    rows = [row or [] for row in dataset.select_columns([column]).with_format("arrow")[:][column].to_pylist()]
    is_text = any(isinstance(value, str) for row in rows for value in row)
    index_of: dict[Any, int] = {name if is_text else index: index for index, name in enumerate(labels.classes)}
    if unknown := sorted({value for row in rows for value in row} - index_of.keys()):
        raise SourceError(f"the column {column!r} has {unknown[0]!r}, which is no class. Name another ignored_column.")
    return tuple(
        tuple(sorted({index_of[value] for value in row}.difference(own or ())))
        for row, own in zip(rows, labels.of_image, strict=True)
    )


def read_labels(dataset: "Dataset", column: str) -> Labels:
    """Read a label column.

    ClassLabel names are the classes; integers without names are called ``0``, ``1``, ...; text values are sorted.
    Null, and -1 for a single label, mean that a row has no label.

    Raises:
        SourceError: no row has a label, or an integer is no class index.
    """
    feature = dataset.features[column]
    multi_label = _inner(feature) is not None
    rows = dataset.select_columns([column]).with_format("arrow")[:][column].to_pylist()
    if not multi_label:
        rows = [None if value is None or value == _NO_LABEL else [value] for value in rows]
    values = {value for row in rows if row is not None for value in row}
    if not values:
        raise SourceError(f"no row has a label in the column {column!r}. Choose a split or a column with labels.")
    classes = _class_names(_label_type(feature), values, column)
    index_of = {name: index for index, name in enumerate(classes)} if isinstance(next(iter(values)), str) else None
    return Labels(
        classes,
        tuple(
            None if row is None else tuple(sorted({value if index_of is None else index_of[value] for value in row}))
            for row in rows
        ),
        multi_label,
    )


def _class_names(label_type: object, values: set[Any], column: str) -> tuple[str, ...]:
    if isinstance(next(iter(values)), str):
        return tuple(sorted(values))
    names = tuple(getattr(label_type, "names", None) or ())
    low, high = min(values), max(values)
    if low < 0 or high >= (len(names) or _MAX_CLASSES):
        allowed = len(names) or _MAX_CLASSES
        raise SourceError(
            f"the column {column!r} has the values {low} to {high}, class indices are 0 to {allowed - 1}. "
            "Name another label_column."
        )
    return names or tuple(str(index) for index in range(high + 1))


def _label_type(feature: object) -> object:
    """Return the type of one label: a ClassLabel, integer or text Value; None where the column holds no labels."""
    import datasets

    inner = _inner(feature)
    one = feature if inner is None else inner
    if isinstance(one, datasets.ClassLabel):
        return one
    is_label = isinstance(one, datasets.Value) and (one.dtype.lstrip("u").startswith("int") or "string" in one.dtype)
    return one if is_label else None


def _inner(feature: object) -> object:
    """Return what a list column holds, None for another column; the ways to declare a list differ by version."""
    return feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)


def _saved_split(folder: Path, split: str) -> "Dataset":
    import datasets

    try:
        saved = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(f"{folder} cannot be opened: {_one_line(error)} Save the dataset again.") from error
    if isinstance(saved, datasets.DatasetDict):
        if split in saved:
            return saved[split]
        found: Sequence[str] = sorted(saved)
    elif saved.split is None or str(saved.split) == split:
        return saved
    else:
        found = [str(saved.split)]
    raise SourceError(f"{folder} has no split {split!r}. It has {', '.join(found)}: give one of them as split.")


def _listed(dataset: "Dataset") -> str:
    return ", ".join(
        f"{name} ({getattr(feature, 'dtype', None) or type(feature).__name__})"
        for name, feature in dataset.features.items()
    )


def _one_line(error: BaseException) -> str:
    """Return the first line of the innermost message, with a full stop."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{first.rstrip('.')}."
