"""Ranges and choices of options, checked when a player is built; one clear line where they are left."""

from dataclasses import fields
from math import inf
from typing import get_args

from occbench.core.errors import ConfigError
from occbench.core.plugins import name_of

__all__ = ["check_choice", "check_probability", "check_range"]


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


def check_choice(player: object, option: str) -> None:
    """Check that an option is one of the texts that its type, a ``Literal``, names.

    Raises:
        ConfigError: it is another one.
    """
    (kind,) = (field.type for field in fields(player) if field.name == option)  # type: ignore[arg-type]
    value, choices = getattr(player, option), get_args(kind)
    if value not in choices:
        wanted = f"{', '.join(map(str, choices[:-1]))} or {choices[-1]}"
        raise ConfigError(f"{name_of(type(player))} needs {option} {wanted}, found {value!r}. Use one of these.")
