"""Cells are independent jobs: two at once end in the same files as one after the other; warm-ups are trained once."""

import pickle
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.protocol.cell import WARM_UP, cells
from occbench.bench.running.jobs import Request, Workplace, first_jobs, run_cells, take_device
from occbench.bench.running.listener import Listener
from occbench.core.errors import ConfigError, StorageError
from occbench.core.interfaces import Executor
from occbench.core.worker import become_worker
from occbench.engine.local import LocalExecutor


class Heard:
    """A listener's log: (what, arm, value)."""

    def __init__(self):
        self.events = []
        self.listener = Listener(*(self._hear(name) for name in ("epoch", "step", "predictions")))

    def _hear(self, what):
        return lambda cell, value: self.events.append((what, cell.arm_name, value))

    def values(self, what, arm):
        return [value for name, whose, value in self.events if (name, whose) == (what, arm)]


def run(benchmark, runs, jobs=1):
    """Run all cells of a benchmark; return what was heard, the cells and {fingerprint: records}."""
    request = Request(benchmark, "", None, runs, jobs=jobs, threads=torch.get_num_threads())
    materials, heard = request.open(), Heard()
    todo = list(cells(benchmark, {}, materials.fingerprint))
    executor = LocalExecutor(jobs if jobs > 1 else 0)
    here = Workplace(materials, ActivationCache(request.cache_bytes))
    found = {cell.fingerprint: records for cell, records in run_cells(request, todo, executor, heard.listener, here)}
    return heard, todo, found


def changed(benchmark, **changes):
    return Benchmark.model_validate({**benchmark.model_dump(), **changes})


@pytest.fixture(scope="module")
def warm(tiny_benchmark):
    """Two arms that start from one warm-up."""
    arms = {"C": {"method": {"name": "fine_tune"}}, "C-Full": {"method": {"name": "dfv"}}}
    return changed(tiny_benchmark(), warm_up={"epochs": 2, "batch_size": 12}, arms=arms)


@pytest.fixture(scope="module")
def one_by_one(warm, tmp_path_factory):
    runs = tmp_path_factory.mktemp("one")
    return runs, *run(warm, runs)


def same_but_seconds(one, other):
    def plain(files):
        return {name: sha256 for name, sha256 in files.items() if not name.endswith("manifest.json")}

    assert set(one) == set(other)
    assert plain(one) == plain(other)


def test_two_jobs_end_in_the_same_files_as_one(warm, one_by_one, tmp_path, bytes_of, snapshot):
    folder, alone, _, found = one_by_one
    heard, _, same = run(warm, tmp_path, jobs=2)
    assert same == found
    same_but_seconds(bytes_of(folder), bytes_of(tmp_path))
    assert len(heard.values("epoch", WARM_UP)) == 2, "the arms share one warm-up"
    assert heard.values("epoch", "C-Full") == alone.values("epoch", "C-Full")
    assert sum(heard.values("step", "C")) == pytest.approx(2)
    assert sum(heard.values("predictions", "C")) == 7 * 24
    before = snapshot(tmp_path)
    silent, _, again = run(warm, tmp_path, jobs=2)
    assert again == same
    assert snapshot(tmp_path) == before
    assert silent.events == []


def test_warm_ups_are_known_until_they_are_trained(warm, one_by_one, tmp_path):
    runs, _, todo, _ = one_by_one
    assert [cell.arm_name for cell in first_jobs(todo, tmp_path)] == [WARM_UP]
    assert first_jobs(todo, runs) == []


@pytest.mark.slow
def test_an_error_in_a_job_ends_all_and_keeps_what_is_finished(tiny_benchmark, tmp_path):
    rates = {"epochs": 2, "batch_size": 12, "lr_trunk": 1e30, "lr_head": 1e30}
    with pytest.raises(ConfigError, match="the training loss became"):
        run(tiny_benchmark(train=rates), tmp_path, jobs=2)
    assert not list(tmp_path.rglob("checkpoint.safetensors"))
    assert threading.active_count() < 8


def test_full_gpu_memory_is_one_clear_line(tiny_benchmark, tmp_path):
    (tmp_path / "greedy.py").write_text(
        "import torch\nfrom occbench.core.training import Method\n\n\n"
        "class Greedy(Method):\n    def loss(self, run, inputs, labels):\n"
        "        raise torch.OutOfMemoryError('CUDA out of memory')\n"
    )
    benchmark = changed(tiny_benchmark(), arms={"Mine": {"method": {"name": f"{tmp_path / 'greedy.py'}:Greedy"}}})
    with pytest.raises(ConfigError, match=r"Mine tiny seed 0: the GPU's memory is full\. Lower train\.batch_size"):
        run(benchmark, tmp_path / "runs")


@dataclass(frozen=True)
class OnAnotherDisk(Executor):
    """Runs jobs where the folder of runs is another one: what the driver has made in it is not there."""

    def map(self, job, items):
        for item in items:
            shutil.rmtree(item.meeting)
            yield item, job(item)


def test_runs_that_another_machine_does_not_see_are_refused_before_anything_is_trained(tiny_benchmark, tmp_path):
    request = Request(tiny_benchmark(), "", None, tmp_path / "runs", elsewhere=True)
    materials = request.open()
    here = Workplace(materials, ActivationCache(request.cache_bytes))
    todo = list(cells(request.benchmark, {}, materials.fingerprint))
    assert request.apart
    with pytest.raises(StorageError, match=r"the machine \S+ does not see the folder of runs .*runs\. Give --runs"):
        list(run_cells(request, todo, OnAnotherDisk(), Listener(), here))
    assert list((tmp_path / "runs").iterdir()) == []


def test_workers_take_the_gpus_in_turn(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setenv("OCCBENCH_WORKER", "0")  # put back by the fixture
    for number in range(5):
        become_worker(number)
        assert take_device().type == "cuda"
    assert taken == [0, 1, 0, 1, 0]


def test_a_request_travels_to_other_processes(warm):
    request = Request(warm, "", 10, Path("runs"), half_width=0.01, jobs=3)
    assert pickle.loads(pickle.dumps(request)) == request
    assert request.cache_bytes == 2 * 10**9


@pytest.mark.parametrize("wrong", [{"jobs": 0}, {"half_width": 0.0}, {"half_width": 1.5}])
def test_impossible_requests_are_refused(warm, wrong):
    with pytest.raises(ConfigError, match="found"):
        Request(warm, "", None, Path("runs"), **wrong)
