"""occbench: exactly rendered, verifiable occluded-image datasets, and the benchmark that judges robustness on them.

Names are imported on first use, so that ``import occbench`` is quick.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from occbench.core.compose import composite, composite_batch
    from occbench.core.errors import OccbenchError
    from occbench.core.interfaces import Executor, Occlusion, Source
    from occbench.core.seeding import stream
    from occbench.core.training import Batch, Extractor, Method, TrainingRun
    from occbench.core.types import Condition, Example, Overlay, Sample
    from occbench.data.datasets import OccludedDataset, StoredDataset, VirtualDataset, load
    from occbench.data.recipe import Recipe, load_recipe
    from occbench.data.transform import RandomOcclusion
    from occbench.data.verify import verify
    from occbench.engine.local import LocalExecutor
    from occbench.generate.run import generate as generate_dataset
    from occbench.occlusions.banks.bank import OccluderBank, load_bank

__all__ = [
    "Batch",
    "Condition",
    "Example",
    "Executor",
    "Extractor",
    "LocalExecutor",
    "Method",
    "OccbenchError",
    "OccludedDataset",
    "OccluderBank",
    "Occlusion",
    "Overlay",
    "RandomOcclusion",
    "Recipe",
    "Sample",
    "Source",
    "StoredDataset",
    "TrainingRun",
    "VirtualDataset",
    "composite",
    "composite_batch",
    "generate_dataset",
    "load",
    "load_bank",
    "load_recipe",
    "stream",
    "verify",
]

__version__ = metadata.version("occbench")

_HOMES = {
    "core.compose": ("composite", "composite_batch"),
    "core.errors": ("OccbenchError",),
    "core.interfaces": ("Executor", "Occlusion", "Source"),
    "core.seeding": ("stream",),
    "core.training": ("Batch", "Extractor", "Method", "TrainingRun"),
    "core.types": ("Condition", "Example", "Overlay", "Sample"),
    "data.datasets": ("OccludedDataset", "StoredDataset", "VirtualDataset", "load"),
    "data.recipe": ("Recipe", "load_recipe"),
    "data.transform": ("RandomOcclusion",),
    "data.verify": ("verify",),
    "engine.local": ("LocalExecutor",),
    "generate.run": ("generate_dataset",),
    "occlusions.banks.bank": ("OccluderBank", "load_bank"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
#: ``occbench.generate`` is the package of that name as soon as anything of it is imported, so the verb has another one.
_NAME_AT_HOME = {"generate_dataset": "generate"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOME_OF:
        raise AttributeError(f"module 'occbench' has no attribute {name!r}")
    return getattr(import_module(f"occbench.{_HOME_OF[name]}"), _NAME_AT_HOME.get(name, name))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
