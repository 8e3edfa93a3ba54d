"""What jobs in other processes write is told in the driver, whole and in order."""

import pickle
import threading

import pytest

from occbench.bench.protocol.cell import cells
from occbench.bench.running.journal import journal
from occbench.bench.running.listener import Listener
from occbench.bench.training.train import Epoch


@pytest.fixture
def todo(tiny_benchmark):
    return list(cells(tiny_benchmark(), {}, "images"))


@pytest.fixture
def heard():
    """Return a listener and the list of what it was told."""
    log = []

    def note(what):
        return lambda cell, value: log.append((what, cell.arm_name, value))

    return Listener(note("epoch"), note("step"), note("predictions"), note("records")), log


def test_a_job_is_heard_through_a_pickled_listener(todo, heard):
    listener, log = heard
    epoch = Epoch(0, 2, 0.5, float("nan"), 1.0)
    with journal(todo, listener) as told:
        writer = pickle.loads(pickle.dumps(told.writer))
        for _ in range(4):
            writer.on_step(todo[1], 0.25)
        writer.on_epoch(todo[1], epoch)
        told.drain()
        assert log[-1][:2] == ("epoch", "C-Full")
        assert str(log[-1][2]) == str(epoch)
        assert sum(value for what, _, value in log if what == "step") == 1
        assert len(log) <= 3, "steps are added up"
        for _ in range(10):
            writer.on_predictions(todo[1], 64)
        writer.on_records(todo[1], [])
    assert sum(value for what, _, value in log if what == "predictions") == 640, "the rest is told at the end"
    assert not [event for event in log if event[0] == "records"], "records come as the job's result"


def test_lines_of_many_writers_do_not_mix(todo, heard):
    listener, log = heard
    with journal(todo, listener) as told:

        def write(cell):
            writer = pickle.loads(pickle.dumps(told.writer))
            for number in range(200):
                writer.on_epoch(cell, Epoch(number, 200, 1.0, 1.0, 1.0))

        threads = [threading.Thread(target=write, args=(cell,)) for cell in todo]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for cell in todo:
        assert [value.epoch for _, whose, value in log if whose == cell.arm_name] == list(range(200))


def test_the_driver_hears_without_asking(todo, heard):
    listener, log = heard
    with journal(todo, listener) as told:
        told.writer.on_epoch(todo[0], Epoch(0, 1, 1.0, 1.0, 1.0))
        waited = threading.Event()
        while not log and not waited.wait(0.05):
            pass
    assert log


def test_half_a_line_waits_for_its_other_half(todo, heard, tmp_path):
    from occbench.bench.running.journal import Journal

    listener, log = heard
    made = Journal(tmp_path, todo, listener)
    line = f'["on_step", "{todo[0].fingerprint}", 0.5]\n'
    for part in (line[:9], line[9:]):
        assert log == []
        with (tmp_path / "worker-1.jsonl").open("a") as file:
            file.write(part)
        made.drain()
    assert log == [("step", "C", 0.5)]


def test_machines_that_share_a_folder_are_heard_and_leave_nothing(todo, heard, tmp_path, monkeypatch):
    listener, log = heard
    with journal(todo, listener, shared=tmp_path / "runs") as told:
        assert told.folder.parent == tmp_path / "runs"
        for machine in ("one", "other.lab"):  # with the same process number, as containers have
            monkeypatch.setattr("platform.node", lambda name=machine: name)
            pickle.loads(pickle.dumps(told.writer)).on_epoch(todo[0], Epoch(0, 1, 1.0, 1.0, 1.0))
        assert len(list(told.folder.iterdir())) == 2
    assert len(log) == 2
    assert list((tmp_path / "runs").iterdir()) == []
