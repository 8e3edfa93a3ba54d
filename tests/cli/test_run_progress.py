"""A benchmark's training and scoring are two bars on a terminal, plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from occbench.bench.protocol.cell import cells
from occbench.bench.training.train import Epoch
from occbench.cli.run_progress import run_progress


@pytest.fixture
def cell(tiny_benchmark):
    return next(cells(tiny_benchmark(), {}, "images"))


def tell(listener, cell):
    for epoch in range(2):
        for _ in range(4):
            listener.on_step(cell, 0.25)
        listener.on_epoch(cell, Epoch(epoch, 2, 0.5, 0.75, 0.5))
    for _ in range(100):
        listener.on_predictions(cell, 10)


def test_plain_lines_where_there_is_no_terminal(cell):
    shown = io.StringIO()
    with run_progress(2, 1000, Console(file=shown, width=40)) as listener:
        tell(listener, cell)
    lines = shown.getvalue().splitlines()
    assert len(lines) == 2 + 10, "every epoch, and a line for each tenth of the predictions; none is wrapped"
    assert lines[0].startswith("  C seed 0: epoch 1/2, loss 0.5000, validation 75.0 clean, 50.0 occluded; training ")
    assert lines[-1] == "  1,000 of 1,000 predictions; scoring 0 s left"
    assert all(line.endswith(" left") for line in lines)


def test_bars_on_a_terminal(cell):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=160, color_system=None)
    with run_progress(2, 1000, console) as listener:
        tell(listener, cell)
    last = shown.getvalue()[-1200:]
    assert "Training" in last
    assert "2.0/2 epochs  0 s left  C seed 0: epoch 2/2, loss 0.5000" in last
    assert "1,000/1,000 predictions  0 s left" in last


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_to_do_shows_nothing(terminal):
    shown = io.StringIO()
    with run_progress(0, 0, Console(file=shown, force_terminal=terminal, color_system=None)):
        pass
    assert "Training" not in shown.getvalue()
    assert "Scoring" not in shown.getvalue()
