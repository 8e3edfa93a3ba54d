"""Runs that were scored to a precision are reported by their cells, next to whole ones on the cells that all have."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from occbench.bench.measures.outcomes import on_common_cells
from occbench.bench.scoring.partial import PartialMatrix, read_part
from occbench.bench.scoring.precision import CellDesign, estimate
from occbench.bench.scoring.predictions import block_file, write_block
from occbench.bench.tables.comparable import comparable, on_shared_cells
from occbench.bench.tables.finished_runs import find_runs
from occbench.bench.tables.table import build_results
from occbench.core.errors import DatasetError
from occbench.core.files import write_json
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition

IMAGES = 300
LABELS = torch.arange(IMAGES) % 4
#: In the order of a recipe, which is not that of tables.
CONDITIONS = tuple(
    Condition(f"{name}_20_{place}", "patterns", f"20{place}", {"occluder": name, "ratio": 0.2, "position": place})
    for name in ("wolf", "mug", "bar", "ape")
    for place in ("r", "c", "l")
)
DESIGN = CellDesign(IMAGES, len(CONDITIONS))  # three blocks, of which each shows every image under four conditions
BLOCK = IMAGES * 4


def answers_of(arm, images, columns):
    """Return what an arm answers on cells: right on a share of them that depends on the condition."""
    draws = stream(0, arm).integers(100, IMAGES * len(CONDITIONS)).reshape(IMAGES, -1)
    right = draws < 40 + 3 * np.arange(len(CONDITIONS))
    top1 = torch.where(torch.from_numpy(right[images, columns]), LABELS[images], 7)
    return [top1, top1 < 7, torch.full((len(images),), 0.5), torch.full((len(images),), 1.0)]


def write_run(runs, arm, n_cells):
    """Write a run of which all cells were scored, or the first ``n_cells``; and some that a killed run added."""
    home = runs / arm
    folder = home / "scores" / "set"
    every = np.arange(IMAGES)
    write_block(block_file(folder, CLEAN), CLEAN, LABELS, answers_of(arm, every, np.zeros(IMAGES, dtype=int)))
    facts = {"backbone": "tiny", "arm": {"method": {"name": "fine_tune"}}, "seed": 0}
    numbers = {"test_images": IMAGES, "train_s": 1.0, "score_s": 1.0, "images_per_s": 1.0}
    names = {"fingerprint": arm, "benchmark": "mine", "arm": arm, "test_set": "set", "device": "cpu", "facts": facts}
    part = {}
    if n_cells is None:
        for column, condition in enumerate(CONDITIONS):
            found = answers_of(arm, every, np.full(IMAGES, column))
            write_block(block_file(folder, condition), condition, LABELS, found)
    else:
        matrix = PartialMatrix(folder, LABELS, CONDITIONS)
        images, columns = np.nonzero(DESIGN.prefix(n_cells))
        matrix.record(images, columns, answers_of(arm, images, columns))
        found = estimate(matrix.matrix("top1"), matrix.seen)
        part = {"part": {
            "estimate": asdict(found), "asked_half_width": 0.1, "cells_of_full_matrix": IMAGES * len(CONDITIONS),
            "conditions": [{"name": c.name, "group": c.group, "parameters": c.parameters} for c in CONDITIONS],
        }}  # fmt: skip
        more_images, more_columns = np.nonzero(~matrix.seen[:30])
        matrix.record(more_images, more_columns, answers_of(arm, more_images, more_columns))
    write_json(home / "manifest.json", {**names, **numbers, **part})
    return folder


@pytest.fixture
def runs(tmp_path):
    """A whole run, and two that were scored in part, one more than the other."""
    for arm, n_cells in (("C", None), ("F", 2 * BLOCK), ("C-Full", BLOCK)):
        write_run(tmp_path / "runs", arm, n_cells)
    return tmp_path / "runs"


def test_a_part_is_read_without_what_a_killed_run_added(tmp_path):
    folder = write_run(tmp_path, "F", BLOCK)
    found = read_part(folder, CONDITIONS, BLOCK, "top1")
    assert [condition.name for condition in found.conditions] == ["clean", *(c.name for c in CONDITIONS)]
    assert np.array_equal(found.seen[:, 1:], DESIGN.prefix(BLOCK))
    assert found.seen[:, 1:].sum() == BLOCK
    assert found.seen[:, 0].all()
    with pytest.raises(DatasetError, match="lacks"):
        read_part(folder, CONDITIONS, IMAGES * len(CONDITIONS), "top1")


def test_columns_stand_where_those_of_whole_runs_do(runs):
    finished, begun = find_runs(runs)
    assert begun == []
    (table,) = comparable(finished)
    by_arm = {arm.arm: arm for arm in table.arms}
    whole, part = by_arm["C"].top1[0], by_arm["F"].top1[0]
    assert [c.name for c in whole.conditions][:4] == ["clean", "ape_20_c", "ape_20_l", "ape_20_r"]
    assert [c.name for c in part.conditions] == [c.name for c in whole.conditions]
    assert part.conditions[1].parameters["occluder"] == "ape"
    column = [c.name for c in CONDITIONS].index("wolf_20_c")
    place = [c.name for c in part.conditions].index("wolf_20_c")
    right = answers_of("F", np.arange(IMAGES), np.full(IMAGES, column))[0] == LABELS
    assert np.array_equal(part.hits[:, place], right.numpy() & part.seen[:, place])
    assert part.seen[:, place].sum() == 2 * IMAGES / 3


def test_rows_are_compared_on_the_cells_that_all_have(runs):
    (table,) = comparable(find_runs(runs)[0])
    narrowed = on_shared_cells(table.arms)
    expected = on_common_cells([arm.top1[0] for arm in table.arms])
    for arm, outcomes in zip(narrowed, expected, strict=True):
        assert np.array_equal(arm.top1[0].hits, outcomes.hits)
        assert np.array_equal(arm.runs[0].top5.seen, outcomes.seen)
    (results,) = build_results(runs, draws=100)
    clean, avg = results.columns.index("clean"), results.columns.index("avg")
    for row, outcomes in zip(results.rows, sorted_like(results, table, expected), strict=True):
        assert row.cells[avg].number.value == pytest.approx(100 * outcomes.accuracy[1:].mean())
        assert row.cells[clean].number.value == pytest.approx(100 * outcomes.accuracy[0])
    (warning,) = [line for line in results.warnings if "--half-width" in line]
    shared = expected[0].cells_by_condition[1:].sum()
    assert warning.startswith(
        f"2 of 3 runs were scored in part (--half-width). Every number is of the {shared:,} random"
    )


def sorted_like(results, table, outcomes):
    of_arm = {arm.arm: found for arm, found in zip(table.arms, outcomes, strict=True)}
    return [of_arm[row.arm] for row in results.rows]


def test_whole_runs_alone_are_left_as_they_are(tmp_path):
    write_run(tmp_path, "C", None)
    (table,) = comparable(find_runs(tmp_path)[0])
    assert on_shared_cells(table.arms) == list(table.arms)
