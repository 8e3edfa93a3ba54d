"""Figure 6: two panels, clean and occluded, one line with its band for each value that is not on the axis."""

from typing import TYPE_CHECKING, Any

from occbench.analyse.sweep import Sweep, SweepPoint
from occbench.core.errors import ConfigError
from occbench.report.palette import COLOURS, DASHES, MARKERS, line_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["axis_key", "draw_sweep"]


def axis_key(sweep_keys: list[str], along: str) -> str:
    """Return the key of the horizontal axis: the one asked for by its name or last part, or the last one.

    Raises:
        ConfigError: it is not varied.
    """
    if not along:
        return sweep_keys[-1]
    for key in sweep_keys:
        if along in (key, key.rpartition(".")[2]):
            return key
    raise ConfigError(f"--along {along}: the sweep varies {', '.join(sweep_keys)}. Ask for one of them.")


def draw_sweep(sweep: Sweep, along: str) -> "Figure":
    """Draw accuracy minus the classical arm's, in percentage points, with 95 % bands over images.

    Args:
        sweep: what was found.
        along: the key on the horizontal axis.
    """
    from matplotlib.figure import Figure

    key = axis_key([variation.key for variation in sweep.variations], along)
    figure = Figure(figsize=(8.8, 4.1), layout="constrained")
    panels = figure.subplots(1, 2)
    lines: dict[str, list[SweepPoint]] = {}
    for point in sweep.points:
        others = [f"{name.rpartition('.')[2]} = {value}" for name, value in point.values.items() if name != key]
        lines.setdefault(", ".join(others), []).append(point)
    for panel, (axes, title) in enumerate(zip(panels, ("Clean images", "Occluded images"), strict=True)):
        axes.axhline(0, color="#5b616b", linewidth=1)
        for number, (label, points) in enumerate(lines.items()):
            _line(axes, sweep, points, key, (panel, number, label))
        axes.set_title(title)
        axes.set_xlabel(key.rpartition(".")[2])
        axes.grid(color="#000000", alpha=0.12, linewidth=0.6)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_ylabel("Top-1 minus the classical arm's, points")
    if len(lines) > 1 or "" not in lines:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(lines)), frameon=False)
    return figure


def _line(
    axes: Any,  # noqa: ANN401 - matplotlib is untyped here
    sweep: Sweep,
    points: list[SweepPoint],
    key: str,
    which: tuple[int, int, str],
) -> None:
    panel, number, label = which
    points = sorted(points, key=lambda point: point.values[key])
    estimates = [sweep.against_classical(point)[panel] for point in points]
    places = [point.values[key] for point in points]
    colour = COLOURS[number % len(COLOURS)]
    axes.fill_between(
        places, [item.low for item in estimates], [item.high for item in estimates], color=colour, alpha=0.13,
        linewidth=0,
    )  # fmt: skip
    axes.plot(
        places, [item.value for item in estimates], color=colour, label=label, linewidth=1.8, markersize=5,
        linestyle=line_style(DASHES[number % len(DASHES)]), marker=MARKERS[number % len(MARKERS)],
    )  # fmt: skip
