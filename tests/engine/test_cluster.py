"""Jobs on a Ray cluster of two machines run to completion whatever happens to workers and machines.

Both machines are this one: ``ray.cluster_utils.Cluster`` gives each its own raylet, workers and address. What a test
needs of its workers must be a function that they can import or that travels by value.
"""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.cell import cells
from occbench.bench.running.jobs import Request, Workplace, run_cells
from occbench.bench.running.listener import Listener
from occbench.core.errors import BrokenImageError, ConfigError, StorageError, WorkerError
from occbench.core.interfaces import Executor
from occbench.core.worker import takes_over, worker_number
from occbench.data.recipe import parse_recipe
from occbench.engine.cluster import RayExecutor
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

from . import test_local
from .test_local import die_on_bad, double, refuse

ray = pytest.importorskip("ray", reason="the extra ray is not installed")

pytestmark = [
    # Ray leaves sockets and log files of its own to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    # Ray's announcement that tasks without a GPU will keep CUDA_VISIBLE_DEVICES
    pytest.mark.filterwarnings("ignore:Tip. In future versions of Ray:FutureWarning"),
]

PNG = {"layout": "materialised"}
#: A GPU only in Ray's books, which is enough to see who would get it.
SECOND = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 10**8}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two machines with a processor each, the second of which may be killed; see ``machines``."""
    from ray.cluster_utils import Cluster

    for module in (sys.modules[__name__], test_local):  # the machines cannot import them
        ray.cloudpickle.register_pickle_by_value(module)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    made.add_node(**SECOND)
    yield made
    ray.shutdown()
    made.shutdown()
    for module in (sys.modules[__name__], test_local):
        ray.cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture
def machines(cluster):
    """The cluster, with its second machine there again if a test has killed it."""
    if len(cluster.worker_nodes) == 0:
        cluster.add_node(**SECOND)
    return cluster


@pytest.fixture
def on_ray(machines):
    return RayExecutor(machines.address)


def kill_a_machine(machines):
    machines.remove_node(next(iter(machines.worker_nodes)), allow_graceful=False)


def who_am_i(meeting):
    """Wait until two workers have come, then say where this one is."""
    (Path(meeting) / str(os.getpid())).touch()
    while len(list(Path(meeting).iterdir())) < 2:
        time.sleep(0.01)
    return ray.get_runtime_context().get_node_id(), worker_number(), os.environ["PWD"] and str(Path.cwd())


def let_both_start(machines, meeting):
    """Return when both machines have a worker, so that the next two tasks begin at once, one on each."""
    meeting.mkdir()
    list(RayExecutor(machines.address).map(who_am_i, [str(meeting)] * 2))


def die_once(marker):
    """End the own process, unless an earlier try left the marker; say whether this try knows of the other."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return takes_over()


def stumble(item):
    return {}[item]


def wait_and_write(path):
    time.sleep(5)
    Path(path).write_text("late")


def test_every_item_has_its_result_and_both_machines_work(on_ray, tmp_path, monkeypatch):
    assert dict(on_ray.map(double, range(7))) == {item: 2 * item for item in range(7)}
    assert list(on_ray.map(double, [])) == []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "meeting").mkdir()
    places = [result for _, result in on_ray.map(who_am_i, ["meeting"] * 2)]
    assert len({node for node, _, _ in places}) == 2
    assert {(number, folder) for _, number, folder in places} == {(0, str(tmp_path))}, (
        "relative paths mean the driver's"
    )
    assert on_ray.places() == [1, 1]


def visible_gpus(_):
    return os.environ.get("CUDA_VISIBLE_DEVICES"), worker_number()


def test_a_task_that_works_with_a_network_gets_a_gpu_for_itself(machines):
    executor = RayExecutor(machines.address, gpu=True)
    assert dict(executor.map(visible_gpus, ["one", "two"])) == dict.fromkeys(["one", "two"], ("0", 0))
    assert executor.places() == [1]
    assert executor.cpus_per_gpu() == 1


def test_a_task_that_no_machine_can_take_is_not_waited_for_in_silence(machines, monkeypatch):
    class SaidError(Exception):
        pass

    class Ear(logging.Handler):
        def emit(self, record):
            raise SaidError(record.getMessage())

    monkeypatch.setattr("occbench.engine.cluster._SILENCE_S", 0.0)
    monkeypatch.setattr("occbench.engine.cluster._COUNT_S", 0.2)
    ear, logger = Ear(), logging.getLogger("occbench.engine.cluster")
    logger.addHandler(ear)
    try:
        with pytest.raises(SaidError, match="no machine of the Ray cluster has 99 CPUs and a GPU for a task"):
            list(RayExecutor(machines.address, cpus=99, gpu=True).map(double, [1]))
    finally:
        logger.removeHandler(ear)


