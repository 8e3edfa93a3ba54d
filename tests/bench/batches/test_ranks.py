"""Several processes that share one cell's batches end where one process does, up to the order of sums."""

import importlib.util
import os
import socket
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.batches.ranks import in_shares, join_ranks, own_runs, rank_and_size, synchronise_statistics
from occbench.bench.measures.records import read_records
from occbench.bench.protocol.cell import cells
from occbench.bench.running.run import run_cell
from occbench.core.errors import ConfigError
from occbench.models.load import load_backbone

#: Trains and scores the last cell with the other process; the first one says what a lone one would refuse, too.
SHARE = """
import sys
from pathlib import Path
import torch
import torch.distributed as dist
from torch import nn
from occbench.bench.protocol.cell import cells
from occbench.bench.images.materials import load_materials
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.batches.ranks import in_shares, own_runs, synchronise_statistics
from occbench.bench.running.run import run_cell
from occbench.core.errors import ConfigError

torch.set_num_threads(1)
rank, port, runs = int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)

rows = torch.arange(10.0).view(5, 2).requires_grad_()
shared = in_shares(lambda share: 3 * share, rows)
assert torch.equal(shared, 3 * rows)
(shared * torch.arange(5.0)[:, None]).sum().backward()
own = slice(0, 2) if rank == 0 else slice(2, 5)
assert torch.equal(rows.grad[own], 3 * torch.arange(5.0)[own, None].expand(-1, 2))
assert rows.grad.count_nonzero() == torch.arange(5)[own].count_nonzero() * 2, "only the own share"

for refused in (lambda: in_shares(nn.Identity(), rows[:1]), lambda: synchronise_statistics(nn.BatchNorm1d(2))):
    try:
        refused()
    except ConfigError as error:
        print(error, flush=True)
with torch.no_grad():
    assert len(in_shares(nn.Identity(), rows[:1])) == 1

benchmark = Benchmark.model_validate_json(sys.argv[1])
materials = load_materials(benchmark, benchmark.source_at(""))
cell = list(cells(benchmark, {}, materials.fingerprint))[-1]
with own_runs(runs, [cell.fingerprint]) as folder:
    assert (folder == runs) == (rank == 0)
    run_cell(cell, materials, folder, ActivationCache())
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def benchmark(tiny_benchmark):
    """One whose batches cannot be halved, with a learning rate at which weights move."""
    return tiny_benchmark(
        train={"epochs": 1, "batch_size": 11, "lr_trunk": 0.05, "lr_head": 0.05, "batch_norm": "running"},
        arms={"F": {"method": {"name": "dfv"}, "add_occluded": True}},
    )


@pytest.fixture(scope="module")
def alone(benchmark, tmp_path_factory):
    """The folder of runs and the cell, run by one process."""
    from occbench.bench.images.materials import load_materials

    runs = tmp_path_factory.mktemp("alone")
    materials = load_materials(benchmark, benchmark.source_at(""))
    cell = list(cells(benchmark, {}, materials.fingerprint))[-1]
    run_cell(cell, materials, runs, ActivationCache())
    return runs, cell


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])


def compare(one, other, cell):
    """Compare two run directories: the same files, weights and losses but for the last digits, and the same records."""
    homes = [runs / cell.fingerprint for runs in (one, other)]
    names = [sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()) for home in homes]
    assert names[0] == names[1]
    first, second = (load_file(home / "checkpoint.safetensors") for home in homes)
    start = load_backbone("tiny", 12, seed=0).state_dict()
    assert max(float((first[f"model.{name}"] - start[name]).abs().max()) for name in start) > 0.01, "it has trained"
    assert all(torch.allclose(first[name], second[name], rtol=1e-3, atol=1e-5) for name in first)
    records = [read_records(home / "records.jsonl") for home in homes]
    assert [record.value for record in records[0]] == pytest.approx([record.value for record in records[1]], abs=1e-6)


def test_two_processes_end_where_one_does(benchmark, alone, tmp_path):
    runs, cell = alone
    port = free_port()
    arguments = [sys.executable, "-c", SHARE, benchmark.model_dump_json()]
    processes = [
        subprocess.Popen(
            [*arguments, str(rank), port, str(tmp_path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    for out, _ in said:
        assert "a batch of 1 cannot be shared by 2 processes: raise train.batch_size." in out
        assert "BatchNorm cannot share a batch between processes on a CPU: set train.batch_norm=running." in out
    assert len(list(tmp_path.iterdir())) == 1, "only the first process writes"
    compare(runs, tmp_path, cell)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="accelerate is not installed")
def test_processes_that_accelerate_joins_run_the_command_line(benchmark, alone, tmp_path):
    runs, cell = alone
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(benchmark.model_dump(mode="json", exclude_none=True)))
    command = ["-m", "occbench", "run-benchmark", str(tmp_path / "tiny.yaml"), "--runs", str(tmp_path / "runs")]
    # what `accelerate launch --multi_gpu` runs; without a GPU it starts no second process by itself
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port"]
    for _ in range(2):  # the second time everything is finished
        done = subprocess.run(
            [*launch, free_port(), *command, "--arms", "F"],
            check=False, capture_output=True, text=True, env=dict(os.environ), timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("F          tiny seed 0: clean") == 1, "one process prints"
    compare(runs, tmp_path / "runs", cell)


def test_a_process_alone_does_everything_itself(tmp_path):
    assert join_ranks() == rank_and_size() == (0, 1)
    with own_runs(tmp_path, []) as folder:
        assert folder == tmp_path
    batch, norm = torch.ones(1, 2), torch.nn.BatchNorm1d(2)
    assert in_shares(lambda share: share + 1, batch).tolist() == [[2, 2]]
    assert synchronise_statistics(norm) is norm


def test_processes_that_cannot_find_each_other_are_one_clear_line(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ConfigError, match=r"accelerate is not there .*pip install occbench\[distributed\]"):
        join_ranks()
