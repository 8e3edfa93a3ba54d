"""Shares in names of conditions."""

import pytest

from occbench.occlusions.percent import percent


@pytest.mark.parametrize(
    ("share", "name"), [(0.5, "50"), (1, "100"), (0.29, "29"), (0.125, "12p5"), (0.003, "0p3"), (0.1234567, "12p34567")]
)
def test_no_digit_is_lost_and_none_is_made_up(share, name):
    assert percent(share) == name