def test_lost_workers_are_replaced_and_what_always_kills_them_is_named_last(machines, tmp_path):
    (tmp_path / "once").mkdir()
    markers = [str(tmp_path / "once" / name) for name in "ab"]
    assert dict(RayExecutor(machines.address).map(die_once, markers)) == dict.fromkeys(markers, True)
    items, seen = [str(tmp_path / name) for name in ("one", "bad", "two", "three")], []
    with pytest.raises(WorkerError, match=r"died 2 times on \S+bad: "):
        seen.extend(result for _, result in RayExecutor(machines.address, tries=2).map(die_on_bad, items))
    assert sorted(seen) == ["one", "three", "two"]


def test_errors_of_a_job_arrive_as_they_were_raised(on_ray):
    with pytest.raises(BrokenImageError, match=r"^item 1: zero bytes$") as raised:
        list(on_ray.map(refuse, range(4)))
    assert type(raised.value) is BrokenImageError
    with pytest.raises(KeyError, match="3"):
        list(on_ray.map(stumble, [3]))


def test_leaving_the_loop_ends_what_runs(on_ray, tmp_path):
    def give_up():
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=give_up).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(on_ray.map(wait_and_write, [str(tmp_path / "late")]))
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(4)
    assert not (tmp_path / "late").exists()


def test_other_versions_elsewhere_are_refused(on_ray, monkeypatch):
    found = {"python": "3.11", "numpy": "1.0"}
    monkeypatch.setattr("occbench.engine.cluster_task._versions", lambda: found)
    with pytest.raises(ConfigError, match=r"the machine \S+ has \S+ \S+, the driver .*Install the same versions"):
        list(on_ray.map(double, [1]))


@dataclass(frozen=True)
class HeldUp:
    """A job that on one machine does not end before that machine does, so that it is at work when it is lost."""

    job: object
    machine: str
    marker: str

    def __call__(self, item):
        if ray.get_runtime_context().get_node_id() == self.machine:
            Path(self.marker).touch()
            time.sleep(60)
        return self.job(item)


@dataclass(frozen=True)
class HeldUpRay(Executor):
    engine: RayExecutor
    machine: str
    marker: str

    def map(self, job, items):
        return self.engine.map(HeldUp(job, self.machine, self.marker), items)


def test_a_dataset_is_the_same_though_a_machine_is_lost(machines, tiny_recipe, tiny_images, tmp_path, bytes_of, caplog):
    recipe = tiny_recipe(rows_per_shard=8, **PNG)
    generate(recipe, tmp_path / "local", source_path=str(tiny_images), executor=LocalExecutor(0))
    let_both_start(machines, tmp_path / "meeting")
    marker = tmp_path / "at_work"

    def kill_it_at_work():
        while not marker.exists():
            time.sleep(0.01)
        kill_a_machine(machines)

    killer = threading.Thread(target=kill_it_at_work, daemon=True)
    killer.start()
    (doomed,) = machines.worker_nodes
    executor = HeldUpRay(RayExecutor(machines.address), doomed.node_id, str(marker))
    generate(recipe, tmp_path / "ray", source_path=str(tiny_images), executor=executor)
    killer.join()
    assert "a worker was lost on shard " in caplog.text
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "local")


def run_all(benchmark, runs, executor, on_epoch=lambda _cell, _epoch: None, elsewhere=True):
    """Run a benchmark's cells; return {arm: records} and how many epochs were heard of."""
    heard = []

    def hear(cell, epoch):
        heard.append((cell.arm_name, epoch.epoch))
        on_epoch(cell, epoch)

    request = Request(benchmark, "", None, runs, threads=1, elsewhere=elsewhere)
    materials = request.open()
    todo = list(cells(benchmark, {}, materials.fingerprint))
    here = Workplace(materials, ActivationCache(request.cache_bytes))
    made = run_cells(request, todo, executor, Listener(on_epoch=hear), here)
    return {cell.arm_name: records for cell, records in made}, heard


def test_cells_are_the_same_though_a_machine_is_lost(machines, tiny_benchmark, tmp_path, bytes_of, caplog):
    benchmark = tiny_benchmark(train={"epochs": 12, "batch_size": 12})
    let_both_start(machines, tmp_path / "meeting")
    local, _ = run_all(benchmark, tmp_path / "local", LocalExecutor(0), elsewhere=False)
    lost = []

    def watch(cell, epoch):
        if not lost:
            lost.append(cell)
            kill_a_machine(machines)

    runs = tmp_path / "ray"
    found, heard = run_all(benchmark, runs, RayExecutor(machines.address), watch)
    assert lost
    assert re.search(r"a worker was lost on \S+ tiny seed 0", caplog.text)
    assert found == local
    assert {arm for arm, _ in heard} == {"C", "C-Full", "F"}, "progress comes from the cluster"
    made, expected = bytes_of(runs), bytes_of(tmp_path / "local")
    assert made.keys() == expected.keys(), "and leaves nothing behind"
    assert [name for name in made if made[name] != expected[name] and not name.endswith("manifest.json")] == []


