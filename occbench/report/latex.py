"""Results as LaTeX tables: booktabs rules, the paper's numbers in a line below ours."""

from collections.abc import Sequence
from typing import Final

from occbench.core.results.result_set import ResultSet
from occbench.core.results.rows import ResultRow
from occbench.report.wording import interval, percent_points, signed, title

__all__ = ["escape_latex", "latex_of"]

_ESCAPES: Final = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "\N{MINUS SIGN}": "$-$",
    }
)


def latex_of(results: Sequence[ResultSet]) -> str:
    r"""Return a ``table`` environment per result set; the document needs ``\usepackage{booktabs}``."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(_table(item) for item in results)


def escape_latex(text: str) -> str:
    """Return text that LaTeX sets as it is."""
    return text.translate(_ESCAPES)


def _table(item: ResultSet) -> str:
    caption = (
        f"{title(item)}: {item.metric_title} in % with 95 % intervals over images"
        f"{' and seeds' if any(len(row.seeds) > 1 for row in item.rows) else ''}; {item.images:,} test images."
    )
    if any(cell.published is not None for row in item.rows for cell in row.cells):
        caption += f" In parentheses, ours minus the paper's ({item.published_source})."
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(item.columns)}}}",
        r"\toprule",
        _line(["", *map(escape_latex, item.columns)]),
        r"\midrule",
        *(line for row in item.rows for line in _row(row)),
    ]
    if item.published_only:
        lines.append(r"\midrule")
        lines += [
            _line([rf"{escape_latex(row.arm)} (paper)", *("--" if v is None else _number(v) for v in row.values)])
            for row in item.published_only
        ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _row(row: ResultRow) -> list[str]:
    ours = [_number(cell.number.value) for cell in row.cells]
    intervals = [rf"{{\scriptsize {escape_latex(interval(cell.number))}}}" for cell in row.cells]
    lines = [_line([escape_latex(row.label), *ours]), _line(["", *intervals])]
    if any(cell.published is not None for cell in row.cells):
        paper = [
            "--"
            if cell.published is None or cell.difference is None
            else rf"\textit{{{_number(cell.published)}}} ({escape_latex(signed(cell.difference))})"
            for cell in row.cells
        ]
        lines.append(_line([r"\quad paper", *paper]))
    return lines


def _number(value: float) -> str:
    return escape_latex(percent_points(value))


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
