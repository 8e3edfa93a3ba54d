"""What a run manifest says of the work of scoring: where and how fast, and how much of the test set."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from occbench.bench.scoring.precision import Estimate
from occbench.core.types import Condition
from occbench.data.manifest import made_with

__all__ = ["finished_as_asked", "part_entry", "work_entries"]


def work_entries(device: torch.device, train_s: float, score_s: float, classified: int) -> dict[str, Any]:
    """Return the manifest's entries on the machine, the versions, and the time that everything took.

    Args:
        device: that was worked on.
        train_s: seconds of loading and training.
        score_s: seconds of scoring.
        classified: images classified in ``score_s``.
    """
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": made_with() | {"torch": torch.__version__},
        "train_s": round(train_s, 1),
        "score_s": round(score_s, 1),
        "images_per_s": round(classified / max(score_s, 1e-9), 1),
    }


def part_entry(conditions: Sequence[Condition], images: int, estimate: Estimate, half_width: float) -> dict[str, Any]:
    """Return the manifest's entry ``part``: of a test set that was scored only as far as a precision needed.

    Args:
        conditions: the occluded columns.
        images: of the test set.
        estimate: what the scored cells say about the occluded average of the whole.
        half_width: what was asked, a share.
    """
    return {
        "asked_half_width": half_width,
        "confidence": 0.95,
        "estimate": asdict(estimate),
        "cells_of_full_matrix": images * len(conditions),
        "conditions": [
            {"name": item.name, "group": item.group, "parameters": dict(item.parameters)} for item in conditions
        ],
    }


def finished_as_asked(manifest: Mapping[str, Any], half_width: float | None) -> bool:
    """Return whether a run with this manifest has been scored as far as is asked.

    Args:
        manifest: of a run directory.
        half_width: what is asked, a share; None asks for everything.
    """
    if (part := manifest.get("part")) is None:
        return True
    return half_width is not None and bool(part["estimate"]["half_width"] <= half_width)
