"""Methods as points: accuracy on the synthetic set against accuracy on the real one, with intervals."""

from typing import TYPE_CHECKING

from occbench.report.palette import COLOURS, MARKERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from occbench.analyse.agreement import Agreement

__all__ = ["draw_agreement"]


def draw_agreement(found: "Agreement", names: tuple[str, str]) -> "Figure":
    """Draw the scatter.

    Args:
        found: accuracies with intervals, and the correlations.
        names: of the synthetic and of the real set.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(found.methods):
        low_x, high_x, low_y, high_y = found.intervals[number]
        x, y = found.synthetic[number], found.real[number]
        axes.errorbar(
            x, y, xerr=[[max(0.0, x - low_x)], [max(0.0, high_x - x)]],
            yerr=[[max(0.0, y - low_y)], [max(0.0, high_y - y)]], color=COLOURS[number % 8],
            marker=MARKERS[number % 8], markersize=7, linewidth=1, capsize=2, label=method,
        )  # fmt: skip
    axes.set_xlabel(f"{names[0]}: top-1 accuracy, %")
    axes.set_ylabel(f"{names[1]}: top-1 accuracy, %")
    axes.set_title(f"Kendall {found.kendall.value:.2f} [{found.kendall.low:.2f}, {found.kendall.high:.2f}]")
    axes.grid(color="#000000", alpha=0.12, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure
