"""Players built from a name and options, the options' types checked: what YAML says becomes a player here."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from textwrap import shorten
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from occbench.core.errors import ConfigError
from occbench.core.plugins import find_plugin

__all__ = ["build_plugin", "build_spec", "first_problems"]

Role = TypeVar("Role")


def build_plugin(name: str, kind: str, role: type[Role], options: Mapping[str, Any]) -> Role:
    """Find a plug-in and build it with its options, their types checked.

    Raises:
        PluginError: no such plug-in.
        ConfigError: an option it does not have, or a value of the wrong type or range.
    """
    player = find_plugin(kind, name, role)
    options_of = [item for item in fields(player) if item.init] if is_dataclass(player) else []
    known = {item.name for item in options_of}
    if unknown := sorted(set(options) - known):
        offered = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{name} has no option {', '.join(unknown)}. Its options: {offered}.")
    if not is_dataclass(player):
        return player()
    if missing := [item.name for item in options_of if _is_required(item) and item.name not in options]:
        way = "give --source, or set it beside the name" if missing == ["path"] else "set it beside the name"
        raise ConfigError(f"{name} needs {', '.join(missing)}, found no value: {way}.")
    try:
        return TypeAdapter(player).validate_python(options)
    except ValidationError as error:
        raise ConfigError(f"{name}: {first_problems(error)}") from error


def build_spec(spec: Mapping[str, Any], kind: str, role: type[Role], where: str) -> Role:
    """Build the player that an option of another player names: a mapping of ``name`` and, beside it, its options.

    Args:
        spec: the option's value.
        kind: as ``core.plugins.find_plugin``.
        role: the abstract class it must implement.
        where: the option, for errors, e.g. ``part_replace: donors``.

    Raises:
        ConfigError: no name, an option it does not have, or a value of the wrong type or range.
        PluginError: no such plug-in.
    """
    options = dict(spec)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(
            f"{where} needs a name and its options, such as {{name: ...}}, found {shorten(repr(spec), 80)}."
        )
    return build_plugin(name, kind, role, options)


def first_problems(error: ValidationError) -> str:
    """Return what pydantic found wrong, its first three problems on one line."""
    problems = []
    for item in error.errors()[:3]:
        path = ".".join(map(str, item["loc"]))
        place = f"{path}: " if path else ""
        if item["type"] == "extra_forbidden":
            problems.append(f"{place}there is no such key")
            continue
        found = "" if item["type"] == "missing" else f", found {shorten(repr(item['input']), 80)}"
        problems.append(f"{place}{item['msg'].removeprefix('Value error, ')}{found}")
    return "; ".join(problems)


def _is_required(option: Field[Any]) -> bool:
    return option.default is MISSING and option.default_factory is MISSING
