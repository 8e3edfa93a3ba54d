"""What the manifest of a finished cell says: everything about the run that its numbers do not."""

from dataclasses import dataclass
from typing import Any

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.materials import Materials
from occbench.bench.protocol.cell import Cell
from occbench.bench.scoring.test_set import TestSet
from occbench.bench.scoring.work import work_entries
from occbench.core.tasks import task_entry

__all__ = ["Effort", "manifest_of"]


@dataclass(frozen=True)
class Effort:
    """What a cell took.

    Attributes:
        train_s: seconds of loading and training.
        score_s: seconds of scoring.
        classified: images classified in ``score_s``.
        probed: (predictions compared with fp32, answers that differ).
    """

    train_s: float
    score_s: float
    classified: int
    probed: tuple[int, int]


def manifest_of(cell: Cell, materials: Materials, test: TestSet, pipeline: Pipeline, effort: Effort) -> dict[str, Any]:
    """Return the manifest of a cell whose test set is scored."""
    compared, flips = effort.probed
    return {
        "fingerprint": cell.fingerprint,
        "benchmark": cell.benchmark.name,
        "arm": cell.arm_name,
        "facts": cell.facts,
        "test_set": test.fingerprint,
        "test_images": len(test.images),
        "classes": list(materials.split.classes),
        **task_entry(materials.task),
        "pair_occluders": {
            condition.parameters["occluder"]: condition.parameters["occluder_sha256"]
            for condition in materials.pair_conditions(cell.arm)
            if "occluder_sha256" in condition.parameters
        },
        "backbone_weights": pipeline.model.provenance,
        **work_entries(pipeline.device, effort.train_s, effort.score_s, effort.classified),
        "precision_probe": {"compared": compared, "flips": flips},
    }
