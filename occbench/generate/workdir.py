"""The output of a run while it is being made: whose it is, what is finished in it, and how it is closed."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from occbench.core.errors import DatasetError
from occbench.core.files import readable_json
from occbench.data.manifest import Manifest
from occbench.generate.plan import Plan
from occbench.generate.shard import Shard, ShardReport

__all__ = ["PLAN_FILE", "Workdir", "plan_note", "planned_fingerprint", "refuse_other"]

#: In the work folder, says whose unfinished run it is.
PLAN_FILE: Final = "plan.json"


class Workdir(ABC):
    """A dataset's place while it is being made."""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the place already holds exactly this dataset.

        Raises:
            DatasetError: it holds another dataset.
            StorageError: it cannot be read.
        """

    @abstractmethod
    def manifest(self) -> Manifest:
        """Return the manifest of the complete dataset."""

    @abstractmethod
    def claimed(self) -> AbstractContextManager[Path]:
        """Make the place ours for a while; yield a local folder for what belongs to the whole dataset.

        Raises:
            DatasetError: it holds an unfinished run of another recipe, source or limit.
            StorageError: other files are there, another process is at work in it, or it cannot be written.
        """

    @abstractmethod
    def finished(self, shards: Sequence[Shard]) -> dict[int, ShardReport]:
        """Return number -> report of every shard whose files are all there; a report alone is not trusted."""

    @property
    @abstractmethod
    def job(self) -> Callable[[Shard], ShardReport]:
        """What makes a shard; it can be pickled."""

    @abstractmethod
    def close(self) -> None:
        """Put what belongs to the whole dataset into its place, the manifest last, and remove the progress files."""


def refuse_other(place: str, planned: Plan, found: str, what: str) -> None:
    """Refuse a place that holds something of another plan.

    Args:
        place: directory or URL.
        planned: what is to be made there.
        found: fingerprint of what is there.
        what: that is.

    Raises:
        DatasetError: the fingerprints differ.
    """
    if found != planned.dataset_fingerprint:
        asked = "recipe, source, limit or model" if planned.made_by else "recipe, source or limit"
        raise DatasetError(
            f"{place} holds {what} of another {asked} (fingerprint {found}, this one is "
            f"{planned.dataset_fingerprint}). Choose another --out, or delete that folder."
        )


def plan_note(planned: Plan) -> bytes:
    """Return the content of ``PLAN_FILE``."""
    return readable_json({"dataset_fingerprint": planned.dataset_fingerprint, "recipe": planned.recipe.name})


def planned_fingerprint(note: bytes) -> str:
    """Return the fingerprint in a ``PLAN_FILE``."""
    try:
        return str(json.loads(note.decode("utf-8"))["dataset_fingerprint"])
    except (ValueError, KeyError, TypeError):
        return "unreadable"
