import pytest

from occbench.core.results.rows import Number, TableCell
from occbench.report.wording import count_verdicts, holds_paper, hours, interval, p_value, signed, versus_paper


@pytest.mark.parametrize(("value", "text"), [(1.2, "+1.20"), (-0.5, "−0.50"), (0.001, "0.00"), (-0.001, "0.00")])
def test_a_difference_has_one_sign_and_zero_none(value, text):
    assert signed(value) == text


def test_what_is_not_there_is_not_written():
    assert interval(Number(5.0)) == ""
    assert versus_paper(None, None) == ""
    assert count_verdicts(()) == ""


def test_small_p_values_are_bounded_not_zero():
    assert p_value(0.0002) == "< 0.001"
    assert p_value(0.04) == "0.040"


@pytest.mark.parametrize(
    ("paper", "text"),
    [(59.0, "inside the interval"), (60.0, "inside the interval"), (60.01, "outside the interval"), (None, "")],
)
def test_an_interval_holds_the_papers_number_or_not(paper, text):
    assert holds_paper(TableCell(Number(58.5, 57.0, 60.0), None, paper, None)) == text


def test_a_number_without_an_interval_holds_nothing():
    assert holds_paper(TableCell(Number(58.5), None, 58.5, 0.0)) == ""


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.000"), (100, "0.028"), (3600, "1.00"), (4_500_000, "1,250.00")])
def test_hours_have_digits_enough(seconds, text):
    assert hours(seconds) == text
