"""The benchmark's results as one self-contained HTML page: it works without script and never asks the network."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from occbench.core.results import ExamplePrediction, HeatMap, ResultSet
from occbench.report import wording
from occbench.report.figures import draw_curves

__all__ = ["write_benchmark_page"]

_TEMPLATES: Final = Path(__file__).with_name("templates")
_WORST_CLASSES: Final = 10


@dataclass(frozen=True, slots=True)
class _Part:
    """A result set and what is drawn of it."""

    results: ResultSet
    anchor: str
    figure: Markup
    shades: tuple[float, float]
    examples: tuple[ExamplePrediction, ...]


def write_benchmark_page(results: Sequence[ResultSet], examples: Sequence[Sequence[ExamplePrediction]] = ()) -> str:
    """Return the page.

    Args:
        results: every table.
        examples: of each table, in the same order; may be shorter, for runs keep predictions and no photographs.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = []
    for number, item in enumerate(results):
        anchor = f"table{number + 1}"
        # drawn by us: every name in it is escaped there
        figure = Markup(draw_curves(item.curves, anchor, item.metric_title)) if item.curves else Markup("")
        shown = tuple(examples[number]) if number < len(examples) else ()
        parts.append(_Part(item, anchor, figure, _shades(item.heat_maps), shown))
    return environment.get_template("benchmark.html.jinja").render(
        parts=parts, wording=wording, shade=_shade, data_uri=_data_uri, worst=_WORST_CLASSES
    )


def _shades(heat_maps: Sequence[HeatMap]) -> tuple[float, float]:
    """Return the least and the greatest value of all maps: they share one scale, so that they can be compared."""
    values = [value for item in heat_maps for row in item.values for value in row if value is not None]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _shade(value: float, shades: tuple[float, float]) -> int:
    low, high = shades
    return round(100 * (value - low) / (high - low)) if high > low else 50


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
