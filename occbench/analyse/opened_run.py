"""A finished run opened again: its trained network, and the images and occlusions it was trained and tested on.

A manifest says what the run was made with, except where the images are. They are looked up again under the benchmark's
name, and refused where they are not the run's own: features of other images would be judged under its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.images import ImageSet, load_images
from occbench.bench.images.materials import Materials, load_materials, test_source_of
from occbench.bench.protocol.benchmark import Arm, Benchmark, load_benchmark
from occbench.bench.protocol.rules import TrainRule
from occbench.bench.training.states import load_state
from occbench.bench.training.untrained import as_in_training
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.interfaces import Source
from occbench.core.run_folder import RunFolder
from occbench.core.seeding import stream
from occbench.core.types import Condition
from occbench.models.load import load_backbone

__all__ = ["OpenedRun", "open_run"]

_NEEDED: Final = ("fingerprint", "benchmark", "arm", "facts", "test_images")


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """A trained network with its images.

    Attributes:
        folder: the run directory.
        manifest: the content of its ``manifest.json``.
        materials: images, split and occlusions, the very ones of the run.
        source: the clean images of the training split.
    """

    folder: Path
    manifest: Mapping[str, Any]
    materials: Materials
    source: Source

    @property
    def name(self) -> str:
        """Benchmark, arm, backbone and seed, for titles."""
        facts = self.manifest["facts"]
        return f"{self.manifest['benchmark']}, {self.manifest['arm']}, {facts['backbone']}, seed {facts['seed']}"

    @property
    def provenance(self) -> dict[str, Any]:
        """What numbers made from this run carry with them."""
        facts = self.manifest["facts"]
        names = ("backbone", "seed", "train", "pretrained")
        return {
            "run": self.manifest["fingerprint"],
            "benchmark": self.manifest["benchmark"],
            "arm": self.manifest["arm"],
            "size_px": self.materials.benchmark.prepare.size_px,
            **{name: facts[name] for name in names},
        }

    @cached_property
    def pipeline(self) -> Pipeline:
        """The trained network's input side in fp32, in evaluation mode, on the GPU where there is one.

        Raises:
            DatasetError: the checkpoint is missing, damaged or of another network.
        """
        facts = self.manifest["facts"]
        arm = Arm.model_validate(facts["arm"])
        rule = TrainRule.model_validate(facts["train"] | {"precision": "fp32"})
        # every weight comes from the checkpoint: published ones need not be at hand again
        model = load_backbone(facts["backbone"], len(self.materials.split.classes), seed=int(facts["seed"]))
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        pipeline = as_in_training(model, arm, rule, int(facts["seed"]), device)
        path = RunFolder(self.folder).checkpoint
        if load_state(path, model) is None:
            raise DatasetError(
                f"{path} is missing, and the analysis needs the trained network: run the benchmark again in another "
                "folder of runs, and give the run directory that it makes there."
            )
        model.eval()
        return pipeline

    def vectors(self, pixels: Tensor) -> Tensor:
        """Return the deep feature vectors float32[B, D] of images uint8[B, 3, S, S], on the CPU.

        Rows computed in one call are comparable to the last bit; kernels chosen by batch size round differently.
        """
        pipeline = self.pipeline
        with torch.no_grad():
            return pipeline.vectors(pipeline.inputs(pixels)).float().cpu()

    def answers(self, vectors: Tensor) -> Tensor:
        """Return int64[B]: the classes that the run's last layer gives to deep feature vectors float32[B, D]."""
        with torch.no_grad():
            logits: Tensor = self.pipeline.model.head(vectors.to(self.pipeline.device))
        return logits.argmax(1).cpu()

    def conditions(self, group: str) -> tuple[Condition, ...]:
        """Return the test conditions of a group, in order.

        Raises:
            ConfigError: the benchmark has no such group.
        """
        every = self.materials.renderer.conditions
        found = tuple(item for item in every if item.group == group)
        if not found:
            groups = ", ".join(dict.fromkeys(item.group for item in every))
            raise ConfigError(f"--group {group}: the benchmark's condition groups are {groups}. Ask for one of them.")
        return found

    def image_counts(self, *, held_out: bool) -> list[int]:
        """Return how many test or training images the split has of each class, in label order."""
        return [len(indices) for indices in self._by_class(held_out=held_out)[1]]

    def draw(self, labels: Sequence[int], count: int, seed: int, *, held_out: bool) -> ImageSet:
        """Return ``count`` images of each class, class by class, under the run's resize rule.

        Args:
            labels: head labels.
            count: images of a class.
            seed: names the draw of every class.
            held_out: among the images that the split tests on, however many of them the run was scored on; otherwise
                among those it trains on.

        Raises:
            ConfigError: a class has fewer.
        """
        benchmark, split = self.materials.benchmark, self.materials.split
        source, every = self._by_class(held_out=held_out)
        by_label = {label: every[label] for label in labels}
        drawn: list[int] = []
        for label, mine in by_label.items():
            if len(mine) < count:
                raise ConfigError(
                    f"{count} images a class were asked for, class {split.classes[label]} has {len(mine)} "
                    f"{'test' if held_out else 'training'} images: ask for fewer, or for other classes."
                )
            order = stream(seed, "analyse", split.classes[label]).permutation(len(mine))
            drawn += [mine[place] for place in order[:count]]
        return load_images(source, drawn, benchmark.prepare, split.label_of)

    def _by_class(self, *, held_out: bool) -> tuple[Source, list[list[int]]]:
        """Return the source of test or training images, and their indices in it by label."""
        split = self.materials.split
        source = test_source_of(self.materials.benchmark, self.source) if held_out else self.source
        by_label: list[list[int]] = [[] for _ in split.classes]
        for index in split.test if held_out else split.train:
            by_label[split.label_of[source.labels_of(index)[0]]].append(index)
        return source, by_label


