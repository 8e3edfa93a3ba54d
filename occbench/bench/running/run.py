"""`occbench run-benchmark`: every cell trained and scored; the run directory is the state.

A cell's directory is named by its fingerprint, so a changed setting is a new run, and a repeated command finds
everything finished. Its manifest is written last; one with an entry ``part`` is of a test set that was scored only as
far as a precision needed, and a later call without one goes on from there.
"""

import time
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.materials import Materials
from occbench.bench.measures.records import Record, append_records, latest_records, read_records
from occbench.bench.measures.summary import origin_of, records_of
from occbench.bench.protocol.cell import Cell
from occbench.bench.running.listener import Listener
from occbench.bench.running.run_manifest import Effort, manifest_of
from occbench.bench.scoring.bare_forward import bare_images_per_s
from occbench.bench.scoring.classify import RenderedPixels
from occbench.bench.scoring.home import exclusive, stored_manifest
from occbench.bench.scoring.matrix import MatrixScorer
from occbench.bench.scoring.score import count_flips, missing_conditions
from occbench.bench.scoring.scored import records_in
from occbench.bench.scoring.test_set import TestSet, test_set
from occbench.bench.scoring.work import finished_as_asked, part_entry
from occbench.bench.training.states import load_state, save_state
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction
from occbench.bench.training.untrained import untrained
from occbench.core.errors import ConfigError
from occbench.core.files import write_json
from occbench.core.run_folder import RunFolder

__all__ = ["finished_records", "run_cell", "trained"]

#: Predictions compared with fp32 when a cell is scored in bf16; fewer where a forward pass is slow.
_PROBED: Final = {"cpu": 250, "cuda": 1000}
_BATCH: Final = 64


def run_cell(
    cell: Cell,
    materials: Materials,
    folder: Path,
    cache: ActivationCache,
    listener: Listener | None = None,
    half_width: float | None = None,
) -> list[Record]:
    """Train and score one cell, or what is missing of it; return its records.

    Args:
        cell: which one.
        materials: images of its benchmark.
        folder: of all runs; the cell's own is ``folder/<fingerprint>``.
        cache: activations shared between cells.
        listener: told about progress.
        half_width: score only as many image x condition cells as this half-width of the occluded average at 95 % needs,
            a share (0.0025 for 0.25 points); the records say so. Everything by default.

    Raises:
        ConfigError: the training diverged; a precision is asked of a method that adapts to whole columns.
        DatasetError: a damaged file of an earlier run, or one of another version.
        StorageError: another process is at work on the cell, or its directory cannot be written.
    """
    told = listener or Listener()
    if half_width is not None and cell.arm.build().adapts:
        raise ConfigError(
            f"the arm {cell.arm_name} adapts to whole test columns ({cell.arm.method.name}), and a precision scores "
            "parts of them: leave --half-width out, or this arm (--arms)."
        )
    if (finished := finished_records(cell, materials, folder, half_width)) is not None:
        return finished
    home, test = RunFolder(folder / cell.fingerprint), test_set(materials)
    started = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pipeline = trained(cell, materials, folder, cache, told, device)
    train_s = time.perf_counter() - started
    with exclusive(home.path):
        scorer = _scorer(cell, pipeline, test, home, cache, told)
        part, classified = (None, scorer.score_all()) if half_width is None else scorer.score_until(half_width)
        earlier = stored_manifest(home, cell.facts) or {"train_s": 0.0, "score_s": 0.0}
        effort = Effort(train_s, time.perf_counter() - started - train_s, classified, _probe(cell, pipeline, test))
        records = _records(cell, home, test, materials) if part is None else records_of(cell, part.top1, part.top5)
        append_records(home.records, records)
        write_json(home.split, materials.split_keys())
        manifest = manifest_of(cell, materials, test, pipeline, effort)
        manifest |= {name: round(float(earlier[name]) + manifest[name], 1) for name in ("train_s", "score_s")}
        manifest["bare_images_per_s"] = round(bare_images_per_s(pipeline, test, _BATCH), 1)
        if part is not None and half_width is not None:
            manifest["part"] = part_entry(test.occluded, len(test.images), part.estimate, half_width)
        write_json(home.manifest, manifest)
    told.on_records(cell, records)
    return records


def finished_records(
    cell: Cell, materials: Materials, folder: Path, half_width: float | None = None
) -> list[Record] | None:
    """Return the records of a cell that has been scored as far as is asked, or None where something is left to do.

    Args:
        cell: which one.
        materials: images of its benchmark.
        folder: of all runs.
        half_width: as for ``run_cell``.

    Raises:
        DatasetError: a damaged file of an earlier run, or one of another version.
    """
    home, test = RunFolder(folder / cell.fingerprint), test_set(materials)
    known = stored_manifest(home, cell.facts)
    if known is None or not finished_as_asked(known, half_width):
        return None
    if "part" not in known:
        if missing_conditions(test.conditions, home.scores(test.fingerprint)):
            return None
        records = _records(cell, home, test, materials)
        append_records(home.records, records)
        return records
    return latest_records(read_records(home.records))


def _records(cell: Cell, home: RunFolder, test: TestSet, materials: Materials) -> list[Record]:
    return records_in(
        home.scores(test.fingerprint), test.conditions, origin_of(cell), test.images.task, materials.split.classes,
        cell.benchmark.labels.counting,
    )  # fmt: skip


def _scorer(
    cell: Cell, pipeline: Pipeline, test: TestSet, home: RunFolder, cache: ActivationCache, told: Listener
) -> MatrixScorer:
    run, method = Prediction(pipeline, cache, test.images.task), cell.arm.build()
    return MatrixScorer(
        pipeline,
        test,
        RenderedPixels(test, test.occluded, pipeline.device),
        by_condition=True,
        folder=home.scores(test.fingerprint),
        batch_size=_BATCH,
        on_progress=partial(told.on_predictions, cell),
        predict=partial(run.ask, method),
        mixed=method.adapts,
        on_column=run.memory.clear,
        cache=cache,
    )


def _probe(cell: Cell, pipeline: Pipeline, test: TestSet) -> tuple[int, int]:
    """Return (predictions compared, answers that differ from fp32); nothing is compared where fp32 was scored."""
    if not pipeline.bf16:
        return 0, 0
    exact = pipeline.exact()
    method = cell.arm.build()

    def predict(inputs: Tensor, batch: ImageBatch) -> Tensor:
        # nothing is carried from one precision to the other
        return Prediction(pipeline, task=test.images.task).ask(method, inputs, batch)

    return count_flips(predict, pipeline, exact, test, _PROBED[pipeline.device.type])


def trained(
    cell: Cell, materials: Materials, folder: Path, cache: ActivationCache, told: Listener, device: torch.device
) -> Pipeline:
    """Return a cell's trained model; what is finished of its training is kept, and so is the warm-up it starts from."""
    home = RunFolder(folder / cell.fingerprint)
    pipeline = untrained(cell, materials, device)
    if load_state(home.checkpoint, pipeline.model) is not None:
        return pipeline
    if cell.warm_up is not None:
        start = trained(cell.warm_up, materials, folder, cache, told, device)
        pipeline.model.start_from(start.model)
    with exclusive(home.path):
        train(
            pipeline,
            cell.arm.build(),
            cell.arm,
            materials,
            rule=cell.benchmark.train,
            seed=cell.seed,
            folder=home.training,
            cache=cache,
            on_epoch=partial(told.on_epoch, cell),
            on_step=partial(told.on_step, cell),
        )
        save_state(home.checkpoint, pipeline.model)
    return pipeline
