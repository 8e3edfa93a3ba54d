"""Figures as inline SVG: text stays text, ink takes the page's colour, nothing refers to anything outside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Final

from occbench.core.results.breakdowns import Curve
from occbench.report.palette import COLOURS, DASHES, MARKERS, line_style
from occbench.report.wording import against, capital

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["describe_curves", "draw_curves", "draw_key"]

#: Stands for the page's text colour until the SVG is written; no other line has it.
_INK: Final = "#010203"
#: Opacity of a band; that of many is less, for they lie on each other.
_BAND: Final = 0.16
#: Each of the markers in a square from -1 to 1.
_OUTLINES: Final = (
    "M-.9 0a.9 .9 0 1 0 1.8 0a.9 .9 0 1 0 -1.8 0z",
    "M-.85-.85h1.7v1.7h-1.7z",
    "M0-1L1 .9H-1z",
    "M0-1.1L1.1 0L0 1.1L-1.1 0z",
    "M0 1L1-.9H-1z",
    "M-.35-1h.7v.65h.65v.7h-.65v.65h-.7v-.65h-.65v-.7h.65z",
    "M-1-.5L-.5-1L0-.5L.5-1L1-.5L.5 0L1 .5L.5 1L0 .5L-.5 1L-1 .5L-.5 0z",
    "M0-1.1L.26-.36L1.05-.34L.42 .14L.65 .89L0 .44L-.65 .89L-.42 .14L-1.05-.34L-.26-.36z",
)


def draw_curves(curves: Sequence[Curve], prefix: str, metric: str = "top-1 accuracy") -> str:
    """Return a metric against what is hidden, one line with its band for every row of the table; no legend.

    Args:
        curves: what to draw.
        prefix: put before every id, so that several figures can stand in one page; what belongs to a curve has an id
            that begins with ``<prefix>-curve-<its number>-``.
        metric: what they are of.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix, "font.size": 10}):
        figure = Figure(figsize=(5.6, 3.9), layout="constrained")
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            _draw(axes, curve, number, band=_BAND if len(curves) <= len(COLOURS) else _BAND / 2)
        _dress(axes, curves, metric)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True)
    return _inline(text.getvalue(), describe_curves(curves, metric), prefix)


def draw_key(number: int) -> str:
    """Return the piece of a curve that stands before its name in the legend.

    Args:
        number: of the curve, in the order of ``draw_curves``.
    """
    style = _style(number)
    width = 1.8
    dashes = " ".join(f"{width * length:g}" for length in style.dashes)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<svg viewBox="0 0 36 12" width="36" height="12" aria-hidden="true" fill="{style.colour}">'
        f'<path d="M0 6H36" stroke="{style.colour}" stroke-width="{width}"{dashed}/>'
        f'<path transform="translate(18 6) scale(3.6)" d="{style.outline}"/></svg>'
    )


def describe_curves(curves: Sequence[Curve], metric: str = "top-1 accuracy") -> str:
    """Return the figure in words, for readers who do not see it."""
    parts = [
        f"{curve.label} goes from {curve.points[0][1].value:.1f} at {100 * curve.points[0][0]:g} % "
        f"to {curve.points[-1][1].value:.1f} at {100 * curve.points[-1][0]:g} %"
        for curve in curves
    ]
    return f"{capital(metric)} in percent against {against(curves)}: {'; '.join(parts)}."


@dataclass(frozen=True, slots=True)
class _Style:
    """How a curve looks: no two of the first 32 look alike."""

    colour: str
    dashes: tuple[float, ...]
    marker: str
    outline: str


def _style(number: int) -> _Style:
    turn, place = divmod(number, len(COLOURS))
    marker = (place + 3 * turn) % len(MARKERS)
    return _Style(COLOURS[place], DASHES[(place + turn) % len(DASHES)], MARKERS[marker], _OUTLINES[marker])


def _draw(axes: "Axes", curve: Curve, number: int, band: float) -> None:
    style = _style(number)
    ratios = [100 * ratio for ratio, _ in curve.points]
    values = [point.value for _, point in curve.points]
    low = [point.value if point.low is None else point.low for _, point in curve.points]
    high = [point.value if point.high is None else point.high for _, point in curve.points]
    filled = axes.fill_between(ratios, low, high, color=style.colour, alpha=band, linewidth=0)
    filled.set_gid(f"curve-{number}-band")
    axes.plot(
        ratios,
        values,
        color=style.colour,
        linestyle=line_style(style.dashes),
        marker=style.marker,
        markersize=5,
        linewidth=1.8,
        gid=f"curve-{number}-line",
    )


def _dress(axes: "Axes", curves: Sequence[Curve], metric: str) -> None:
    shown = "Hidden, % of the object" if curves[0].of == "object" else "Occlusion ratio, % of the image"
    axes.set_xlabel(shown, color=_INK)
    axes.set_ylabel(f"{capital(metric)}, %", color=_INK)
    axes.grid(color=_INK, alpha=0.15, linewidth=0.6)
    axes.tick_params(colors=_INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
    ratios = sorted({100 * ratio for curve in curves for ratio, _ in curve.points})
    if len(ratios) <= 11:
        axes.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])


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