def open_run(folder: Path, *, benchmark: str = "", source: str = "", overrides: Sequence[str] = ()) -> OpenedRun:
    """Open a finished run of ``occbench run-benchmark``.

    Args:
        folder: the run directory, ``RUNS/<fingerprint>``.
        benchmark: the benchmark's YAML file, where it is not packaged.
        source: path of the clean images.
        overrides: the ``--set`` of the run that concern images and occlusions; those of training are in the manifest.

    Raises:
        DatasetError: no finished run, or images and occlusions that are not the run's.
        ConfigError: no such benchmark.
    """
    manifest = _manifest(folder)
    facts = manifest["facts"]
    loaded = load_benchmark(benchmark or manifest["benchmark"], tuple(overrides))
    loaded = _as_trained(loaded, manifest)
    opened = loaded.source_at(source)
    # as many test images as were scored: all of them, or the same evenly spread part
    materials = load_materials(loaded, opened, int(manifest["test_images"]))
    found = {
        "images": materials.fingerprint,
        "test_occlusions": loaded.test_recipe().pixels_fingerprint(),
        "pair_occlusions": loaded.pair_recipe().pixels_fingerprint(),
    }
    if other := [name for name, value in found.items() if facts[name] != value]:
        raise DatasetError(
            f"{folder} was made with other {' and '.join(other).replace('_', ' ')} than {loaded.name} has here: give "
            "the same --source and --set as for `occbench run-benchmark`."
        )
    return OpenedRun(folder, manifest, materials, opened)


def _as_trained(benchmark: Benchmark, manifest: Mapping[str, Any]) -> Benchmark:
    """Return the benchmark with the run's own arm, so that its pairs are those of the run."""
    arm = Arm.model_validate(manifest["facts"]["arm"])
    return benchmark.model_copy(update={"arms": {str(manifest["arm"]): arm}, "claims": ()})


def _manifest(folder: Path) -> Mapping[str, Any]:
    found = RunFolder(folder).read_manifest(_NEEDED)
    if found is None:
        raise DatasetError(
            f"{folder} is no finished run: it has no manifest.json. Give one directory of `occbench run-benchmark "
            "--runs`, RUNS/<fingerprint>; the command prints their names."
        )
    return found
