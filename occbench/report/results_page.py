"""The benchmark's results as one self-contained HTML page: whole without its script, and never on the network."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from markupsafe import Markup

from occbench.core.results.breakdowns import HeatMap
from occbench.core.results.examples import ExamplePrediction
from occbench.core.results.result_set import ResultSet
from occbench.report import wording
from occbench.report.example_browser import ExampleBrowser, browse
from occbench.report.figures import draw_curves, draw_key
from occbench.report.page_templates import TEMPLATES, page_template

__all__ = ["results_page"]

_SCRIPTS: Final = ("tables.js", "examples.js")
_WORST_CLASSES: Final = 10


@dataclass(frozen=True, slots=True)
class _Part:
    """A result set and what is drawn of it."""

    results: ResultSet
    anchor: str
    figure: Markup
    shades: tuple[float, float]
    browser: ExampleBrowser | None

    @property
    def row_numbers(self) -> dict[str, int]:
        """Label -> place of its row in the headline table: what is filtered together."""
        return {row.label: number for number, row in enumerate(self.results.rows)}


def results_page(results: Sequence[ResultSet], examples: Sequence[Iterable[ExamplePrediction]] = ()) -> str:
    """Return the page.

    Args:
        results: every table.
        examples: of each table, in the same order; may be shorter, for runs keep predictions and no photographs.
    """
    parts = [
        _part(item, f"table{number + 1}", examples[number] if number < len(examples) else ())
        for number, item in enumerate(results)
    ]
    script = '"use strict";\n' + "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return page_template("benchmark.html.jinja").render(
        parts=parts,
        wording=wording,
        key=lambda number: Markup(draw_key(number)),
        shade=_shade,
        worst=_WORST_CLASSES,
        script=Markup(script),
        # the page's policy lets no other script run, whatever a name may bring
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
    )


def _part(results: ResultSet, anchor: str, examples: Iterable[ExamplePrediction]) -> _Part:
    # drawn by us: every name in it is escaped there
    figure = Markup(draw_curves(results.curves, anchor, results.metric_title)) if results.curves else Markup("")
    browser = browse(examples)
    return _Part(results, anchor, figure, _shades(results.heat_maps), browser if browser.count else None)


def _shades(heat_maps: Sequence[HeatMap]) -> tuple[float, float]:
    """Return the least and the greatest value of all maps: they share one scale, so that they can be compared."""
    values = [value for item in heat_maps for row in item.values for value in row if value is not None]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _shade(value: float, shades: tuple[float, float]) -> int:
    low, high = shades
    return round(100 * (value - low) / (high - low)) if high > low else 50
