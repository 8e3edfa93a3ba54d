"""Two tiny runs opened again, and predictions by hand."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="session")
def trained_runs(finished_runs):
    """A folder of finished runs of the arms C and C-Full; only to be read."""
    return finished_runs[0]


@pytest.fixture(scope="session")
def classical_home(trained_runs):
    """The run directory of arm C."""
    (home,) = [
        path.parent
        for path in trained_runs.glob("*/manifest.json")
        if json.loads(path.read_text(encoding="utf-8"))["arm"] == "C"
    ]
    return home


@pytest.fixture(scope="session")
def opened(classical_home, benchmark_file):
    """Arm C's run, opened again."""
    from occbench.analyse.opened_run import open_run

    return open_run(classical_home, benchmark=str(benchmark_file))


@pytest.fixture
def outcomes():
    """Return a function from answers [images][conditions], labels and (name, parameters) of the occluded columns."""
    from occbench.bench.measures.outcomes import Outcomes
    from occbench.core.types import CLEAN, Condition

    def make(correct, labels, occluded):
        conditions = [CLEAN, *(Condition(name, "patterns", "hidden", given) for name, given in occluded)]
        return Outcomes(np.asarray(correct, dtype=bool), np.asarray(labels), tuple(conditions))

    return make
