"""The projection counts what is left, plays the queue of jobs, and is of the size of what happens."""

import time
from dataclasses import replace

import pytest

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.protocol.cell import cells
from occbench.bench.running.costs import Costs, measure
from occbench.bench.running.forecast import _Queue, forecast
from occbench.bench.running.jobs import Request, Workplace, run_cells, take_device
from occbench.bench.running.left import left_of
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell
from occbench.engine.local import LocalExecutor

#: A prediction takes 10 ms, 8 of them in frozen stages whose activations have 1 MB; a training step 20 ms an image.
COSTS = Costs(
    step_s=0.02, refresh_s=0.0, new_s=0.010, known_s=0.002, decode_s=0.0, save_s=0.0, block_s=0.0, twins=0.0,
    kept_bytes=10**6,
)  # fmt: skip


@pytest.fixture
def request_of(tiny_benchmark, tmp_path):
    """Return a function that makes a request, its materials and its cells."""

    def make(jobs=1, **changes):
        benchmark = Benchmark.model_validate({**tiny_benchmark().model_dump(), **changes})
        request = Request(benchmark, "", None, tmp_path / "runs", jobs=jobs)
        materials = request.open()
        return request, materials, list(cells(benchmark, {}, materials.fingerprint))

    return make


def queue_of(request, materials, todo, costs):
    from occbench.bench.running.forecast import _kind

    left = {cell.fingerprint: left_of(cell, materials, request.runs) for cell in todo}
    return _Queue(request, materials, {_kind(cell): costs for cell in todo}, left)


def test_finished_cells_are_counted_out_and_nothing_is_written(request_of, tmp_path):
    request, materials, todo = request_of()
    before = forecast(request, materials, todo)
    assert (before.cells, before.finished, before.predictions) == (3, 0, 3 * 7 * 24)
    assert before.wall_s >= before.train_s + before.score_s > 0
    assert {(kind.label, kind.cells) for kind in before.kinds} == {("tiny, fine_tune", 2), ("tiny, dfv", 1)}
    assert not list(tmp_path.iterdir())
    run_cell(todo[0], materials, request.runs, ActivationCache())
    after = forecast(request, materials, todo)
    assert (after.cells, after.finished, after.predictions) == (3, 1, 2 * 7 * 24)
    assert forecast(request, materials, todo[:1]).wall_s == 0, "nothing is measured where nothing is left"


def test_the_costs_of_a_cell_are_played_through(request_of):
    request, materials, todo = request_of()
    queue = queue_of(request, materials, todo, replace(COSTS, known_s=0.010, kept_bytes=0))
    queue.play(todo[:1])
    # 36 training images in 3 steps of 12, 12 validation images clean and occluded, 2 epochs; 7 x 24 predictions
    assert queue.train_s == pytest.approx(2 * (36 * 0.02 + 2 * 12 * 0.010))
    assert queue.score_s == pytest.approx(7 * 24 * 0.010)
    assert queue.wall_s == pytest.approx(queue.train_s + queue.score_s)


def test_kept_activations_are_paid_for_once_in_every_process(request_of):
    rule = {"epochs": 2, "batch_size": 12, "trainable": "head", "cached_views": 4}
    request, materials, todo = request_of(train=rule)
    alike = [cell for cell in todo if cell.arm_name != "F"]
    queue = queue_of(request, materials, alike, COSTS)
    queue.play(alike[:1])
    first = queue.wall_s
    queue.play(alike[1:])
    pairs = 6 * 7
    assert first == pytest.approx(2 * (36 * 0.02 + 24 * 0.002) + (4 * 36 + 24 + pairs) * 0.008 + 7 * 24 * 0.010)
    assert queue.wall_s - first == pytest.approx(2 * (36 * 0.02 + 24 * 0.002) + 7 * 24 * 0.002)


def test_what_exceeds_the_memory_is_computed_again(request_of):
    request, materials, todo = request_of(train={"epochs": 2, "batch_size": 12, "trainable": "head"})
    large = replace(COSTS, kept_bytes=2 * request.cache_bytes // (7 * 24))  # half of the predictions fit
    queue = queue_of(request, materials, todo[:2], large)
    for worker in queue._workers:
        worker.kept["other stages"] = 0.0
    queue.play(todo[:1])
    first = queue.score_s
    queue.play(todo[1:2])
    kept = next(share for name, share in queue._workers[0].kept.items() if name != "other stages")
    assert 0 < kept < 0.5, "validation images and pairs came first"
    assert queue.score_s - first == pytest.approx(7 * 24 * (kept * 0.002 + (1 - kept) * 0.010))


def test_jobs_share_the_work_and_the_longest_one_decides(request_of, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    request, materials, todo = request_of(jobs=2)
    queue = queue_of(request, materials, todo, replace(COSTS, kept_bytes=0, known_s=0.010))
    queue.play(todo)
    total = queue.train_s + queue.score_s
    assert total / 2 < queue.wall_s < total
    queue.wait()
    assert {worker.time_s for worker in queue._workers} == {queue.wall_s}


def test_published_weights_are_not_fetched(request_of):
    request, materials, todo = request_of(pretrained=True)
    source = request.benchmark.source_at("")
    found = measure(todo[0], materials, source, take_device(), 0.01)  # tiny has no published weights to fetch
    assert found.step_s > 0
    assert found.new_s >= found.known_s > 0


@pytest.mark.slow
def test_the_projection_is_near_the_truth(request_of):
    request, materials, todo = request_of(
        train={"epochs": 12, "batch_size": 32}, source={"name": "toyparts", "images_per_class": 60, "size_px": 64},
        prepare={"rule": "direct", "size_px": 64}, split={"train_per_class": 40, "test_per_class": 20},
    )  # fmt: skip
    projected = forecast(request, materials, todo)
    started = time.perf_counter()
    materials.decode()
    here = Workplace(materials, ActivationCache(request.cache_bytes))
    assert len(list(run_cells(request, todo, LocalExecutor(0), Listener(), here))) == 3
    assert projected.wall_s == pytest.approx(time.perf_counter() - started, rel=0.5)
