"""The papers' numbers and claims, as CSV files packaged beside the benchmarks: what a run is shown next to.

A table ``<name>.csv`` has one row per arm: ``arm``, ``backbone``, a column per condition group (or ``avg``, ``clean``),
``source``. ``claims.csv`` has one row per claim of a benchmark.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from occbench.bench.protocol.claims import Claim
from occbench.core.embedded import Shelf
from occbench.core.errors import ConfigError

__all__ = [
    "PublishedClaim", "ReferenceRow", "claims_for", "reference_names", "reference_table", "row_beside", "same_backbone",
]  # fmt: skip

_SHELF: Final = Shelf("benchmarks/reference", ".csv", "table of a paper's numbers")
_CLAIMS: Final = "claims"
#: Columns of a table that hold no accuracy.
_DESCRIPTION: Final = frozenset({"arm", "backbone", "input_px", "source"})


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One row of a paper's table.

    Attributes:
        arm: the benchmark's name of the arm; of a row that the paper quotes from elsewhere, the method's name.
        backbone: the paper's name of it; empty where the row is quoted from elsewhere.
        values: column -> accuracy, percentage points; columns that the row leaves empty are absent.
        source: paper and table.
    """

    arm: str
    backbone: str
    values: Mapping[str, float]
    source: str

    @property
    def is_quoted(self) -> bool:
        """Whether the paper took the row from elsewhere, so that no arm of ours corresponds to it."""
        return not self.backbone


@dataclass(frozen=True, slots=True)
class PublishedClaim:
    """What a paper says about a benchmark.

    Attributes:
        title: the claim in a few words.
        claim: the statement to judge; None for a fact that no run of the benchmark can judge (a chosen parameter).
        printed: the number that the paper gives with it, or None.
        unit: of that number, e.g. ``points``.
        source: where it stands.
    """

    title: str
    claim: Claim | None
    printed: float | None
    unit: str
    source: str


def reference_names() -> list[str]:
    """Return the names of the packaged tables, sorted."""
    return sorted(set(_SHELF.names()) - {_CLAIMS})


def reference_table(name: str) -> tuple[ReferenceRow, ...]:
    """Return a paper's table.

    Args:
        name: of a packaged table, as a benchmark's ``reference`` gives it.

    Raises:
        ConfigError: no such table.
    """
    if name not in reference_names():
        raise ConfigError(f"no reference table is called {name!r}. Packaged: {', '.join(reference_names())}.")
    return tuple(
        ReferenceRow(
            arm=row["arm"],
            backbone=row["backbone"],
            values={key: float(text) for key, text in row.items() if key not in _DESCRIPTION and text},
            source=row["source"],
        )
        for row in _rows(name)
    )


def row_beside(rows: Sequence[ReferenceRow], arm: str, backbone: str) -> ReferenceRow | None:
    """Return the paper's row of an arm, or None.

    Of several backbones it is the row of the arm's own; where the paper has but one, it is that, whatever ours is.

    Args:
        rows: the paper's table.
        arm: its name.
        backbone: ours.
    """
    of_arm = [row for row in rows if row.arm == arm and not row.is_quoted]
    same = [row for row in of_arm if same_backbone(row.backbone, backbone)]
    if same or len(of_arm) == 1:
        return (same or of_arm)[0]
    return None


def same_backbone(paper: str, ours: str) -> bool:
    """Whether a paper's name of a backbone (``ResNet18``) and ours (``torchvision/resnet18``) mean the same one."""

    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].partition(".")[0].lower())

    return plain(paper) == plain(ours)


def claims_for(name: str) -> tuple[PublishedClaim, ...]:
    """Return what the papers claim about a benchmark, in the order of the file; nothing where they claim nothing.

    Args:
        name: of a benchmark.

    Raises:
        ConfigError: a statement cannot be parsed.
    """
    return tuple(
        PublishedClaim(
            title=row["claim"],
            claim=Claim(row["statement"], row["source"]) if row["statement"] else None,
            printed=float(row["printed"]) if row["printed"] else None,
            unit=row["unit"],
            source=row["source"],
        )
        for row in _rows(_CLAIMS)
        if row["benchmark"] == name
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    with _SHELF.find(name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
