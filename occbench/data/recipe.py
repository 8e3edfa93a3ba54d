"""A recipe: one YAML file says exactly which dataset is made; its canonical JSON has a fingerprint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from occbench.core.build import build_plugin
from occbench.core.canonical import fingerprint
from occbench.core.embedded import Shelf
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Occlusion, Source
from occbench.core.prepare import Prepare, PreparedImages
from occbench.core.types import CLEAN, KEY_PATTERN, Condition
from occbench.data.config import FrozenModel, PluginSpec, apply_overrides, read_yaml, validate
from occbench.data.places import fetch_folder, is_url

__all__ = ["PluginSpec", "Recipe", "Storage", "find_recipe", "load_recipe", "parse_recipe", "recipe_names"]

#: Where recipes live: in an installed wheel inside the package, in a checkout beside it.
_SHELF: Final = Shelf("recipes", ".yaml", "recipe")


class Storage(FrozenModel):
    """How the dataset lies on disk.

    Attributes:
        layout: ``virtual`` stores clean images and overlays and renders while reading; ``materialised`` stores every
            occluded image.
        format: container of the occluded images: ``parquet`` or ``webdataset`` (tar).
        occluded: ``png`` is lossless; ``jpeg`` is 4:4:4 with a restart marker after every MCU.
        jpeg_quality: 1 to 100.
        rows_per_shard: occluded images in a shard, about; a shard always holds whole clean images, and at most 256 of
            them where overlays are stored.
    """

    layout: Literal["virtual", "materialised"] = "virtual"
    format: Literal["parquet", "webdataset"] = "parquet"
    occluded: Literal["png", "jpeg"] = "png"
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    rows_per_shard: Annotated[int, Field(ge=1, le=1_000_000)] = 6144

    @property
    def materialised(self) -> bool:
        """Whether the occluded images are stored."""
        return self.layout == "materialised"

    @property
    def stores_rows(self) -> bool:
        """Whether they are stored as rows that can be read one by one; tar shards are read from end to end."""
        return self.materialised and self.format == "parquet"

    @model_validator(mode="after")
    def _tar_files_hold_stored_images(self) -> "Storage":
        if self.format == "webdataset" and not self.materialised:
            raise ValueError("format webdataset stores every image: set layout: materialised (--materialise)")
        return self


class Recipe(FrozenModel):
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
        """Open the source; ``path`` is the folder, file or repository it reads.

        A folder at a URL (``s3://bucket/photos``) is fetched into the user's cache first.
        """
        options = self.source.options
        path = str(fetch_folder(path)) if is_url(path) else path
        return build_plugin(self.source.name, "sources", Source, {**options, "path": path} if path else options)

    def build_occlusions(self, source: Source | None = None) -> tuple[Occlusion, ...]:
        """Build every family with its options.

        Args:
            source: the opened source; needed to make overlays of families that show pixels of its other images.

        Raises:
            ConfigError: a wrong option, or two conditions of the same name.
        """
        built = tuple(build_plugin(spec.name, "occlusions", Occlusion, spec.options) for spec in self.occlusions)
        if source is not None:
            donors = PreparedImages(source, self.prepare)
            built = tuple(family.with_donors(donors) if family.needs_donors else family for family in built)
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

    def measures(self) -> tuple[str, ...]:
        """Names of what any of the families measures beside the ratio, in order: columns of the occluded rows."""
        return tuple(dict.fromkeys(name for family in self.build_occlusions() for name in family.measures))

    def provenance(self) -> tuple[dict[str, Any], ...]:
        """Find what makes the overlays that are stored, one mapping per such family; empty where none are.

        Raises:
            ConfigError: something is missing (a model); one line says how to get it.
        """
        return tuple(
            {"family": spec.name, **family.provenance()}
            for spec, family in zip(self.occlusions, self.build_occlusions(), strict=True)
            if not family.recomputable
        )

    def pixels_fingerprint(self, made_by: Sequence[Mapping[str, Any]] = ()) -> str:
        """A hash of everything but the source path that decides the pixels and labels of the dataset's rows.

        Storage is left out: a virtual and a materialised PNG dataset of one recipe have the same fingerprint.

        Args:
            made_by: what made the overlays that are stored: ``provenance`` now, or a manifest's ``made_by``.
        """
        families = self.build_occlusions()
        decisive: dict[str, Any] = {
            "source": self.source.model_dump(),
            "prepare": self.prepare.model_dump(),
            "occlusions": [
                {**spec.model_dump(), "version": family.version, "summary": family.summary()}
                for spec, family in zip(self.occlusions, families, strict=True)
            ],
            "seed": self.seed,
        }
        return fingerprint(decisive | ({"made_by": list(made_by)} if made_by else {}))


def recipe_names() -> list[str]:
    """Return the names of the packaged recipes, sorted."""
    return _SHELF.names()


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a packaged recipe's name, or the path itself.

    Raises:
        ConfigError: neither a packaged name nor a file.
    """
    return _SHELF.find(name_or_path)


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides of the form ``a.b=c`` (the value is read as YAML; list items by number).

    Raises:
        ConfigError: no such recipe, not YAML, an unknown key, a value of the wrong type or range.
    """
    path = find_recipe(name_or_path)
    content = read_yaml(path, "recipe")
    apply_overrides(content, overrides)
    return parse_recipe(content, str(path))


def parse_recipe(content: Mapping[str, Any], origin: str) -> Recipe:
    """Validate a recipe's content; ``origin`` names it in errors.

    Raises:
        ConfigError: as ``load_recipe``.
    """
    return validate(Recipe, content, origin)
