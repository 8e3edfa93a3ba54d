"""A run directory: where everything lies in it, and how far it has come. Its files are its state."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from occbench.core.errors import DatasetError

__all__ = ["RunFolder", "run_folders"]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The directory of one model, trained (``occbench run-benchmark``) or ready (``occbench score``).

    Attributes:
        path: the directory; its name is the run's fingerprint, unless the user gave another.
    """

    path: Path

    @property
    def manifest(self) -> Path:
        """Everything about the run that its numbers do not say; written last, so its presence means finished."""
        return self.path / "manifest.json"

    @property
    def records(self) -> Path:
        """Its numbers, one a line."""
        return self.path / "records.jsonl"

    @property
    def split(self) -> Path:
        """Which images it was trained and tested on."""
        return self.path / "split.json"

    @property
    def checkpoint(self) -> Path:
        """The trained weights; its presence means that training is finished."""
        return self.path / "checkpoint.safetensors"

    @property
    def training(self) -> Path:
        """Folder of what training needs to go on: the last and the best state, and the curves."""
        return self.path / "train"

    @property
    def curves(self) -> Path:
        """One line for every finished epoch, under a heading."""
        return self.training / "curves.csv"

    @property
    def all_scores(self) -> Path:
        """Folder of the folders of all test sets."""
        return self.path / "scores"

    def scores(self, test_set: str) -> Path:
        """Return the folder of the predictions on a test set, by its fingerprint."""
        return self.all_scores / test_set

    @property
    def finished(self) -> bool:
        """Whether it was trained and scored to the end of what was asked."""
        return self.manifest.is_file()

    @property
    def begun(self) -> bool:
        """Whether it was begun and not finished; a trained model that is never scored is a warm-up, and complete."""
        if self.finished or not self.training.is_dir():
            return False
        return self.all_scores.is_dir() or not self.checkpoint.is_file()

    def read_manifest(self, needed: Sequence[str] = ()) -> Mapping[str, Any] | None:
        """Return the content of the manifest, or None where there is none yet.

        Args:
            needed: entries that it must have.

        Raises:
            DatasetError: it cannot be read, or lacks one of them.
        """
        if not self.finished:
            return None
        try:
            found = json.loads(self.manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        if not isinstance(found, dict) or not isinstance(found.get("facts", {}), dict):
            raise self._damaged("not an object with facts")
        if missing := [name for name in needed if name not in found]:
            raise DatasetError(
                f"{self.manifest} lacks {missing[0]}: it is no run of this kind, or of another version of occbench. "
                "Use the version that made it, or move it away and run again."
            )
        return found

    def _damaged(self, why: str) -> DatasetError:
        return DatasetError(
            f"{self.manifest} is damaged ({why}): delete that one file and run again; predictions and weights are kept."
        )


def run_folders(folder: Path) -> list[RunFolder]:
    """Return every directory in a folder of runs, by name; none where there is no such folder."""
    homes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [RunFolder(home) for home in homes]
