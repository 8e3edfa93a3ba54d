"""Jobs run to completion whatever happens to the workers, and errors arrive as they were raised."""

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from occbench.core.errors import BrokenImageError, ConfigError, WorkerError
from occbench.core.worker import worker_number
from occbench.engine.local import LocalExecutor


def double(item):
    return 2 * item


def die_once(marker):
    """Kill the own process, unless an earlier try left the marker."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Path(marker).name


def die_on_bad(path):
    if Path(path).name == "bad":
        os._exit(3)
    time.sleep(0.02)
    Path(path).touch()
    return Path(path).name


def refuse(item):
    if item == 1:
        raise BrokenImageError("item 1: zero bytes")
    return item


def hears_interrupts(_):
    return signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_interrupts_are_the_drivers_alone():
    assert dict(LocalExecutor(1).map(hears_interrupts, ["worker"])) == {"worker": False}
    assert hears_interrupts("driver")


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_item_has_its_result(workers):
    results = dict(LocalExecutor(workers).map(double, range(7)))
    assert results == {item: 2 * item for item in range(7)}


def numbers_of_workers(count):
    return sorted(number for _, number in LocalExecutor(count).map(number_of_worker, range(count)))


def number_of_worker(_):
    time.sleep(0.2)  # so that every worker gets one
    return worker_number()


def test_a_process_that_is_a_child_itself_may_have_workers():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as outer:
        numbers = outer.submit(numbers_of_workers, 2).result()
    assert len(numbers) == 2
    assert set(numbers) <= {0, 1}


def who_am_i(meeting):
    """Wait until three processes have come, so that no worker takes a second item before each has its first."""
    (Path(meeting) / str(os.getpid())).touch()
    while len(list(Path(meeting).iterdir())) < 3:
        time.sleep(0.01)
    return worker_number()


def test_workers_are_numbered(tmp_path):
    first, *others = sorted(number for _, number in LocalExecutor(3).map(who_am_i, [str(tmp_path)] * 3))
    assert others == [first + 1, first + 2]
    assert worker_number() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_to_do_is_done_at_once(workers):
    assert list(LocalExecutor(workers).map(double, [])) == []


def test_an_item_whose_worker_is_killed_is_run_again(tmp_path):
    markers = [str(tmp_path / name) for name in "abc"]
    results = dict(LocalExecutor(2).map(die_once, markers))
    assert results == {marker: Path(marker).name for marker in markers}


def test_an_item_that_always_kills_its_worker_is_named_after_the_others_are_finished(tmp_path):
    names = ["one", "bad", "two", "three", "four"]
    items = [str(tmp_path / name) for name in names]
    seen = []
    with pytest.raises(WorkerError, match=r"died 2 times on \S+bad: ") as raised:
        seen.extend(result for _, result in LocalExecutor(2, tries=2).map(die_on_bad, items))
    assert sorted(seen) == sorted(set(names) - {"bad"})
    assert {path.name for path in tmp_path.iterdir()} == set(seen)
    assert "one" not in str(raised.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_a_job_is_passed_on(workers):
    with pytest.raises(BrokenImageError, match="item 1: zero bytes"):
        list(LocalExecutor(workers).map(refuse, range(4)))


def test_leaving_the_loop_ends_the_workers():
    results = LocalExecutor(2).map(double, range(100))
    next(results)
    results.close()  # hangs here if a worker were left
    with pytest.raises(StopIteration):
        next(results)


@pytest.mark.parametrize(("workers", "tries"), [(-1, 3), (1, 0)])
def test_impossible_numbers_are_refused(workers, tries):
    with pytest.raises(ConfigError, match=rf"found {workers} and {tries}"):
        LocalExecutor(workers, tries)
