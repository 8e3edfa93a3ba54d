"""Options of players that are built in Python, held to what their types say, as ``core.build`` does for YAML."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from occbench.core.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["check_different", "settle_options"]


def settle_options(name: str, player: "DataclassInstance") -> None:
    """Turn lists among a new player's options into tuples, and refuse a value that an option's type does not list.

    To be called first in ``__post_init__``.

    Args:
        name: the player's, for errors.
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
                choices = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
                raise ConfigError(f"{name}: {option.name} is {choices}, found {found!r}: use one of these.")


def check_different(name: str, option: str, values: Sequence[object]) -> None:
    """Refuse a list that has a value twice.

    Raises:
        ConfigError: it has.
    """
    if twice := [value for place, value in enumerate(values) if value in values[:place]]:
        raise ConfigError(f"{name}: {option} must differ, found {twice[0]} more than once: list each once.")


def _frozen(value: Any) -> Any:  # noqa: ANN401 - options are of any type
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
