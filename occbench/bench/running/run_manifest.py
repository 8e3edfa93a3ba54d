"""What the manifest of a finished cell says: everything about the run that its numbers do not."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.images.materials import Materials
from occbench.bench.protocol.cell import Cell
from occbench.bench.scoring.precision import Estimate
from occbench.bench.scoring.test_set import TestSet
from occbench.core.tasks import task_entry
from occbench.data.manifest import made_with

__all__ = ["Effort", "manifest_of", "part_of"]


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
    device = pipeline.device
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
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": made_with() | {"torch": torch.__version__},
        "train_s": round(effort.train_s, 1),
        "score_s": round(effort.score_s, 1),
        "precision_probe": {"compared": compared, "flips": flips},
        "images_per_s": round(effort.classified / max(effort.score_s, 1e-9), 1),
    }


def part_of(test: TestSet, estimate: Estimate, half_width: float) -> Mapping[str, Any]:
    """Return the manifest's entry ``part``: of a test set that was scored only as far as a precision needed.

    Args:
        test: the whole of it.
        estimate: what the scored cells say about the occluded average of the whole.
        half_width: what was asked, a share.
    """
    occluded = test.occluded
    return {
        "asked_half_width": half_width,
        "confidence": 0.95,
        "estimate": asdict(estimate),
        "cells_of_full_matrix": len(test.images) * len(occluded),
        "conditions": [
            {"name": item.name, "group": item.group, "parameters": dict(item.parameters)} for item in occluded
        ],
    }
