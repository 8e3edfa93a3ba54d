"""A heat map of drops: classes that lose most down the side, levels of every factor along the top."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from occbench.analyse.difficulty import ArmDifficulty

__all__ = ["draw_difficulty"]

#: Rows that a page can show; the CSV has all of them.
_CLASSES = 24


def draw_difficulty(item: "ArmDifficulty", classes: Sequence[str]) -> "Figure":
    """Draw one arm's map; the first row is the mean over all classes.

    Args:
        item: the drops.
        classes: names in label order.
    """
    from matplotlib.figure import Figure

    shown = item.classes[:_CLASSES]
    masks = [np.ones(len(item.labels), dtype=bool), *(item.labels == label for label in shown)]
    named = ["all classes", *(classes[label] if label < len(classes) else f"class {label}" for label in shown)]
    names = [f"{name} ({mask.sum()})" for name, mask in zip(named, masks, strict=True)]
    values = np.asarray([[100 * level.drops[mask].mean() for level in item.levels] for mask in masks])
    # as wide as the longest name needs, and as tall as the rows
    figure = Figure(figsize=(2.6 + 0.62 * len(item.levels), 1.7 + 0.27 * len(names)), layout="constrained")
    axes = figure.subplots()
    largest = max(1.0, float(np.abs(values).max()))
    image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(item.levels)), [level.value for level in item.levels], rotation=45, ha="right")
    for row, column in np.ndindex(*values.shape):
        pale = abs(values[row, column]) < 0.6 * largest
        axes.text(
            column, row, f"{values[row, column]:.0f}", ha="center", va="center", fontsize=7,
            color="black" if pale else "white",
        )  # fmt: skip
    axes.axhline(0.5, color="black", linewidth=1)
    factors = [level.factor for level in item.levels]
    for factor in dict.fromkeys(factors):
        first, count = factors.index(factor), factors.count(factor)
        axes.text(first + (count - 1) / 2, -0.75, factor, ha="center", va="bottom", fontweight="bold")
        if first:
            axes.axvline(first - 0.5, color="black", linewidth=1)
    of_all = len(np.unique(item.labels))
    which = f"the {len(shown)} of {of_all} classes that lose most" if of_all > len(shown) else "by class"
    axes.set_ylabel("class (its test images)")
    axes.set_title(fill(f"{item.label}: points lost, {which}", width=8 * len(item.levels)), pad=22)
    figure.colorbar(image, ax=axes, shrink=0.6, label="points lost")
    return figure
