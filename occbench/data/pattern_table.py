"""``patterns.parquet``: one row per condition, with the overlay itself where all images share it."""

from pathlib import Path
from typing import Any

from occbench.core.canonical import canonical_json
from occbench.core.types import Condition, Overlay
from occbench.data.masks import encode_mask
from occbench.data.overlays import overlay_columns
from occbench.data.recipe import Recipe
from occbench.data.render import Renderer
from occbench.data.schema import PATTERNS
from occbench.data.shards import parquet_writer

__all__ = ["pattern_rows", "write_pattern_table"]


def pattern_rows(recipe: Recipe) -> list[dict[str, Any]]:
    """Return one row per condition, columns as ``data.schema.PATTERNS``.

    Overlays are given for the recipe's own image size; with the resize rule ``none`` there is no such size, and the
    overlay columns are null.
    """
    renderer = Renderer(recipe.build_occlusions(), recipe.seed)
    side_px = None if recipe.prepare.rule == "none" else recipe.prepare.size_px
    rows = []
    for condition in renderer.conditions:
        row: dict[str, Any] = dict.fromkeys(PATTERNS.names) | _facts(condition, renderer.per_image(condition))
        if side_px is not None and not renderer.per_image(condition):
            row |= _placed(renderer.shared_overlay(condition, side_px, side_px), condition, side_px)
        rows.append(row)
    return rows


def write_pattern_table(path: Path, recipe: Recipe) -> int:
    """Write ``patterns.parquet`` and return its number of rows."""
    rows = pattern_rows(recipe)
    with parquet_writer(path, PATTERNS) as writer:
        writer.write_rows(rows)
    return len(rows)


def _facts(condition: Condition, per_image: bool) -> dict[str, Any]:
    return {
        "condition": condition.name,
        "family": condition.family,
        "group": condition.group,
        "parameters": canonical_json(dict(condition.parameters)),
        "per_image": per_image,
    }


def _placed(overlay: Overlay, condition: Condition, side_px: int) -> dict[str, Any]:
    mask = encode_mask(overlay.on_canvas(side_px, side_px)[..., 3] > 0)
    return {"height": side_px, "width": side_px, "mask_rle": mask, **overlay_columns(overlay, condition.name)}
