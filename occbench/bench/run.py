"""`occbench run-benchmark`: every cell trained and scored; the run directory is the state.

A cell's directory is named by its fingerprint, so a changed setting is a new run, and a repeated command finds
everything finished.
"""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch

from occbench.bench.cell import Cell
from occbench.bench.materials import Materials
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.predictions import read_outcomes
from occbench.bench.records import Record, append_records
from occbench.bench.score import TestSet, count_flips, score
from occbench.bench.states import load_state, save_state
from occbench.bench.summary import records_of
from occbench.bench.train import Epoch, train
from occbench.bench.training_run import Prediction, extend
from occbench.core.canonical import fingerprint
from occbench.core.files import write_json
from occbench.core.interfaces import Method
from occbench.data.manifest import made_with
from occbench.models.load import load_backbone

__all__ = ["Listener", "run_cell", "test_set", "trained"]

#: Predictions compared with fp32 when a cell is scored in bf16; fewer where a forward pass is slow.
_PROBED: Final = {"cpu": 250, "cuda": 1000}


@dataclass(frozen=True)
class Listener:
    """What a caller wants to be told: after every epoch and after every scored condition."""

    on_epoch: Callable[[Cell, Epoch], None] = lambda _cell, _epoch: None
    on_block: Callable[[Cell, str], None] = lambda _cell, _condition: None


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
        pipeline, method = trained(cell, materials, folder, cache, told, device), cell.arm.build()
        trained_s = time.perf_counter() - started
        run = Prediction(pipeline, cache)
        classified = score(
            partial(run.ask, method), pipeline, test, scores, cache=cache,
            on_block=lambda condition: told.on_block(cell, condition.name),
        )  # fmt: skip
        scored_s = max(time.perf_counter() - started - trained_s, 1e-9)
        write_json(home / "split.json", materials.split_keys())
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
                "classes": list(materials.split.classes),
                "pair_occluders": {
                    condition.parameters["occluder"]: condition.parameters["occluder_sha256"]
                    for condition in materials.pair_conditions(cell.arm)
                    if "occluder_sha256" in condition.parameters
                },
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
    return count_flips(partial(run.ask, method), pipeline, exact, test, count)


def trained(
    cell: Cell, materials: Materials, folder: Path, cache: ActivationCache, told: Listener, device: torch.device
) -> Pipeline:
    """Return a cell's trained model; what is finished of its training is kept, and so is the warm-up it starts from."""
    checkpoint = folder / cell.fingerprint / "checkpoint.safetensors"
    pipeline = _untrained(cell, materials, device)
    if load_state(checkpoint, pipeline.model) is not None:
        return pipeline
    if cell.warm_up is not None:
        start = trained(cell.warm_up, materials, folder, cache, told, device)
        pipeline.model.start_from(start.model)
    train(
        pipeline,
        cell.arm.build(),
        cell.arm,
        materials,
        rule=cell.benchmark.train,
        seed=cell.seed,
        folder=checkpoint.parent / "train",
        cache=cache,
        on_epoch=lambda epoch: told.on_epoch(cell, epoch),
    )
    save_state(checkpoint, pipeline.model)
    return pipeline


def _untrained(cell: Cell, materials: Materials, device: torch.device) -> Pipeline:
    """Load the backbone with its trainable layers selected, on the device."""
    benchmark, split = cell.benchmark, materials.split
    model = load_backbone(
        cell.backbone,
        len(split.classes),
        pretrained=benchmark.pretrained and cell.weights is None,
        weights=cell.weights,
        head_rows=split.head_rows if benchmark.pretrained_head else None,
        seed=cell.seed,
    )
    rule = benchmark.train
    model.select_trainable(rule.trainable, running_statistics=rule.batch_norm == "running")
    pipeline = Pipeline(model, device, rule.precision)
    extend(pipeline, cell.arm.build(), cell.seed)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pipeline
