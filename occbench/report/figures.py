"""Figures as inline SVG: text stays text, ink takes the page's colour, nothing refers to anything outside."""

import re
import warnings
from collections.abc import Sequence
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Final

from occbench.core.results import Curve
from occbench.report.palette import COLOURS, DASHES, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["describe_curves", "draw_curves"]

#: Stands for the page's text colour until the SVG is written; no other line has it.
_INK: Final = "#010203"


def draw_curves(curves: Sequence[Curve], prefix: str) -> str:
    """Return accuracy against occlusion ratio, one line with its band for every row of the table.

    Args:
        curves: what to draw.
        prefix: put before every id, so that several figures can stand in one page.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style = {"svg.fonttype": "none", "svg.hashsalt": prefix, "text.parse_math": False, "font.size": 10}
    with mpl.rc_context(style), warnings.catch_warnings():
        # the browser sets the text, with whatever letters an arm's name has
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(5.6, 3.9), layout="constrained")
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            _draw(axes, curve, number)
        _dress(figure, axes, curves)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True)
    return _inline(text.getvalue(), describe_curves(curves), prefix)


def describe_curves(curves: Sequence[Curve]) -> str:
    """Return the figure in words, for readers who do not see it."""
    parts = [
        f"{curve.label} goes from {curve.points[0][1].value:.1f} at {100 * curve.points[0][0]:g} % "
        f"to {curve.points[-1][1].value:.1f} at {100 * curve.points[-1][0]:g} %"
        for curve in curves
    ]
    return f"Top-1 accuracy in percent against the occlusion ratio: {'; '.join(parts)}."


def _draw(axes: "Axes", curve: Curve, number: int) -> None:
    colour = COLOURS[number % len(COLOURS)]
    ratios = [100 * ratio for ratio, _ in curve.points]
    values = [point.value for _, point in curve.points]
    low = [point.value if point.low is None else point.low for _, point in curve.points]
    high = [point.value if point.high is None else point.high for _, point in curve.points]
    axes.fill_between(ratios, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        ratios,
        values,
        color=colour,
        linestyle=DASHES[number % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
        markersize=5,
        linewidth=1.8,
        label=curve.label,
    )


def _dress(figure: "Figure", axes: "Axes", curves: Sequence[Curve]) -> None:
    axes.set_xlabel("Occlusion ratio, % of the image", color=_INK)
    axes.set_ylabel("Top-1 accuracy, %", color=_INK)
    axes.grid(color=_INK, alpha=0.15, linewidth=0.6)
    axes.tick_params(colors=_INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    ratios = sorted({100 * ratio for curve in curves for ratio, _ in curve.points})
    if len(ratios) <= 11:
        axes.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    figure.legend(loc="outside lower center", ncols=min(4, len(curves)), frameon=False, labelcolor=_INK)


def _inline(svg: str, alt: str, prefix: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # a style element in an inline SVG would dress the whole page
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    # the width comes from the page
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = svg.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    svg = re.sub(r"'DejaVu Sans'(, ('[^']*'|[\w-]+))*", "system-ui, sans-serif", svg)
    svg = svg.replace(_INK, "currentColor")
    return svg.replace("<svg", f'<svg stroke-linejoin="round" role="img" aria-label="{escape(alt)}"', 1)