def test_a_folder_that_a_machine_does_not_see_is_one_line(on_ray, tiny_recipe, tiny_images, tmp_path):
    out = tmp_path / "out"

    @dataclass(frozen=True)
    class OnAnotherDisk(Executor):
        """Both machines of this cluster see the same disk, so the driver's claim is hidden from them."""

        def map(self, job, items):
            (out / ".work" / "plan.json").unlink()
            return on_ray.map(job, items)

    with pytest.raises(StorageError, match=r"the machine \S+ does not see the dataset's directory .*s3://BUCKET"):
        generate(tiny_recipe(), out, source_path=str(tiny_images), executor=OnAnotherDisk())
    assert not (out / "manifest.json").exists()


@pytest.mark.parametrize(("workers", "cpus", "tries"), [(-1, 1, 3), (0, 0, 3), (0, 1, 0)])
def test_impossible_numbers_are_refused(workers, cpus, tries):
    with pytest.raises(ConfigError, match=f"found {workers}, {cpus} and {tries}"):
        RayExecutor("auto", workers, cpus, tries=tries)


NO_RAY = """
import sys
sys.modules["ray"] = None
sys.argv = ["occbench", "generate", "quickstart", "--out", {out!r}, "--engine", "ray"]
from occbench.cli import main
main()
"""


def test_without_ray_one_line_says_how_to_get_it(tmp_path):
    code = NO_RAY.format(out=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'occbench[ray]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_address_without_a_cluster_is_one_line(tmp_path):
    command = [sys.executable, "-m", "occbench", "generate", "quickstart", "--out", str(tmp_path / "out")]
    more = ["--engine", "ray", "--address", "127.0.0.1:1"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "no Ray cluster answers at --address 127.0.0.1:1" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_inpaints_are_the_same_as_here(machines, tiny_pipeline, tmp_path, bytes_of):
    inpaint = {"name": "inpaint", "model": str(tiny_pipeline), "steps": 2, "size_px": 64, "dtype": "fp32"}
    content = {
        "name": "painted",
        "source": {"name": "toyparts", "images_per_class": 1, "size_px": 64},
        "prepare": {"rule": "direct", "size_px": 64},
        "occlusions": [{**inpaint, "batch_size": 2}],
        "storage": {"rows_per_shard": 3},
    }
    recipe = parse_recipe(content, "painted")
    generate(recipe, tmp_path / "local", limit=9)
    generate(recipe, tmp_path / "ray", limit=9, executor=RayExecutor(machines.address, gpu=True))
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "local")
    assert len(list((tmp_path / "ray" / "overlays").iterdir())) == 3


@pytest.mark.slow
def test_the_command_line_makes_the_same_dataset_and_runs_on_a_cluster(
    tmp_path, recipe_file, tiny_images, finished, tiny_benchmark, bytes_of
):
    def occbench(*arguments):
        command = [sys.executable, "-m", "occbench", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done

    on_ray = ("--engine", "ray", "--address", "local")
    occbench("generate", recipe_file(**PNG), "--source", tiny_images, "--out", "out", *on_ray)
    assert bytes_of(tmp_path / "out") == bytes_of(finished(**PNG))
    out = tmp_path / "stopped"
    command = [
        sys.executable,
        "-m",
        "occbench",
        "generate",
        "tiny.yaml",
        "--source",
        str(tiny_images),
        "--out",
        "stopped",
    ]
    process = subprocess.Popen(
        [*command, *on_ray, "--set", "prepare.size_px=768"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not list(out.glob(".work/shard-*.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    done = len(list(out.glob(".work/shard-*.json")))
    time.sleep(2)
    assert len(list(out.glob(".work/shard-*.json"))) == done < 6, "nothing works on"
    content = tiny_benchmark().model_dump(mode="json", exclude_none=True)
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    printed = occbench("run-benchmark", "bench.yaml", "--runs", "ray", "--threads", 1, *on_ray)
    assert "epoch 2/2" in printed.stderr + printed.stdout
    occbench("run-benchmark", "bench.yaml", "--runs", "local", "--threads", 1)
    made, expected = bytes_of(tmp_path / "ray"), bytes_of(tmp_path / "local")
    assert made.keys() == expected.keys()
    assert [name for name in made if made[name] != expected[name] and not name.endswith("manifest.json")] == []
