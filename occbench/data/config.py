"""YAML files as validated, frozen models: reading, overriding single keys, naming plug-ins with their options."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from occbench.core.build import first_problems
from occbench.core.errors import ConfigError

__all__ = ["FrozenModel", "PluginSpec", "apply_overrides", "read_yaml", "validate"]

Model = TypeVar("Model", bound=BaseModel)


class FrozenModel(BaseModel):
    """A configuration value: unknown keys are refused, nothing can be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginSpec(BaseModel):
    """A plug-in and its options: ``name`` and, beside it, the fields of the player it names."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @model_validator(mode="after")
    def _options_are_json(self) -> "PluginSpec":
        try:
            json.dumps(self.model_extra, ensure_ascii=False).encode()
        except TypeError as error:  # YAML reads 2024-01-31 as a date, and knows sets and binary data
            raise ValueError(f"options are texts, numbers, lists and mappings: {error}. Put it in quotes.") from error
        return self

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
        raise ConfigError(f"{origin}: {first_problems(error)}") from error


def apply_overrides(content: dict[str, Any], overrides: Sequence[str]) -> None:
    """Change keys in place, each given as ``a.b=c``: the value is read as YAML, items of a list are named by number.

    Raises:
        ConfigError: not of that form, or no such place.
    """
    for override in overrides:
        _override(content, override)


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
