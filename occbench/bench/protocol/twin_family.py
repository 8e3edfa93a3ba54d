"""What makes the occluded twins of an arm: a family of occlusions, or a finished dataset that holds them.

Twins that take long to make (diffusion) are made once by ``occbench generate``, and an arm names the dataset instead of
the family.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from occbench.core.build import build_plugin
from occbench.core.canonical import fingerprint
from occbench.core.errors import BrokenImageError, ConfigError
from occbench.core.interfaces import Occlusion
from occbench.core.prepare import Prepare
from occbench.core.types import Condition, Example, Overlay
from occbench.data.config import PluginSpec
from occbench.data.layout import OVERLAYS_FOLDER
from occbench.data.manifest import Manifest, read_manifest
from occbench.data.overlays import StoredOverlays, open_overlays
from occbench.data.render import Renderer

__all__ = ["stored_fingerprint", "twin_family"]

#: What an arm writes in place of a family's name.
_STORED: Final = "dataset"


def twin_family(spec: PluginSpec, rule: Prepare) -> Occlusion:
    """Return what makes an arm's twins.

    Args:
        spec: a family and its options, or ``{name: dataset, path: DIRECTORY}``: a finished dataset of the same images.
        rule: the benchmark's resize rule, which must be the dataset's.

    Raises:
        ConfigError: a wrong option, or a dataset of images that were resized in another way.
        DatasetError: no finished dataset.
        PluginError: no such family.
    """
    if spec.name != _STORED:
        return build_plugin(spec.name, "occlusions", Occlusion, spec.options)
    directory, manifest = _dataset(spec)
    if (found := manifest.recipe.prepare) != rule:
        raise ConfigError(
            f"the twins of {directory} were made of images resized by {_shown(found)}, the benchmark has "
            f"{_shown(rule)}: make the dataset again with `--set prepare.KEY=VALUE` for what differs."
        )
    stored = open_overlays(directory, manifest)
    renderer = Renderer(manifest.recipe.build_occlusions(), manifest.recipe.seed, stored)
    return _Stored(renderer, stored, str(directory))


def stored_fingerprint(spec: PluginSpec) -> str:
    """Return a hash of the twins that a dataset holds; empty where they are not from a dataset.

    Raises:
        ConfigError: it has no path.
        DatasetError: no finished dataset.
    """
    if spec.name != _STORED:
        return ""
    manifest = _dataset(spec)[1]
    return fingerprint([manifest.dataset_fingerprint, [file.sha256 for file in manifest.files_in(OVERLAYS_FOLDER)]])


def _dataset(spec: PluginSpec) -> tuple[Path, Manifest]:
    if set(spec.options) != {"path"}:
        raise ConfigError(f"twins from a dataset are {{name: dataset, path: DIRECTORY}}, found {spec.model_dump()}.")
    directory = Path(spec.options["path"])
    return directory, read_manifest(directory)


def _shown(rule: Prepare) -> str:
    return ", ".join(f"{key} {value}" for key, value in rule.model_dump(exclude_none=True).items())


@dataclass(frozen=True, eq=False)
class _Stored(Occlusion):
    """The twins of a dataset, as a family."""

    per_image: ClassVar[bool] = True

    renderer: Renderer
    stored: StoredOverlays | None
    directory: str

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.renderer.conditions

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:  # noqa: ARG002 - it is made
        if self.stored is not None and example.key not in self.stored:
            raise BrokenImageError(f"{example.key} is not in {self.directory}, set aside there or of another source")
        return self.renderer.bare_overlay(example, condition)
