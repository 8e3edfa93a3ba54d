"""Ranges and choices are checked when a player is built, and an error calls the player by its name."""

from dataclasses import dataclass
from typing import Literal

import pytest

from occbench.core.errors import ConfigError
from occbench.core.option_ranges import check_choice, check_range


@dataclass(frozen=True)
class Own:
    """A player that is not built in."""

    sides: tuple[int, ...] = (1, 2)
    share: float | None = None
    order: Literal["up", "down"] = "up"

    def __post_init__(self):
        check_range(self, "sides", 1)
        check_range(self, "share", 0.0, 1.0)
        check_choice(self, "order")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sides": (3, 0)}, "Own needs sides of 1 or more, found 0"),
        ({"share": float("nan")}, "Own needs share from 0 to 1, found nan"),
        ({"order": "left"}, "Own needs order up or down, found 'left'"),
    ],
)
def test_a_player_of_ones_own_is_called_by_its_class(options, said):
    assert Own().share is None
    with pytest.raises(ConfigError, match=said):
        Own(**options)
