"""Shared fixtures: the real photographs beside the checkout, where they are; one torch thread."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

_SHARED = Path(os.environ.get("OCCBENCH_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs; tests that need it skip where it is absent."""
    if not _SHARED.is_dir():
        pytest.skip("the real photographs are not beside this checkout (set OCCBENCH_TEST_DATA to their folder)")
    return _SHARED
