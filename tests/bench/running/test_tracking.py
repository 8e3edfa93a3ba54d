"""A tracker is any module with init, log and finish; what it does wrong costs no training."""

import json
import sys

import pytest

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.cell import cells
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell
from occbench.bench.running.tracking import find_tracker, tracked
from occbench.core.errors import ConfigError

#: Stands for the third-party package: writes what it is told to a file beside it.
TRACKER = """
import json
from pathlib import Path

def _note(*call):
    with Path(__file__).with_suffix(".jsonl").open("a") as file:
        file.write(json.dumps(call) + "\\n")

def init(*, project, name, group, config, resume):
    _note("init", project, name, group, config, resume)

def log(values, step=None):
    _note("log", values, step)
    {log}

def finish():
    _note("finish")
"""


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    """Return a function that writes a tracker, and one that reads what it was told."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "recorder.py"

    def write(log="pass"):
        file.write_text(TRACKER.replace("{log}", log))

    def calls():
        told = file.with_suffix(".jsonl")
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []

    yield write, calls
    sys.modules.pop("recorder", None)


@pytest.fixture
def cell_and_materials(tiny_materials):
    materials = tiny_materials()
    return next(cell for cell in cells(materials.benchmark, {}, materials.fingerprint)), materials


def run(cell, materials, folder, listener=None):
    with tracked(listener or Listener(), "recorder") as told:
        return run_cell(cell, materials, folder, ActivationCache(), told)


def test_every_epoch_and_the_records_are_logged(tracker, cell_and_materials, tmp_path):
    write, calls = tracker
    write()
    cell, materials = cell_and_materials
    heard = []
    listener = Listener(on_epoch=lambda _, epoch: heard.append(epoch))
    records = run(cell, materials, tmp_path / "runs", listener)
    (started, project, name, group, config, resume), *logged, finished = calls()
    assert (started, project, group, resume) == ("init", "occbench-tiny", "C", "allow")
    assert name == f"C-tiny-seed0-{cell.fingerprint[:8]}"
    assert config["fingerprint"] == cell.fingerprint
    assert config["train"]["epochs"] == 2
    assert finished == ["finish"]
    first, second, last = logged
    assert [first[2], second[2], last[2]] == [1, 2, None]
    assert second[1] == {
        "train/loss": heard[1].loss,
        "validation/clean": 100 * heard[1].clean,
        "validation/occluded": 100 * heard[1].occluded,
    }
    average = next(record for record in records if (record.metric, record.group) == ("top1", "avg"))
    assert last[1]["top1/avg"] == average.value
    assert last[1]["of a part"] is False


def test_a_finished_cell_starts_no_tracked_run(tracker, cell_and_materials, tmp_path):
    write, calls = tracker
    write()
    run(*cell_and_materials, tmp_path / "runs")
    before = calls()
    run(*cell_and_materials, tmp_path / "runs")
    assert calls() == before


def test_a_warm_up_is_a_tracked_run_of_its_own(tracker, tiny_benchmark, tmp_path):
    from occbench.bench.images.materials import load_materials
    from occbench.bench.protocol.benchmark import Benchmark

    write, calls = tracker
    write()
    plain = tiny_benchmark().model_dump()
    benchmark = Benchmark.model_validate({**plain, "warm_up": {**plain["train"], "epochs": 1}})
    materials = load_materials(benchmark, benchmark.source_at(""))
    run(next(cells(benchmark, {}, materials.fingerprint)), materials, tmp_path / "runs")
    assert [call[0] for call in calls()] == ["init", "log", "finish", "init", "log", "log", "log", "finish"]
    assert [call[3] for call in calls() if call[0] == "init"] == ["warm-up", "C"]


def test_a_tracker_that_fails_costs_nothing_but_its_log(tracker, cell_and_materials, tmp_path, caplog):
    write, calls = tracker
    write("raise OSError('no network')")
    cell, materials = cell_and_materials
    assert run(cell, materials, tmp_path / "runs")
    assert (tmp_path / "runs" / cell.fingerprint / "manifest.json").is_file()
    assert [call[0] for call in calls()] == ["init", "log"], "it is not asked again"
    (warning,) = caplog.messages
    assert warning.startswith("recorder failed in log (OSError: no network): the cell goes on untracked")


def test_a_tracker_that_is_not_there_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"--track no_such_tracker: .*pip install occbench\[tracking\]"):
        find_tracker("no_such_tracker")
    with pytest.raises(ConfigError, match=r"--track json: the module has no init; a tracker needs init, log, finish\."):
        find_tracker("json")
