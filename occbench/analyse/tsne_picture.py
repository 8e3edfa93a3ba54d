"""The maps of figures 2, 3 and S1."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from occbench.analyse.difference_vectors import PairedVectors
from occbench.report.palette import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_all_classes", "draw_vectors"]

Embedding = Callable[[NDArray[np.floating], int], NDArray[np.float64]]


def draw_vectors(
    paired: PairedVectors, classes: Sequence[str], patterns: Sequence[str], beta: float, seed: int, embed: Embedding
) -> "Figure":
    """Draw figure 2 (vectors and difference vectors) beside figure 3 (vectors and pseudo vectors).

    Args:
        paired: vectors of the classes' images, class by class.
        classes: their names, in that order.
        patterns: their occluders, in order.
        beta: factor of the difference vectors.
        seed: of the embedding.
        embed: puts vectors into the plane.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    images, count, dim = paired.occluded.shape
    known = torch.unique_consecutive(paired.labels).tolist()
    member = np.asarray([known.index(label) for label in paired.labels.tolist()])
    occluded = paired.occluded.reshape(images * count, dim)
    differences = paired.differences.reshape(images * count, dim)
    twice = np.repeat(member, count)
    plane = embed(torch.cat([paired.clean, occluded, differences]).numpy(), seed)
    _points(left, plane[:images], member, size=42, edge="black")
    _points(left, plane[images : images * (1 + count)], twice, size=14)
    for number, pattern in enumerate(patterns):
        rows = plane[images * (1 + count) :][number::count]
        left.scatter(
            rows[:, 0], rows[:, 1], s=26, c="black", marker="x+1234"[number % 6], linewidths=0.9, label=f"DV {pattern}"
        )
    left.set_title("Vectors and difference vectors (figure 2)")
    pseudo = torch.cat([paired.pseudo(image, beta) for image in range(images)])
    plane = embed(torch.cat([pseudo, paired.clean, occluded]).numpy(), seed)
    each = len(pseudo) // images
    _points(right, plane[: len(pseudo)], np.repeat(member, each), size=3, alpha=0.35)
    _points(right, plane[len(pseudo) : len(pseudo) + images], member, size=42, edge="black")
    _points(right, plane[len(pseudo) + images :], twice, size=14, edge="white")
    right.set_title(f"With {len(pseudo):,} pseudo vectors (figure 3)")
    _dress(figure, (left, right), classes, patterns)
    return figure


def draw_all_classes(paired: PairedVectors, patterns: Sequence[str], seed: int, embed: Embedding) -> "Figure":
    """Draw figure S1: clean vectors of all classes in grey, difference vectors in their pattern's colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.subplots()
    images, count, dim = paired.differences.shape
    plane = embed(torch.cat([paired.clean, paired.differences.reshape(images * count, dim)]).numpy(), seed)
    axes.scatter(
        plane[:images, 0], plane[:images, 1], s=9, c="#8a8f98", marker="o", linewidths=0, label="clean vectors"
    )
    for number, pattern in enumerate(patterns):
        rows = plane[images:][number::count]
        axes.scatter(
            rows[:, 0],
            rows[:, 1], s=12, c=COLOURS[number % 8], marker=MARKERS[number % 8], linewidths=0, alpha=0.8,
            label=f"difference vectors, {pattern}",
        )  # fmt: skip
    _bare(axes)
    axes.set_title("Difference vectors of all classes by pattern (figure S1)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _points(
    axes: Any,  # noqa: ANN401 - matplotlib is untyped here
    plane: NDArray[np.float64],
    member: NDArray[np.integer],
    *,
    size: float,
    edge: str = "none",
    alpha: float = 1.0,
) -> None:
    for number in np.unique(member).tolist():
        rows = plane[member == number]
        axes.scatter(
            rows[:, 0],
            rows[:, 1], s=size, c=COLOURS[number % 8], marker=MARKERS[number % 8], edgecolors=edge,
            linewidths=0.0 if edge == "none" else 0.7, alpha=alpha,
        )  # fmt: skip


def _dress(figure: "Figure", both: tuple[Any, Any], classes: Sequence[str], patterns: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    for axes in both:
        _bare(axes)
    entries = [
        Line2D([], [], color=COLOURS[number % 8], marker=MARKERS[number % 8], linestyle="", label=name)
        for number, name in enumerate(classes)
    ]
    entries += [
        Line2D([], [], color="black", marker="x+1234"[number % 6], linestyle="", label=f"difference vectors, {name}")
        for number, name in enumerate(patterns)
    ]
    for size, edge, text in ((6.5, "black", "clean image"), (3.7, "none", "occluded image"), (1.8, "none", "pseudo")):
        entries.append(
            Line2D([], [], color="#8a8f98", marker="o", markersize=size, markeredgecolor=edge, linestyle="", label=text)
        )
    figure.legend(handles=entries, loc="outside lower center", ncols=4, frameon=False)


def _bare(axes: Any) -> None:  # noqa: ANN401 - matplotlib is untyped here
    """Take the ticks away: positions in the map have no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c8ccd2")
