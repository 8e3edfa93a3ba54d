"""What both scripts share: the machine a record was made on, and the network that they score."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from occbench.models.tiny import Tiny

__all__ = ["machine", "write_model"]


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Return date, processor and versions, ready for a record."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{processor}, {os.cpu_count()} cores",
        "python": sys.version.split()[0],
        "versions": {name: metadata.version(name) for name in packages},
    }


def write_model(file: Path) -> None:
    """Write a tiny network with random weights and a head for the twelve classes of toyparts."""
    torch.manual_seed(0)
    save_file(Tiny().build(12).state_dict(), file)
