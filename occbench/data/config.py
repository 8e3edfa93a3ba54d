"""YAML files as validated, frozen models: reading, overriding single keys, building the plug-ins they name."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from occbench.core.errors import ConfigError
from occbench.core.plugins import find_plugin

__all__ = ["FrozenModel", "PluginSpec", "apply_overrides", "build_plugin", "read_yaml", "validate"]

Role = TypeVar("Role")
Model = TypeVar("Model", bound=BaseModel)


class FrozenModel(BaseModel):
    """A configuration value: unknown keys are refused, nothing can be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginSpec(BaseModel):
    """A plug-in and its options: ``name`` and, beside it, the fields of the player it names."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML file whose content is a mapping.

    Args:
        path: the file.
        what: what it should be, for errors, e.g. ``recipe``.

    Raises:
        ConfigError: not YAML, or not a mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a {what} is a mapping of keys, found {type(content).__name__}")
    return content


def validate(model: type[Model], content: Mapping[str, Any], origin: str) -> Model:
    """Validate a mapping; ``origin`` names it in errors.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type or range.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_first_problems(error)}") from error


def apply_overrides(content: dict[str, Any], overrides: Sequence[str]) -> None:
    """Change keys in place, each given as ``a.b=c``: the value is read as YAML, items of a list are named by number.

    Raises:
        ConfigError: not of that form, or no such place.
    """
    for override in overrides:
        _override(content, override)


def _first_problems(error: ValidationError) -> str:
    problems = []
    for item in error.errors()[:3]:
        place = ".".join(map(str, item["loc"])) or "recipe"
        if item["type"] == "extra_forbidden":
            problems.append(f"{place}: there is no such key")
            continue
        found = "" if item["type"] == "missing" else f", found {shorten(repr(item['input']), 80)}"
        problems.append(f"{place}: {item['msg'].removeprefix('Value error, ')}{found}")
    return "; ".join(problems)


def _override(content: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set needs KEY.KEY=VALUE, found {override!r}")
    *parents, last = path.split(".")
    place: Any = content
    for step in parents:
        place = _child(place, step, override)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: the value is not YAML") from error
    if isinstance(place, list):
        _child(place, last, override)
        place[int(last)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise ConfigError(f"--set {override}: there are no keys below {'.'.join(parents)}")


def _child(place: Any, step: str, override: str) -> Any:  # noqa: ANN401 - parsed YAML is any value
    if isinstance(place, list):
        if not step.isdigit() or int(step) >= len(place):
            raise ConfigError(f"--set {override}: {step!r} is not an item of a list of {len(place)}")
        return place[int(step)]
    if not isinstance(place, dict):
        raise ConfigError(f"--set {override}: there are no keys below {step!r}")
    return place.setdefault(step, {})


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
        raise ConfigError(f"{name}: {_first_problems(error)}") from error


def _is_required(option: Field[Any]) -> bool:
    return option.default is MISSING and option.default_factory is MISSING
