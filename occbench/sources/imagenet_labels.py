"""Files that say which ImageNet validation image shows which synset, and what a synset is called."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from occbench.core.errors import SourceError
from occbench.sources.side_files import read_matlab, read_text

__all__ = ["SYNSET_PATTERN", "name_synsets", "read_labels", "read_synset_list"]

#: A WordNet synset id of a noun, as ImageNet names its classes.
SYNSET_PATTERN: Final = re.compile(r"n\d{8}")


def read_labels(labels_file: Path, classes_file: Path | None) -> dict[str, str]:
    """Return image stem -> synset.

    Three formats are told apart by their content:

    - one integer a line (``ILSVRC2012_validation_ground_truth.txt``): line i is the ILSVRC2012_ID of
      ``ILSVRC2012_val_<i>``; needs ``classes_file`` to say which synset has which id (see ``_synset_of_id``);
    - a table with the columns ``ImageId`` and ``PredictionString`` (``LOC_val_solution.csv``); the first word is used;
    - an image name and a synset a line.

    Raises:
        SourceError: a file cannot be read, a line fits none of these, or ids have no synsets.
    """
    lines = _lines(labels_file)
    if lines[0].lower().startswith("imageid"):
        return _solution_table(labels_file, lines)
    if all(line.isdecimal() for line in lines):
        synsets = _synset_of_id(labels_file, classes_file)
        if unknown := {int(line) for line in lines}.difference(synsets):
            raise SourceError(
                f"{labels_file} uses the class id {min(unknown)}, which {classes_file} does not have. "
                "Give the meta.mat of the same development kit as classes_file."
            )
        return {f"ILSVRC2012_val_{number:08d}": synsets[int(line)] for number, line in enumerate(lines, start=1)}
    return _two_columns(labels_file, lines)


def name_synsets(synsets: Sequence[str], file: Path | None, first_only: bool) -> list[str]:
    """Return what each synset is called; a name that two of them share gets the synset added.

    Args:
        synsets: the classes in label order.
        file: ``synset_words.txt``, ``LOC_synset_mapping.txt`` or ``meta.mat``; None calls a synset by its id.
        first_only: of several names separated by commas take the first (the first lemma of the synset).

    Raises:
        SourceError: the file cannot be read or has no name for a synset.
    """
    if file is None:
        return list(synsets)
    name_of = _class_names(file)
    if missing := [synset for synset in synsets if synset not in name_of]:
        raise SourceError(
            f"{file} has no name for {len(missing)} synsets, e.g. {missing[0]}. Give a file that has them."
        )
    names = [name_of[synset].partition(",")[0].strip() if first_only else name_of[synset] for synset in synsets]
    # ImageNet has two cranes, a bird and a machine
    return [
        name if names.count(name) == 1 else f"{name} ({synset})" for name, synset in zip(names, synsets, strict=True)
    ]


def read_synset_list(file: Path) -> tuple[str, ...]:
    """Return the first word of every line, which must be a synset.

    Raises:
        SourceError: the file cannot be read or a line does not start with a synset.
    """
    return tuple(_class_names(file))


def _class_names(file: Path) -> dict[str, str]:
    """Return synset -> readable name."""
    if file.suffix == ".mat":
        return {synset: words for _, synset, words in _matlab_rows(file)}
    names: dict[str, str] = {}
    for line in _lines(file):
        synset, _, words = line.partition(" ")
        if not SYNSET_PATTERN.fullmatch(synset):
            raise SourceError(f"{file} has the line {line[:60]!r}. Each line must be a synset and its name.")
        names[synset] = re.sub(r"^\d+ ", "", words.strip()) or synset
    return names


def _synset_of_id(labels_file: Path, classes_file: Path | None) -> Mapping[int, str]:
    """Return ILSVRC2012_ID -> synset.

    The ids of the ground truth are not the order of the sorted synsets that classifiers use: id 1 is a fox, label 0 a
    fish. A sorted list is therefore refused; it would give wrong labels without any sign of it.
    """
    hint = "Give the development kit's meta.mat as classes_file, or a labels_file with image names and synsets."
    if classes_file is None:
        raise SourceError(f"{labels_file} has class ids without synsets, and classes_file is empty. {hint}")
    if classes_file.suffix == ".mat":
        return {number: synset for number, synset, _ in _matlab_rows(classes_file)}
    numbered = [re.match(r"(n\d{8}) (\d+) ", f"{line} ") for line in _lines(classes_file)]
    if all(numbered):
        return {int(match[2]): match[1] for match in numbered if match}
    synsets = read_synset_list(classes_file)
    if list(synsets) == sorted(synsets):
        raise SourceError(
            f"{classes_file} lists the synsets in sorted order, but {labels_file} counts them by ILSVRC2012_ID, "
            f"another order. {hint}"
        )
    return dict(enumerate(synsets, start=1))


def _matlab_rows(file: Path) -> list[tuple[int, str, str]]:
    """Return (ILSVRC2012_ID, synset, name) of the classes without children in the development kit's ``meta.mat``."""

    def leaves(table: Any) -> list[tuple[int, str, str]]:  # noqa: ANN401 - whatever the file has
        found = table[table["num_children"] == 0]
        return [(int(row["ILSVRC2012_ID"]), str(row["WNID"]), str(row["words"])) for row in found]

    return read_matlab(file, "synsets", leaves, "Give the meta.mat of an ILSVRC2012 development kit.")


def _solution_table(file: Path, lines: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO("\n".join(["ImageId,PredictionString", *lines[1:]]))):
        synset = (row["PredictionString"] or "").split(" ")[0]
        labels[str(row["ImageId"])] = _checked(synset, file, str(row["ImageId"]))
    return labels


def _two_columns(file: Path, lines: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for line in lines:
        name, _, synset = line.replace("\t", " ").rpartition(" ")
        labels[Path(name.strip()).stem] = _checked(synset, file, name or line)
    return labels


def _checked(synset: str, file: Path, image: str) -> str:
    if SYNSET_PATTERN.fullmatch(synset):
        return synset
    raise SourceError(
        f"{file} gives {image[:60]!r} the label {synset[:20]!r}, which is not a synset (n and eight digits). "
        "Each line must be an image name and a synset."
    )


def _lines(file: Path) -> list[str]:
    """Return the lines that are not empty, without surrounding white space."""
    lines = read_text(file, "file of synsets", "Give one that exists, as text.").splitlines()
    if found := [stripped for line in lines if (stripped := line.strip())]:
        return found
    raise SourceError(f"{file} is empty. Give a file with one line per image or class.")
