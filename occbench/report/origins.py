"""Where a preview's images come from: a recipe, rendered now, or a finished dataset, read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from occbench.core.errors import ConfigError
from occbench.core.prepare import read_prepared
from occbench.core.types import Condition, Example, Sample
from occbench.data.clean import CleanImages
from occbench.data.layout import MANIFEST_FILE
from occbench.data.manifest import read_manifest
from occbench.data.recipe import Recipe, load_recipe, recipe_names
from occbench.data.render import Renderer

__all__ = ["Facts", "Origin", "open_origin"]

#: (name, value) pairs for a reader.
Facts = list[tuple[str, str]]


class Origin(ABC):
    """Where clean images and their occluded versions come from.

    Attributes:
        recipe: what was asked for.
        classes: names in label order.
        count: clean images, usable or not.
    """

    recipe: Recipe
    classes: Sequence[str]
    count: int

    @abstractmethod
    def key(self, position: int) -> str:
        """Return the key of clean image ``position``."""

    @abstractmethod
    def image(self, position: int) -> tuple[Example, Callable[[Condition], Sample]]:
        """Return clean image ``position`` after the resize rule, and what puts it under a condition.

        Raises:
            BrokenImageError: it cannot be used; the callable may raise it, too.
        """

    @abstractmethod
    def facts(self) -> Facts:
        """Return where the images come from and what decides their pixels."""


class _FromRecipe(Origin):
    """Renders what a recipe would make."""

    def __init__(self, recipe: Recipe, source_path: str) -> None:
        self.recipe = recipe
        self._source = recipe.open_source(source_path)
        self._renderer = Renderer(recipe.build_occlusions(self._source), recipe.seed)
        self.classes = self._source.classes
        self.count = len(self._source)

    def key(self, position: int) -> str:
        return self._source.key(position)

    def image(self, position: int) -> tuple[Example, Callable[[Condition], Sample]]:
        example = read_prepared(self._source, position, self.recipe.prepare)
        return example, lambda condition: self._render(example, condition)

    def facts(self) -> Facts:
        return [
            *_recipe_facts(self.recipe),
            ("Source", f"{self.recipe.source.name}, fingerprint {self._source.fingerprint}"),
            ("Terms of the clean images", self._source.terms),
            ("Fingerprint of the pixels", self.recipe.pixels_fingerprint()),
            ("Occluded images", "rendered from the recipe for this preview"),
        ]

    def _render(self, example: Example, condition: Condition) -> Sample:
        image, overlay = self._renderer.render(example, condition)
        return overlay.sample(example, condition, image)


class _FromDirectory(Origin):
    """Reads a finished dataset: stored rows where there are any."""

    def __init__(self, directory: Path) -> None:
        from occbench.data.datasets import load  # here, because it imports torch and a recipe's preview needs none

        self._dataset = load(directory)
        self._manifest = self._dataset.manifest
        self._clean = CleanImages(directory, self._manifest)
        self._numbers = {condition.name: number for number, condition in enumerate(self._dataset.conditions)}
        self.recipe = self._manifest.recipe
        self.classes = self._manifest.classes
        self.count = len(self._clean)

    def key(self, position: int) -> str:
        return str(self._clean.row(position)["key"])

    def image(self, position: int) -> tuple[Example, Callable[[Condition], Sample]]:
        first = position * len(self._numbers)
        return self._clean.example(position), lambda condition: self._dataset.sample(
            first + self._numbers[condition.name]
        )

    def facts(self) -> Facts:
        manifest = self._manifest
        return [
            *_recipe_facts(manifest.recipe),
            ("Source", f"{manifest.source.name}, fingerprint {manifest.source.fingerprint}"),
            ("Terms of the clean images", manifest.source.terms),
            ("Fingerprint of the pixels", manifest.pixels_fingerprint),
            ("Fingerprint of the dataset", manifest.dataset_fingerprint),
            ("Quarantined when generated", str(manifest.quarantined)),
            (
                "Occluded images",
                "read from the stored rows"
                if manifest.storage.stores_rows
                else "rendered from the stored clean images",
            ),
        ]


def open_origin(recipe_or_directory: str, source_path: str, overrides: Sequence[str]) -> Origin:
    """Open a finished dataset's directory or, where it is none, a recipe.

    Raises:
        ConfigError: a wrong recipe or override, or a source or override given with a finished dataset.
        DatasetError: a directory without a finished dataset.
        SourceError: the recipe's source cannot be opened.
    """
    directory = Path(recipe_or_directory)
    finished = (directory / MANIFEST_FILE).is_file()
    # a folder that happens to be called like a packaged recipe does not hide the recipe, unless it is a dataset
    if not finished and (recipe_or_directory in recipe_names() or not directory.is_dir()):
        return _FromRecipe(load_recipe(recipe_or_directory, overrides), source_path)
    read_manifest(directory)
    if source_path or overrides:
        raise ConfigError(f"--source and --set are for recipes; {directory} is a finished dataset. Leave them out.")
    return _FromDirectory(directory)


def _recipe_facts(recipe: Recipe) -> Facts:
    facts = []
    if recipe.reference:
        facts.append(("Protocol", recipe.reference))
    for spec, family in zip(recipe.occlusions, recipe.build_occlusions(), strict=True):
        options = ", ".join(f"{name} {_text(value)}" for name, value in spec.options.items())
        facts.append(("Occlusion", f"{spec.name} version {family.version}" + (f" ({options})" if options else "")))
        summary = family.summary()
        if "bank" in summary:
            facts.append(("Bank", f"{summary['bank']}, fingerprint {summary['bank_fingerprint']}"))
    size = "" if recipe.prepare.rule == "none" else f", {recipe.prepare.size_px} px"
    return [*facts, ("Resize rule", recipe.prepare.rule.replace("_", " ") + size), ("Seed", str(recipe.seed))]


def _text(value: object) -> str:
    return " ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)
