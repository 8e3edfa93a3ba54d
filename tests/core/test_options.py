"""Options of players built in Python: lists are tuples, and only what a type lists is taken, for every player."""

from dataclasses import dataclass, field, fields
from typing import Literal, get_args, get_origin

import pytest

from occbench.core.errors import ConfigError
from occbench.core.interfaces import Occlusion, Source
from occbench.core.options import check_different, check_range, settle_options
from occbench.core.plugins import BUILT_IN, find_plugin


@dataclass(frozen=True)
class Player:
    """A player of no role."""

    sides: tuple[tuple[str, float], ...] = ()
    colour: Literal["red", "green", "blue"] = "red"
    colours: tuple[Literal["red", "green"], ...] = ()
    words: dict[str, str] = field(default_factory=dict, hash=False)
    counts: tuple[int, ...] = (1, 2)
    share: float | None = None

    def __post_init__(self):
        settle_options(self)
        check_range(self, "counts", 1)
        check_range(self, "share", 0.0, 1.0)


def test_lists_become_tuples_at_any_depth_and_other_values_stay():
    player = Player(sides=[["left", 0.5], ("right", 1)], colours=["green"], words={"a": "b"})
    assert player == Player((("left", 0.5), ("right", 1)), "red", ("green",), {"a": "b"})
    assert hash(player) == hash(Player((("left", 0.5), ("right", 1)), colours=("green",)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "grey"}, "Player needs colour red, green or blue, found 'grey'. Use one of these."),
        ({"colour": 3}, "found 3"),
        ({"colours": ["red", "blue"]}, "Player needs colours red or green, found 'blue'"),
        ({"counts": (3, 0)}, "Player needs counts of 1 or more, found 0"),
        ({"share": float("nan")}, "Player needs share from 0 to 1, found nan"),
    ],
)
def test_what_a_type_does_not_list_or_a_range_leaves_out_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Player(**options)


def test_values_that_must_differ():
    check_different(Player(), "sides", ("a", "b"))
    with pytest.raises(ConfigError, match=r"Player: sides must differ, found b more than once: list each once\."):
        check_different(Player(), "sides", ("b", "a", "b"))


def choices():
    for kind, role in (("sources", Source), ("occlusions", Occlusion)):
        for name in BUILT_IN[kind]:
            player = find_plugin(kind, name, role)
            for option in fields(player):
                inner = get_args(option.type)[:1] if get_origin(option.type) is tuple else (option.type,)
                if get_origin(inner[0]) is Literal:
                    yield pytest.param(player, option, id=f"{name}.{option.name}")


@pytest.mark.parametrize(("player", "option"), list(choices()))
def test_every_player_refuses_a_choice_that_it_does_not_offer(player, option):
    path = {"path": "x"} if fields(player)[0].name == "path" else {}
    nonsense = ("nonsense",) if get_origin(option.type) is tuple else "nonsense"
    with pytest.raises(ConfigError, match=rf"needs {option.name} .*, found 'nonsense'. Use one of these"):
        player(**path, **{option.name: nonsense})
