"""What a measurement depends on besides the code: machine, versions, load."""

import json
import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from occbench.data.encode import encoder_version

__all__ = ["load", "machine", "tell"]

_PACKAGES = ("occbench", "numpy", "pillow", "pyarrow")


def machine() -> dict[str, Any]:
    """Return date, processor, versions and load now, ready for a results file."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "encoder": encoder_version(),
        "load_at_start": load(),
    }


def load() -> float:
    """Return the load average of the last minute: processes that ran or wanted to, our own among them."""
    return round(os.getloadavg()[0], 2)


def tell(result: dict[str, Any], out: Path | None) -> None:
    """Print a result, and write it to a file where one is asked for."""
    text = json.dumps(result, indent=2)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
