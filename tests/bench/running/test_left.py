"""What is left of a cell is what ``run_cell`` would still do."""

import pytest

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.cell import cells
from occbench.bench.running.left import Left, left_of, sum_of
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell


@pytest.fixture
def cell_and_materials(tiny_materials):
    materials = tiny_materials()
    return next(cells(materials.benchmark, {}, materials.fingerprint)), materials


class StopError(Exception):
    pass


def stopped_at(event, number):
    heard = []

    def stop(*_):
        heard.append(1)
        if len(heard) == number:
            raise StopError

    return Listener(**{event: stop})


@pytest.mark.parametrize(
    ("event", "number", "half_width", "expected"),
    [
        ("on_step", 2, None, Left(2, 7 * 24)),
        ("on_epoch", 1, None, Left(1, 7 * 24)),
        ("on_predictions", 3, None, Left(0, 5 * 24)),
        ("on_predictions", 2, 0.4, Left(0, 3 * 24)),  # clean, and a file of 72 cells
    ],
)
def test_what_a_stopped_run_has_left(cell_and_materials, tmp_path, event, number, half_width, expected):
    cell, materials = cell_and_materials
    assert left_of(cell, materials, tmp_path) == Left(2, 7 * 24)
    with pytest.raises(StopError):
        run_cell(cell, materials, tmp_path, ActivationCache(), stopped_at(event, number), half_width)
    assert left_of(cell, materials, tmp_path) == expected
    told = []
    run_cell(cell, materials, tmp_path, ActivationCache(), Listener(on_predictions=lambda _, count: told.append(count)))
    assert sum(told) == expected.predictions
    assert not left_of(cell, materials, tmp_path)


def test_a_warm_up_is_only_trained(cell_and_materials, tmp_path):
    cell, materials = cell_and_materials
    assert left_of(cell, materials, tmp_path, scored=False) == Left(2, 0)


def test_parts_add_up():
    assert sum_of([Left(1, 2), Left(3, 4)]) == Left(4, 6)
    assert not sum_of([])
