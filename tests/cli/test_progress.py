"""Time left is of one kind of work at a time; any work is a bar on a terminal, ten plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from occbench.cli.progress import Pace, counting, decoding_lines, work_progress
from occbench.cli.terminal import readable_bytes


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_time_left_counts_only_time_spent_on_this_kind_of_work():
    clock = Clock()
    pace = Pace(10, clock)
    assert pace.left_s is None
    assert pace.left == ""
    clock.now_s = 5.0
    pace.advance(2, since_s=0.0)
    assert pace.left_s == pytest.approx(8 * 2.5)
    clock.now_s = 1000.0  # other work went on
    pace.advance(2, since_s=995.0)
    assert pace.left_s == pytest.approx(6 * 2.5)
    assert pace.left == "15 s left"
    pace.advance(100, since_s=1000.0)
    assert (pace.done, pace.left_s) == (10, 0)


def test_decoding_is_spoken_of_now_and_then(capsys):
    clock = Clock()
    told = decoding_lines(Console(stderr=True, width=200), clock)
    for _ in range(5):
        clock.now_s += 4
        told(100, 1000)
    assert capsys.readouterr().err.splitlines() == ["  300 of 1,000 images decoded; 28 s left"]


def test_any_work_is_a_line_for_each_tenth_where_there_is_no_terminal():
    shown = io.StringIO()
    with work_progress("Exporting", "images", console=Console(file=shown, width=40)) as show:
        for done in range(201):
            show(done, 200, "two set aside")
    lines = shown.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[4].startswith("  Exporting: 100 of 200 images, ")
    assert lines[-1] == "  Exporting: 200 of 200 images, 0 s left, two set aside"


def test_what_was_there_before_took_no_time_now():
    clock = Clock()
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=160, color_system=None)
    with work_progress("Publishing", "are there", readable_bytes, console, clock) as show:
        show(9e9, 10e9)
        clock.now_s = 60.0
        show(9.5e9, 10e9)
    assert "9.5 GB of 10.0 GB are there, 60 s left" in shown.getvalue()


def test_counting_adds_up(capsys):
    with counting("Scoring", "predictions", 40) as more:
        for _ in range(4):
            more(10)
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in said] == [
        f"  Scoring: {done} of 40 predictions" for done in (10, 20, 30, 40)
    ]
