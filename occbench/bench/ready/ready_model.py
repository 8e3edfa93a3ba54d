"""A model ready to be scored: published or local weights, with a head that answers in the test set's classes."""

import csv
from collections.abc import Sequence
from pathlib import Path

from occbench.bench.ready.class_rows import rows_by_name
from occbench.core.errors import ConfigError
from occbench.models.backbone import Backbone
from occbench.models.load import load_backbone

__all__ = ["read_classes_map", "ready_model"]


def ready_model(
    name: str,
    classes: Sequence[str],
    *,
    pretrained: bool = False,
    weights: Path | None = None,
    classes_map: Path | None = None,
) -> Backbone:
    """Load a model with one logit for each class, all of them trained.

    Args:
        name: as for ``load_backbone``.
        classes: of the test set, in label order.
        pretrained: with its published weights.
        weights: with the weights of a file.
        classes_map: see ``read_classes_map``; without it the rows of an ImageNet head are found by the classes' names,
            and any other head must have exactly these classes, in this order.

    Raises:
        ConfigError: random weights, a head for other classes, or a map that does not fit.
        PluginError: no such model.
    """
    if not pretrained and weights is None and ".py:" not in name:
        raise ConfigError(
            f"{name} was asked to be scored with neither its published weights nor a file's: its answers would be "
            "random. Give --pretrained or --weights FILE."
        )
    rows = None if classes_map is None else read_classes_map(classes_map, classes)
    model = load_backbone(name, len(classes), pretrained=pretrained, weights=weights, head_rows=rows)
    if rows is not None:
        return model
    renewed = str(model.provenance["head"]).startswith("re-initialised")
    width = _head_of(name, pretrained, weights) if renewed else model.num_classes
    named = rows_by_name(classes, width)
    if None not in named and named != list(range(len(classes))):
        found = [row for row in named if row is not None]
        return load_backbone(name, len(classes), pretrained=pretrained, weights=weights, head_rows=found)
    if renewed:
        raise ConfigError(_no_rows(name, classes, width, named))
    if other := [place for place, row in enumerate(named) if row not in (None, place)]:
        unknown = classes[named.index(None)]
        raise ConfigError(
            f"{name} answers {classes[other[0]]!r} in row {named[other[0]]}, the test set has it in place {other[0]}, "
            f"and no row is called {unknown!r}: the rest cannot be put in order. Give --classes-map FILE."
        )
    return model


def read_classes_map(path: Path, classes: Sequence[str]) -> list[int]:
    """Read which row of a head answers for each class.

    Args:
        path: a CSV file, ``class,index`` a line, with or without that header; other classes than these are passed over.
        classes: of the test set.

    Returns:
        One row number per class, in the order of ``classes``.

    Raises:
        ConfigError: no such file, a line that is not of that form, or a class that is missing or named twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--classes-map names {path}, which cannot be read: {error}. Give a CSV file.") from error
    if lines and [cell.strip() for cell in lines[0]] == ["class", "index"]:
        del lines[0]
    index_of: dict[str, int] = {}
    for line in lines:
        if len(line) != 2 or not line[1].strip().isdecimal():
            raise ConfigError(f"{path} has the line {','.join(line)!r}: write class,index with a row number from 0.")
        if line[0] in index_of:
            raise ConfigError(f"{path} names the class {line[0]!r} twice: leave one line.")
        index_of[line[0]] = int(line[1])
    if missing := [name for name in classes if name not in index_of]:
        raise ConfigError(
            f"{path} lacks {len(missing)} of the test set's {len(classes)} classes ({', '.join(missing[:3])}): "
            "add a line for each."
        )
    return [index_of[name] for name in classes]


def _head_of(name: str, pretrained: bool, weights: Path | None) -> int:
    """Return how many classes the head has that the weights came with; 0 where they have none."""
    try:
        found = load_backbone(name, 1, pretrained=pretrained, weights=weights, head_rows=[0])
    except ConfigError:
        return 0
    return int(str(found.provenance["head"]).rpartition(" ")[2])


def _no_rows(name: str, classes: Sequence[str], width: int, named: Sequence[int | None]) -> str:
    """Say that a new head would be needed."""
    head = f"{width} in its head" if width else "no head in its weights"
    unknown = [classes[place] for place, row in enumerate(named) if row is None]
    if len(unknown) < len(classes):
        head += f", and {len(unknown)} of them ({', '.join(unknown[:3])}) go by no name of ImageNet's"
    return (
        f"the test set has {len(classes)} classes and {name} has {head}: a new head would answer at random. Give "
        "--classes-map FILE with the head's row of every class, or --weights of a model trained on these classes."
    )
