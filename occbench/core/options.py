"""Options of players: settled and checked when one is built; one clear line where a value makes no sense.

What YAML says is checked against the types by ``core.build`` before; this also holds for players built in Python.
"""

from collections.abc import Sequence
from dataclasses import fields
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from occbench.core.errors import ConfigError
from occbench.core.plugins import name_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["check_different", "check_probability", "check_range", "settle_options"]


def settle_options(player: "DataclassInstance") -> None:
    """Turn lists among a new player's options into tuples, and refuse a value that an option's type does not list.

    To be called first in ``__post_init__``.

    Args:
        player: a frozen dataclass; of its options those of ``Literal`` types, or of tuples of them, are checked.

    Raises:
        ConfigError: a value is not one of those that the type lists.
    """
    for option in fields(player):
        value = _frozen(getattr(player, option.name))
        object.__setattr__(player, option.name, value)
        allowed, values = get_args(option.type), (value,)
        if get_origin(option.type) is tuple and get_origin(allowed[0]) is Literal:
            allowed, values = get_args(allowed[0]), value
        elif get_origin(option.type) is not Literal:
            continue
        for found in values:
            if found not in allowed:
                choices = f"{', '.join(map(str, allowed[:-1]))} or {allowed[-1]}"
                raise ConfigError(
                    f"{name_of(type(player))} needs {option.name} {choices}, found {found!r}. Use one of these."
                )


def check_probability(player: object, option: str) -> None:
    """Check that an option is a probability.

    Raises:
        ConfigError: outside [0, 1], or no number.
    """
    check_range(player, option, 0.0, 1.0)


def check_range(player: object, option: str, low: float, high: float = inf, *, above: bool = False) -> None:
    """Check that an option lies in a range, both ends included; so must each of several numbers, and None may stand.

    Args:
        player: has the option as an attribute.
        option: its name.
        low: lower end.
        high: upper end.
        above: whether the lower end itself is not allowed.

    Raises:
        ConfigError: outside of it, or no number.
    """
    given = getattr(player, option)
    for value in given if isinstance(given, tuple) else (given,):
        if value is None or ((low < value if above else low <= value) and value <= high):
            continue
        if high == inf:
            wanted = f"above {low:g}" if above else f"of {low:g} or more"
        else:
            wanted = f"above {low:g} and up to {high:g}" if above else f"from {low:g} to {high:g}"
        name = name_of(type(player))
        raise ConfigError(f"{name} needs {option} {wanted}, found {value}. Give it a value in that range.")


def check_different(player: object, option: str, values: Sequence[object]) -> None:
    """Refuse a list that has a value twice.

    Args:
        player: has the option.
        option: what must differ, for the error.
        values: the list.

    Raises:
        ConfigError: it has.
    """
    if twice := [value for place, value in enumerate(values) if value in values[:place]]:
        raise ConfigError(
            f"{name_of(type(player))}: {option} must differ, found {twice[0]} more than once: list each once."
        )


def _frozen(value: Any) -> Any:  # noqa: ANN401 - options are of any type
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
