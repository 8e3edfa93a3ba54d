"""`occbench score`: a ready model on a dataset or a folder, without training; the output directory is the state.

It is a run directory like those of `occbench run-benchmark`: ``scores/<test set>/`` with a block for each condition,
``records.jsonl``, and ``manifest.json`` last, with an entry ``part`` where a precision left cells out. ``facts.json``
says from the first moment on whose it is.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.measures.records import Record, append_records, latest_records, read_records
from occbench.bench.measures.summary import Origin, summarise
from occbench.bench.ready.ready_data import ReadyData
from occbench.bench.scoring.classify import RenderedPixels, StoredPixels
from occbench.bench.scoring.home import LOCK_FILE, exclusive, stored_manifest
from occbench.bench.scoring.matrix import MatrixScorer, ScoredPart
from occbench.bench.scoring.precision import Estimate, check_half_width
from occbench.bench.scoring.scored import records_in
from occbench.bench.scoring.test_set import TestSet
from occbench.bench.scoring.work import finished_as_asked, part_entry, work_entries
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import hash_file, write_json
from occbench.core.run_folder import RunFolder
from occbench.core.tasks import task_entry
from occbench.models.backbone import Backbone

__all__ = ["Scores", "score_dataset"]

_VERSION: Final = 1  # raised when other numbers come from the same settings
_FACTS: Final = "facts.json"
_DECODED: Final = "decoded"
#: What a call that was stopped at its very beginning leaves.
_NOT_SCORES: Final = frozenset({_DECODED, LOCK_FILE})
#: Name of the arm and the method of a model that was not trained here.
_READY: Final = "ready"


@dataclass(frozen=True, eq=False)
class Scores:
    """What is known of a ready model on a dataset.

    Attributes:
        folder: the run directory.
        records: its numbers, percentage points; of the scored part where there is an estimate.
        estimate: of the occluded average of the full matrix where only a part of it was scored; otherwise None.
        cells: occluded cells of the full matrix.
        classified: images classified now, clean and occluded; 0 for a repeated command.
    """

    folder: Path
    records: tuple[Record, ...]
    estimate: Estimate | None
    cells: int
    classified: int


def score_dataset(  # noqa: PLR0913 - one argument for each option of the command
    data: ReadyData,
    pipeline: Pipeline,
    out: Path | None = None,
    *,
    batch_size: int = 64,
    half_width: float | None = None,
    decoded: Path | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Scores:
    """Score a model on clean and occluded images, or what is missing of them.

    Args:
        data: what is scored; see ``ready.ready_data.open_data``.
        pipeline: the model's input side; its head answers in the data's classes, in label order.
        out: run directory, absent, empty or of this very model and test set; ``runs/<fingerprint>`` by default.
        batch_size: images in a forward pass.
        half_width: score only as many cells as this half-width of the occluded average at 95 % needs, a share (0.0025
            for 0.25 points). What is left may be scored later.
        decoded: folder for decoded images that do not fit into memory; in ``out`` by default.
        on_progress: told how many more predictions were made.

    Raises:
        ConfigError: a head of another width, images that the model cannot take, or data that cannot be scored.
        BrokenImageError: an image of a folder that cannot be decoded.
        DatasetError: damaged predictions, or an ``out`` that holds something else.
        StorageError: another process is at work in ``out``, or it cannot be written.
    """
    _check_request(data, pipeline.model, batch_size, half_width)
    dataset = data.stored_rows()
    facts = _facts(data, pipeline)
    home = RunFolder(Path("runs") / fingerprint(facts) if out is None else out)
    _check_home(home.path, facts)
    earlier = stored_manifest(home, facts)
    if earlier is not None and finished_as_asked(earlier, half_width):
        return _found(home, earlier, data, facts)
    test = data.load(PixelStore(decoded or home.path / _DECODED))
    _try_one(pipeline, test)
    folder = home.scores(test.fingerprint)
    rendered = RenderedPixels(test, test.occluded, pipeline.device)
    pixels = rendered if dataset is None else StoredPixels(dataset)
    scorer = MatrixScorer(pipeline, test, pixels, dataset is None, folder, batch_size, on_progress)
    with exclusive(home.path):
        write_json(home.path / _FACTS, facts)
        started = time.perf_counter()
        part, classified = (None, scorer.score_all()) if half_width is None else scorer.score_until(half_width)
        score_s = time.perf_counter() - started + (0.0 if earlier is None else float(earlier["score_s"]))
        records = _records(folder, data, facts, part)
        append_records(home.records, records)
        manifest = _manifest(data, facts, pipeline) | work_entries(pipeline.device, 0.0, score_s, classified)
        if part is not None and half_width is not None:
            manifest["part"] = part_entry(test.occluded, len(test.images), part.estimate, half_width)
        write_json(home.manifest, manifest)
    return Scores(home.path, records, None if part is None else part.estimate, data.cells, classified)


def _found(home: RunFolder, manifest: Mapping[str, Any], data: ReadyData, facts: dict[str, Any]) -> Scores:
    """Return the scores of a run that has been scored as far as is asked."""
    if (part := manifest.get("part")) is None:
        return Scores(home.path, _records(home.scores(facts["test_set"]), data, facts, None), None, data.cells, 0)
    records = tuple(latest_records(read_records(home.records)))
    return Scores(home.path, records, Estimate(**part["estimate"]), data.cells, 0)


def _check_request(data: ReadyData, model: Backbone, batch_size: int, half_width: float | None) -> None:
    if model.num_classes != len(data.classes):
        raise ConfigError(
            f"{data.path} has {len(data.classes)} classes and the head of {model.name} has {model.num_classes}: "
            "give a model trained on these classes, or take the head's rows of them (--classes-map FILE)."
        )
    if batch_size < 1:
        raise ConfigError(f"a batch holds at least 1 image, found {batch_size}.")
    check_half_width(half_width)
    if data.images == 0:
        raise ConfigError(f"{data.path} has no image: generate it from a source that has some.")
    if half_width is not None and not data.cells:
        raise ConfigError(
            f"{data.path} is a plain folder: --half-width is of the average over occluded columns, and it has none. "
            "Leave the option out, or put occlusions on the images with `occbench generate` first."
        )


def _facts(data: ReadyData, pipeline: Pipeline) -> dict[str, Any]:
    """Return everything that can change a number; the names are those of ``Cell.facts``."""
    model = pipeline.model
    return {
        "version": _VERSION,
        "backbone": model.name,
        "weights": _state_hash(model),
        "arm": {"method": {"name": _READY}},
        "seed": 0,
        "precision": "bf16" if pipeline.bf16 else "fp32",
        "test_occlusions": data.pixels,
        "test_set": data.test_set,
        # a model that is a file of the user's is another model when the file is edited
        **({model.name: hash_file(Path(model.name.rpartition(":")[0]))} if ".py:" in model.name else {}),
    }


def _state_hash(model: Backbone) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _check_home(home: Path, facts: dict[str, Any]) -> None:
    """Refuse a directory that is something else's."""
    file = home / _FACTS
    if not file.is_file():
        if home.exists() and (not home.is_dir() or any(entry.name not in _NOT_SCORES for entry in home.iterdir())):
            raise DatasetError(f"{home} holds something else than scores: give an --out that is absent or empty.")
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{file} cannot be read: {error}. Give another --out.") from error
    held = found if isinstance(found, dict) else {}
    if other := [name for name in sorted({*facts, *held}) if held.get(name) != facts.get(name)]:
        raise DatasetError(
            f"{home} holds the scores of another model or test set (other {', '.join(other)}): give another --out."
        )


