"""`occbench run-benchmark`: every cell trained and scored; the run directory is the state.

A cell is one arm with one backbone and one seed. Its directory is named by a fingerprint of everything that can change
one of its numbers, so a changed setting is a new run, and a repeated command finds everything finished.
"""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch

from occbench.bench.materials import Materials
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.predictions import read_outcomes
from occbench.bench.protocol import Arm, Benchmark
from occbench.bench.records import Record, append_records
from occbench.bench.score import TestSet, count_flips, score
from occbench.bench.states import load_state, save_state
from occbench.bench.summary import records_of
from occbench.bench.train import Epoch, Prediction, train
from occbench.core.canonical import fingerprint
from occbench.core.files import hash_file, write_json
from occbench.core.interfaces import Method
from occbench.data.manifest import made_with
from occbench.models.load import load_backbone

__all__ = ["Cell", "Listener", "cells", "run_cell", "test_set"]

#: Predictions compared with fp32 when a cell is scored in bf16; fewer where a forward pass is slow.
_PROBED: Final = {"cpu": 250, "cuda": 1000}

_VERSION = 1  # raised when the loop computes other numbers from the same settings


@dataclass(frozen=True)
class Cell:
    """One model to train and score.

    Attributes:
        benchmark: what is compared.
        backbone: its name.
        weights: a checkpoint to start from, or None.
        arm_name: the arm's name.
        seed: training seed.
        images: fingerprint of which images go where, ``Materials.fingerprint``.
    """

    benchmark: Benchmark
    backbone: str
    weights: Path | None
    arm_name: str
    seed: int
    images: str

    @property
    def arm(self) -> Arm:
        """The arm's definition."""
        return self.benchmark.arms[self.arm_name]

    @cached_property
    def fingerprint(self) -> str:
        """Names the run directory: hash of everything that can change a number of it."""
        return fingerprint(self.facts)

    @property
    def facts(self) -> dict[str, Any]:
        """What the fingerprint is made of, readable."""
        benchmark = self.benchmark
        return {
            "version": _VERSION,
            "backbone": self.backbone,
            "weights": None if self.weights is None else hash_file(self.weights),
            "pretrained": benchmark.pretrained,
            "arm": self.arm.model_dump(mode="json"),
            "pair_occlusions": benchmark.pair_recipe().pixels_fingerprint(),
            "train": benchmark.train.model_dump(mode="json"),
            "seed": self.seed,
            "test_occlusions": benchmark.test_recipe().pixels_fingerprint(),
            "images": self.images,
            **_own_files(self.arm.method.name, self.backbone),
        }


def _own_files(*names: str) -> dict[str, str]:
    """Return the hash of every plug-in that is a file of the user's: an edited method is another method."""
    return {name: hash_file(Path(name.rpartition(":")[0])) for name in names if ".py:" in name}


@dataclass(frozen=True)
class Listener:
    """What a caller wants to be told: after every epoch and after every scored condition."""

    on_epoch: Callable[[Cell, Epoch], None] = lambda _cell, _epoch: None
    on_block: Callable[[Cell, str], None] = lambda _cell, _condition: None


def cells(benchmark: Benchmark, weights: dict[str, Path], images: str) -> Iterator[Cell]:
    """Yield every cell, the seeds outermost, so that a stopped run has whole tables for its first seeds.

    Args:
        benchmark: what is compared.
        weights: backbone name -> checkpoint to start from.
        images: ``Materials.fingerprint``.
    """
    for seed in benchmark.seeds:
        for backbone in benchmark.backbones:
            for arm in benchmark.arms:
                yield Cell(benchmark, backbone, weights.get(backbone), arm, seed, images)


def test_set(materials: Materials) -> TestSet:
    """Return the test set of a benchmark's materials."""
    test = materials.test
    named = [materials.benchmark.test_recipe().pixels_fingerprint(), list(test.keys), test.labels.tolist()]
    return TestSet(test, materials.renderer, materials.test_conditions, fingerprint(named))


test_set.__test__ = False  # type: ignore[attr-defined]  # not a test case, whatever its name


def run_cell(
    cell: Cell, materials: Materials, folder: Path, cache: ActivationCache, listener: Listener | None = None
) -> list[Record]:
    """Train and score one cell, or what is missing of it; return its records.

    Args:
        cell: which one.
        materials: images of its benchmark.
        folder: of all runs; the cell's own is ``folder/<fingerprint>``.
        cache: activations shared between cells.
        listener: told about progress.

    Raises:
        ConfigError: the training diverged.
        DatasetError: a damaged file of an earlier run.
    """
    told = listener or Listener()
    home = folder / cell.fingerprint
    test = test_set(materials)
    scores = home / "scores" / test.fingerprint
    started = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not (home / "manifest.json").is_file():
        pipeline, method = _build(cell, materials, device)
        checkpoint = home / "checkpoint.safetensors"
        if load_state(checkpoint, pipeline.model) is None:
            train(
                pipeline, method, cell.arm, materials, seed=cell.seed, folder=home / "train", cache=cache,
                on_epoch=lambda epoch: told.on_epoch(cell, epoch),
            )  # fmt: skip
            save_state(checkpoint, pipeline.model)
        trained_s = time.perf_counter() - started
        run = Prediction(pipeline)
        classified = score(
            lambda inputs: method.predict(run, inputs), pipeline, test, scores, cache=cache,
            on_block=lambda condition: told.on_block(cell, condition.name),
        )  # fmt: skip
        scored_s = max(time.perf_counter() - started - trained_s, 1e-9)
        compared, flips = _probe(pipeline, method, test)
        write_json(
            home / "manifest.json",
            {
                "fingerprint": cell.fingerprint,
                "benchmark": cell.benchmark.name,
                "arm": cell.arm_name,
                "facts": cell.facts,
                "test_set": test.fingerprint,
                "test_images": len(test.images),
                "backbone_weights": pipeline.model.provenance,
                "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
                "versions": made_with() | {"torch": torch.__version__},
                "train_s": round(trained_s, 1),
                "score_s": round(scored_s, 1),
                "precision_probe": {"compared": compared, "flips": flips},
                "images_per_s": round(classified / scored_s, 1),
            },
        )
    records = records_of(cell, read_outcomes(scores, test.conditions), read_outcomes(scores, test.conditions, "top5"))
    append_records(home / "records.jsonl", records)
    return records


def _probe(pipeline: Pipeline, method: Method, test: TestSet) -> tuple[int, int]:
    """Return (predictions compared, answers that differ from fp32); nothing is compared where fp32 was scored."""
    if not pipeline.bf16:
        return 0, 0
    run, exact = Prediction(pipeline), Pipeline(pipeline.model, pipeline.device, "fp32")
    count = _PROBED[pipeline.device.type]
    return count_flips(lambda inputs: method.predict(run, inputs), pipeline, exact, test, count)


def _build(cell: Cell, materials: Materials, device: torch.device) -> tuple[Pipeline, Method]:
    """Load the backbone with its trainable layers selected, on the device, and build the method."""
    benchmark, split = cell.benchmark, materials.split
    model = load_backbone(
        cell.backbone,
        len(split.classes),
        pretrained=benchmark.pretrained and cell.weights is None,
        weights=cell.weights,
        seed=cell.seed,
    )
    model.select_trainable(benchmark.train.trainable)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Pipeline(model, device, benchmark.train.precision), cell.arm.build()
