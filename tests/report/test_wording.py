import pytest

from occbench.core.results import Number
from occbench.report.wording import count_verdicts, interval, p_value, signed, versus_paper


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