@torch.inference_mode()
def _try_one(pipeline: Pipeline, test: TestSet) -> None:
    """Classify one image, so that a model which cannot take this size says so before anything is written."""
    pipeline.model.eval()
    try:
        pipeline.vectors(pipeline.inputs(test.images.images[:1]))
    except (AssertionError, RuntimeError, ValueError) as error:
        side, model = test.images.images.shape[-1], pipeline.model
        raise ConfigError(
            f"{model.name} cannot take images of {side} px ({error}): it was made for {model.size_px} px. Generate a "
            f"dataset with --set prepare.size_px={model.size_px}."
        ) from error


def _records(folder: Path, data: ReadyData, facts: dict[str, Any], part: ScoredPart | None) -> tuple[Record, ...]:
    origin = Origin(data.name, _READY, _READY, facts["backbone"], facts["seed"], fingerprint(facts))
    if part is not None:
        return tuple(summarise(origin, part.top1, part.top5))
    return tuple(records_in(folder, data.conditions, origin, data.task, data.classes))


def _manifest(data: ReadyData, facts: dict[str, Any], pipeline: Pipeline) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint(facts),
        "benchmark": data.name,
        "arm": _READY,
        "facts": facts,
        "test_set": facts["test_set"],
        "test_images": data.images,
        "classes": list(data.classes),
        **task_entry(data.task),
        "dataset_fingerprint": data.fingerprint,
        "backbone_weights": pipeline.model.provenance,
    }
