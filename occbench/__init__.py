"""occbench: exactly rendered, verifiable occluded-image datasets, and the benchmark that judges robustness on them.

Names are imported on first use, so that ``import occbench`` is quick.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from occbench.bench.protocol.benchmark import Benchmark, load_benchmark
    from occbench.bench.tables.table import build_results
    from occbench.bench.training.validate import validate_method
    from occbench.core.compose import composite, composite_batch
    from occbench.core.errors import BrokenImageError, ConfigError, OccbenchError, OcclusionError
    from occbench.core.interfaces import Executor, Occlusion, Source
    from occbench.core.networks import Architecture, Cut, Extractor, Head
    from occbench.core.seeding import stream
    from occbench.core.training import Batch, Method, TrainingRun
    from occbench.core.trunk import Trunk
    from occbench.core.types import Condition, Example, Overlay, Sample
    from occbench.data.datasets import OccludedDataset, StoredDataset, VirtualDataset, load
    from occbench.data.recipe import Recipe, load_recipe
    from occbench.data.transform import RandomOcclusion
    from occbench.data.verify import verify
    from occbench.engine.local import LocalExecutor
    from occbench.generate.run import generate as generate_dataset
    from occbench.models.load import load_backbone
    from occbench.occlusions.banks.bank import OccluderBank, load_bank
    from occbench.publish.export import export as export_dataset
    from occbench.report.preview import preview
    from occbench.report.results_report import write_report

__all__ = [
    "Architecture",
    "Batch",
    "Benchmark",
    "BrokenImageError",
    "Condition",
    "ConfigError",
    "Cut",
    "Example",
    "Executor",
    "Extractor",
    "Head",
    "LocalExecutor",
    "Method",
    "OccbenchError",
    "OccludedDataset",
    "OccluderBank",
    "Occlusion",
    "OcclusionError",
    "Overlay",
    "RandomOcclusion",
    "Recipe",
    "Sample",
    "Source",
    "StoredDataset",
    "TrainingRun",
    "Trunk",
    "VirtualDataset",
    "build_results",
    "composite",
    "composite_batch",
    "export_dataset",
    "generate_dataset",
    "load",
    "load_backbone",
    "load_bank",
    "load_benchmark",
    "load_recipe",
    "preview",
    "stream",
    "validate_method",
    "verify",
    "write_report",
]

__version__ = metadata.version("occbench")

_HOMES = {
    "bench.protocol.benchmark": ("Benchmark", "load_benchmark"),
    "bench.tables.table": ("build_results",),
    "bench.training.validate": ("validate_method",),
    "core.compose": ("composite", "composite_batch"),
    "core.errors": ("BrokenImageError", "ConfigError", "OccbenchError", "OcclusionError"),
    "core.interfaces": ("Executor", "Occlusion", "Source"),
    "core.networks": ("Architecture", "Cut", "Extractor", "Head"),
    "core.seeding": ("stream",),
    "core.training": ("Batch", "Method", "TrainingRun"),
    "core.trunk": ("Trunk",),
    "core.types": ("Condition", "Example", "Overlay", "Sample"),
    "data.datasets": ("OccludedDataset", "StoredDataset", "VirtualDataset", "load"),
    "data.recipe": ("Recipe", "load_recipe"),
    "data.transform": ("RandomOcclusion",),
    "data.verify": ("verify",),
    "engine.local": ("LocalExecutor",),
    "generate.run": ("generate_dataset",),
    "models.load": ("load_backbone",),
    "occlusions.banks.bank": ("OccluderBank", "load_bank"),
    "publish.export": ("export_dataset",),
    "report.results_report": ("write_report",),
    "report.preview": ("preview",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
#: ``occbench.generate`` is the package of that name as soon as anything of it is imported, so the verb has another one;
#: and what stands beside it says what it is of.
_NAME_AT_HOME = {"export_dataset": "export", "generate_dataset": "generate"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name not in _HOME_OF:
        raise AttributeError(f"module 'occbench' has no attribute {name!r}")
    return getattr(import_module(f"occbench.{_HOME_OF[name]}"), _NAME_AT_HOME.get(name, name))


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
