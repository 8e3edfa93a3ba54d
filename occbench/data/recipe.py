"""A recipe: one YAML file says exactly which dataset is made; its canonical JSON has a fingerprint."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Occlusion, Source
from occbench.core.plugins import find_plugin
from occbench.core.prepare import Prepare
from occbench.core.types import CLEAN, KEY_PATTERN, Condition

__all__ = ["PluginSpec", "Recipe", "Storage", "find_recipe", "load_recipe", "parse_recipe", "recipe_names"]

Role = TypeVar("Role")

#: Where recipes live: in an installed wheel inside the package, in a checkout beside it.
_FOLDERS: Final = (Path(__file__).parents[1] / "_recipes", Path(__file__).parents[2] / "recipes")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PluginSpec(BaseModel):
    """A plug-in and its options: ``name`` and, beside it, the fields of the player it names."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


class Storage(_Model):
    """How the dataset lies on disk.

    Attributes:
        layout: ``virtual`` stores clean images and overlays and renders while reading; ``materialised`` stores every
            occluded image.
        format: container of the occluded images: ``parquet`` or ``webdataset`` (tar).
        occluded: ``png`` is lossless; ``jpeg`` is 4:4:4 with a restart marker after every MCU.
        jpeg_quality: 1 to 100.
        rows_per_shard: occluded images in a shard, about; a shard always holds whole clean images.
    """

    layout: Literal["virtual", "materialised"] = "virtual"
    format: Literal["parquet", "webdataset"] = "parquet"
    occluded: Literal["png", "jpeg"] = "png"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    rows_per_shard: Annotated[int, Field(ge=1, le=1_000_000)] = 6144


class Recipe(_Model):
    """What to make: source, resize rule, occlusions, seed, storage.

    Attributes:
        name: matches ``core.types.KEY_PATTERN``.
        description: one or two sentences for lists and cards.
        reference: the paper whose protocol it follows, if any.
        source: a source's name and options; the path comes from the command line.
        prepare: the resize rule, applied before any occlusion.
        occlusions: one or more families with their options; their conditions are joined in order.
        seed: names every random stream, 0 or more.
        storage: how the dataset lies on disk.
    """

    name: str
    description: str = ""
    reference: str = ""
    source: PluginSpec
    prepare: Prepare = Prepare()
    occlusions: Annotated[tuple[PluginSpec, ...], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0)] = 0
    storage: Storage = Storage()

    @field_validator("name")
    @classmethod
    def _name_is_a_key(cls, name: str) -> str:
        if not KEY_PATTERN.fullmatch(name):
            raise ValueError(f"a name is made of a-z, 0-9, - and _, found {name!r}")
        return name

    def open_source(self, path: str = "") -> Source:
        """Open the source; ``path`` is the folder, file or repository it reads."""
        options = self.source.options
        return _build(self.source.name, "sources", Source, {**options, "path": path} if path else options)

    def build_occlusions(self) -> tuple[Occlusion, ...]:
        """Build every family with its options.

        Raises:
            ConfigError: a wrong option, or two conditions of the same name.
        """
        built = tuple(_build(spec.name, "occlusions", Occlusion, spec.options) for spec in self.occlusions)
        names = [condition.name for family in built for condition in family.conditions]
        if twice := sorted({name for name in names if names.count(name) > 1 or name == CLEAN.name}):
            raise ConfigError(
                f"recipe {self.name}: condition names must differ, found {', '.join(twice[:3])} more than once. "
                "Give the families different occluders, ratios or levels."
            )
        return built

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition, in row order, without ``clean``."""
        return tuple(condition for family in self.build_occlusions() for condition in family.conditions)

    def pixels_fingerprint(self) -> str:
        """A hash of everything but the source path that decides the pixels and labels of the dataset's rows.

        Storage is left out: a virtual and a materialised PNG dataset of one recipe have the same fingerprint.
        """
        families = self.build_occlusions()
        return fingerprint(
            {
                "source": self.source.model_dump(),
                "prepare": self.prepare.model_dump(),
                "occlusions": [
                    {**spec.model_dump(), "version": family.version, "summary": family.summary()}
                    for spec, family in zip(self.occlusions, families, strict=True)
                ],
                "seed": self.seed,
            }
        )


def recipe_names() -> list[str]:
    """Return the names of the packaged recipes, sorted."""
    return sorted({file.stem for folder in _FOLDERS if folder.is_dir() for file in folder.glob("*.yaml")})


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a packaged recipe's name, or the path itself.

    Raises:
        ConfigError: neither a packaged name nor a file.
    """
    for folder in _FOLDERS:
        if (packaged := folder / f"{name_or_path}.yaml").is_file():
            return packaged
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ConfigError(
        f"no recipe is called {name_or_path!r}, and there is no such file. Packaged: {', '.join(recipe_names())}."
    )


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides of the form ``a.b=c`` (the value is read as YAML; list items by number).

    Raises:
        ConfigError: no such recipe, not YAML, an unknown key, a value of the wrong type or range.
    """
    path = find_recipe(name_or_path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a recipe is a mapping of keys, found {type(content).__name__}")
    for override in overrides:
        _override(content, override)
    return parse_recipe(content, str(path))


def parse_recipe(content: Mapping[str, Any], origin: str) -> Recipe:
    """Validate a recipe's content; ``origin`` names it in errors.

    Raises:
        ConfigError: as ``load_recipe``.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_first_problems(error)}") from error


def _first_problems(error: ValidationError) -> str:
    problems = []
    for item in error.errors()[:3]:
        place = ".".join(map(str, item["loc"])) or "recipe"
        found = "" if item["type"] in ("missing", "extra_forbidden") else f", found {item['input']!r}"
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


def _build(name: str, kind: str, role: type[Role], options: Mapping[str, Any]) -> Role:
    player = find_plugin(kind, name, role)
    known = {item.name for item in fields(player) if item.init} if is_dataclass(player) else set()
    if unknown := sorted(set(options) - known):
        offered = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{name} has no option {', '.join(unknown)}. Its options: {offered}.")
    try:
        return TypeAdapter(player).validate_python(options)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_first_problems(error)}") from error
