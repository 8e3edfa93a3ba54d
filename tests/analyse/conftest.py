"""Two tiny runs, trained once, and what opens them again."""

import pytest
import yaml


@pytest.fixture(scope="session")
def benchmark_file(tiny_benchmark, tmp_path_factory):
    """The tiny benchmark with the arms C and C-Full as a YAML file."""
    content = tiny_benchmark().model_dump(mode="json", exclude_none=True)
    content["arms"].pop("F")
    path = tmp_path_factory.mktemp("benchmark") / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="session")
def trained_runs(benchmark_file, tmp_path_factory):
    """A folder of the benchmark's finished runs; only to be read."""
    from typer.testing import CliRunner

    from occbench.cli import app

    runs = tmp_path_factory.mktemp("trained") / "runs"
    done = CliRunner().invoke(app, ["run-benchmark", str(benchmark_file), "--runs", str(runs)])
    assert done.exit_code == 0, done.output
    return runs


@pytest.fixture(scope="session")
def classical_home(trained_runs):
    """The run directory of arm C."""
    import json

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
    import numpy as np

    from occbench.bench.outcomes import Outcomes
    from occbench.core.types import CLEAN, Condition

    def make(correct, labels, occluded):
        conditions = [CLEAN, *(Condition(name, "patterns", "hidden", given) for name, given in occluded)]
        return Outcomes(np.asarray(correct, dtype=bool), np.asarray(labels), tuple(conditions))

    return make
