"""Proof that stored overlays are what their rows say, and hide the pixels that the recipe's masks say."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from occbench.core.errors import BrokenImageError, DatasetError
from occbench.core.interfaces import Occlusion
from occbench.core.types import Condition, Example
from occbench.data.overlays import StoredOverlays, made_by_text, to_overlay

__all__ = ["OverlayChecker"]


class OverlayChecker:
    """Checks the stored overlays of one clean image after another."""

    def __init__(
        self,
        overlays: StoredOverlays,
        families: Sequence[Occlusion],
        seed: int,
        made_by: Sequence[Mapping[str, Any]],
    ) -> None:
        """Take what is stored and what it was made from.

        Args:
            overlays: of the dataset.
            families: all of the recipe's, in order.
            seed: the recipe's.
            made_by: the manifest's: one mapping per family that is stored, in order.
        """
        self._overlays = overlays
        self._seed = seed
        self._conditions = [(family, condition) for family in families for condition in family.conditions]
        stored = [family for family in families if not family.recomputable]
        self._made_by = {
            condition.name: made_by_text(condition, facts)
            for family, facts in zip(stored, made_by, strict=False)
            for condition in family.conditions
        }

    def problems(self, example: Example, index: int) -> Iterator[str]:
        """Yield what is wrong with the overlays of a clean image, image ``index`` of the source."""
        first_row = index * len(self._conditions)
        for number, (family, condition) in enumerate(self._conditions):
            if family.recomputable:
                continue
            try:
                found = self._wrong(example, family, condition, first_row + number)
            except (DatasetError, BrokenImageError) as error:
                found = str(error)
            if found:
                yield f"{example.key} under {condition.name}: the stored overlay is wrong: {found}"

    def _wrong(self, example: Example, family: Occlusion, condition: Condition, row_id: int) -> str:
        row = self._overlays.row(example.key, condition.name)
        overlay = to_overlay(row)
        if sha256(overlay.rgba.tobytes()).hexdigest() != row["sha256"]:
            return "its pixels have another hash than its row says."
        expected = {"row": row_id, "made_by": self._made_by.get(condition.name)}
        for column, value in expected.items():
            if row[column] != value:
                return f"{column} is {row[column]!r}, and should be {value!r}."
        try:
            alpha = overlay.on_canvas(*example.image.shape[:2])[..., 3]
        except ValueError as error:
            return f"{error}."
        if abs(overlay.achieved - int(alpha.sum(dtype=np.int64)) / 255 / alpha.size) > 1e-9:
            return f"achieved is {overlay.achieved}, measured again {alpha.mean() / 255}."
        hidden = family.hidden(example, condition, self._seed)
        if hidden is not None and (off := int((alpha != hidden * np.uint8(255)).sum())):
            return f"{off} pixels are hidden that should not be, or the other way round."
        return ""
