"""How numbers are written in every output: two digits for accuracies, one sign for differences, words for ranges."""

from collections.abc import Sequence

from occbench.core.results.breakdowns import Curve
from occbench.core.results.result_set import ResultSet
from occbench.core.results.rows import ClaimVerdict, Number, TableCell

__all__ = [
    "against",
    "capital",
    "count_verdicts",
    "curve_title",
    "holds_paper",
    "hours",
    "interval",
    "p_value",
    "percent_points",
    "seeds",
    "signed",
    "title",
    "versus_paper",
]

_MINUS = "\N{MINUS SIGN}"


def capital(text: str) -> str:
    """Return text that begins a sentence."""
    return text[:1].upper() + text[1:]


def percent_points(value: float) -> str:
    """Return percentage points as text, e.g. ``62.52``."""
    text = f"{value:.2f}".replace("-", _MINUS)
    return "0.00" if text == f"{_MINUS}0.00" else text


def signed(value: float) -> str:
    """Return a difference with its sign, e.g. ``+1.20``; zero has none."""
    text = percent_points(value)
    return text if text == "0.00" or text.startswith(_MINUS) else f"+{text}"


def interval(number: Number) -> str:
    """Return the interval, e.g. ``[60.10, 64.90]``; nothing where there is none."""
    if number.low is None or number.high is None:
        return ""
    return f"[{percent_points(number.low)}, {percent_points(number.high)}]"


def p_value(value: float) -> str:
    """Return a p-value with as many digits as 10,000 draws support."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def seeds(numbers: tuple[int, ...]) -> str:
    """Return the seeds as text, e.g. ``0, 1, 2``."""
    return ", ".join(map(str, numbers))


def title(results: ResultSet) -> str:
    """Return the name of a table: its benchmark and what sets it apart."""
    return f"{results.benchmark} ({results.setting})" if results.setting else results.benchmark


def against(curves: Sequence[Curve]) -> str:
    """Return what accuracy is drawn against."""
    return "the hidden share of the object" if curves[0].of == "object" else "the occlusion ratio"


def curve_title(curves: Sequence[Curve], measure: str = "Accuracy") -> str:
    """Return the heading over curves."""
    return f"{measure} against {against(curves).removeprefix('the ')}"


def versus_paper(published: float | None, difference: float | None) -> str:
    """Return the paper's number and ours minus it, e.g. ``paper 62.52, +1.20``; nothing where it has none."""
    if published is None:
        return ""
    return f"paper {percent_points(published)}" + ("" if difference is None else f", {signed(difference)}")


def holds_paper(cell: TableCell) -> str:
    """Say whether our interval holds the paper's number; nothing where one of them is missing."""
    if cell.published is None or cell.number.low is None or cell.number.high is None:
        return ""
    return f"{'inside' if cell.number.low <= cell.published <= cell.number.high else 'outside'} the interval"


def hours(seconds: float) -> str:
    """Return seconds as hours, e.g. ``12.35``; less than six minutes have a digit more."""
    found = seconds / 3600
    return f"{found:,.2f}" if found >= 0.1 else f"{found:.3f}"


def count_verdicts(verdicts: tuple[ClaimVerdict, ...]) -> str:
    """Return how many claims came out how, e.g. ``2 hold, 1 undecided``."""
    counted = {
        "hold": sum(item.verdict == "holds" for item in verdicts),
        "fail": sum(item.verdict == "fails" for item in verdicts),
        "undecided": sum(item.verdict == "undecided" for item in verdicts),
        "not judged": sum(item.verdict == "not judged" for item in verdicts),
    }
    return ", ".join(f"{count} {name}" for name, count in counted.items() if count)
