import csv
from pathlib import Path

import numpy as np
import pytest

from occbench.bench.measures import metrics
from occbench.bench.measures.outcomes import Outcomes
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition
from occbench.occlusions.levels import Levels

REFERENCE = Path(__file__).resolve().parents[3] / "benchmarks" / "reference"
OCCLUDED = {"20c", "20r", "10c", "10r", "20", "10"}


def paper_conditions(occluders: int = 3) -> tuple[Condition, ...]:
    patterns = [
        Condition(
            f"o{o}_{percent}_{place}", "patterns", f"{percent}{place[0]}", {"occluder": f"o{o}", "ratio": percent / 100}
        )
        for o in range(occluders)
        for percent in (20, 10)
        for place in ("c", "r1", "r2", "r3")
    ]
    return (CLEAN, *patterns)


def random_outcomes(n_images: int = 40, seen: bool = False) -> Outcomes:
    conditions = paper_conditions()
    shape = (n_images, len(conditions))
    return Outcomes(
        correct=stream(1, "test", "correct").uniforms(*shape) < 0.6,
        labels=stream(1, "test", "labels").integers(5, n_images),
        conditions=conditions,
        seen=stream(1, "test", "seen").uniforms(*shape) < 0.7 if seen else None,
    )


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def rows_with_average() -> list[tuple[str, dict[str, str]]]:
    tables = {path.stem: read(path) for path in sorted(REFERENCE.glob("*.csv"))}
    return [(name, row) for name, rows in tables.items() for row in rows if "avg" in row and OCCLUDED & row.keys()]


@pytest.mark.parametrize(("table", "row"), [pytest.param(t, r, id=f"{t}-{r['arm']}") for t, r in rows_with_average()])
def test_weighted_average_reproduces_every_printed_average(table, row):
    columns = {group: float(row[group]) for group in row if group in OCCLUDED or group == "clean"}
    assert metrics.weighted_average(columns) == pytest.approx(float(row["avg"]), abs=0.01)


def test_all_tables_with_columns_are_covered():
    assert len(rows_with_average()) == 4 + 4 + 2 + 3 + 2 + 4  # tables 2, 4, 6, 7, 8 and S2


def test_committed_tables_hold_the_numbers_of_the_shared_ones():
    shared = Path(__file__).resolve().parents[4] / "shared" / "reference_tables" / "all_results_long.csv"
    if not shared.is_file():
        pytest.skip("the shared reference tables are not beside this checkout")
    rows = [row for row in read(shared) if row["seed"] == "001"]
    committed = [
        value
        for path in REFERENCE.glob("*.csv")
        if path.stem != "claims"
        for row in read(path)
        for name, value in row.items()
        if name not in ("arm", "backbone", "input_px", "source") and value
    ]
    assert {float(row["value"]) for row in rows} <= {float(value) for value in committed}


def test_average_weighs_every_pattern_equally_and_equals_the_average_of_the_columns():
    outcomes = random_outcomes()
    by_group = metrics.accuracy_by_group(outcomes)
    assert list(by_group) == ["clean", "20c", "20r", "10c", "10r"]
    assert metrics.avg_over_occlusion(outcomes) == pytest.approx(outcomes.correct[:, 1:].mean())
    assert metrics.avg_over_occlusion(outcomes) == pytest.approx(metrics.weighted_average(by_group))


def test_other_groups_weigh_the_same_and_do_not_mix_with_pattern_groups():
    assert metrics.weighted_average({"clean": 90, "patchdrop-20": 80, "patchdrop-60": 60}) == pytest.approx(70)
    with pytest.raises(ConfigError, match="pattern groups"):
        metrics.weighted_average({"20c": 1, "patchdrop-60": 2})
    with pytest.raises(ConfigError, match="clean"):
        metrics.weighted_average({"clean": 90})


@pytest.mark.parametrize("seen", [False, True])
def test_accuracy_counts_scored_cells_only(seen):
    outcomes = random_outcomes(seen=seen)
    mask = np.ones_like(outcomes.correct) if outcomes.seen is None else outcomes.seen
    for column, (name, share) in enumerate(metrics.accuracy_by_condition(outcomes).items()):
        scored = [bool(outcomes.correct[i, column]) for i in range(len(mask)) if mask[i, column]]
        assert (name, share) == (outcomes.conditions[column].name, pytest.approx(sum(scored) / len(scored)))


def test_what_an_unseen_cell_holds_is_not_read():
    first = random_outcomes(seen=True)
    other = Outcomes(first.correct | ~first.seen, first.labels, first.conditions, first.seen)
    assert metrics.accuracy_by_condition(first) == metrics.accuracy_by_condition(other)
    assert metrics.accuracy_by_class(first) == metrics.accuracy_by_class(other)


def test_occluders_partition_the_patterns():
    outcomes = random_outcomes()
    by_occluder = metrics.accuracy_by_occluder(outcomes)
    assert set(by_occluder) == {"o0", "o1", "o2"}
    assert np.mean(list(by_occluder.values())) == pytest.approx(metrics.avg_over_occlusion(outcomes))


def test_macro_counts_a_rare_class_as_much_as_a_common_one():
    correct = np.array([[1, 1], [1, 1], [1, 1], [0, 0]], dtype=np.uint8)
    outcomes = Outcomes(correct, np.array([7, 7, 7, 2]), paper_conditions()[:2])
    assert metrics.accuracy_by_class(outcomes, "clean") == {2: 0.0, 7: 1.0}
    assert metrics.macro_accuracy(outcomes, "clean") == 0.5
    assert metrics.accuracy_by_group(outcomes)["clean"] == 0.75


def test_worst_pattern_is_never_the_clean_column():
    correct = np.array([[0, 1, 1], [0, 1, 0]], dtype=bool)
    outcomes = Outcomes(correct, np.array([0, 1]), paper_conditions()[:3])
    assert metrics.worst_pattern(outcomes) == ("o0_20_r1", 0.5)


def test_drops():
    better = Outcomes(np.array([[1, 1], [1, 0]], dtype=bool), np.array([0, 1]), paper_conditions()[:2])
    worse = Outcomes(np.array([[1, 0], [0, 0]], dtype=bool), np.array([0, 1]), paper_conditions()[:2])
    assert metrics.clean_drop(worse, baseline=better) == 0.5
    assert metrics.occlusion_drop(better) == 0.5


def test_nauc_of_a_straight_line_is_its_height_in_the_middle():
    losses = (0.1, 0.4, 0.5)
    conditions = (CLEAN, *(Condition(f"p{i}", "patch_drop", f"p{i}", {"loss": x}) for i, x in enumerate(losses)))
    images = np.arange(100)[:, None]
    correct = images < 100 * (1 - np.array([0.0, *losses]))
    assert metrics.nauc(Outcomes(correct, np.zeros(100, int), conditions)) == pytest.approx(0.75)


def test_nauc_weighs_a_ratio_once_however_many_conditions_share_it():
    outcomes = random_outcomes()
    groups = metrics.accuracy_by_group(outcomes)
    ten, twenty = ((groups[f"{p}c"] + 3 * groups[f"{p}r"]) / 4 for p in (10, 20))
    assert metrics.nauc(outcomes) == pytest.approx((0.5 * groups["clean"] + ten + 0.5 * twenty) / 2)


def test_nauc_refuses_a_percentage_and_a_missing_ratio():
    for parameters, words in (({"loss": 60}, "share"), ({}, "no parameter")):
        conditions = (CLEAN, Condition("a", "x", "a", parameters))
        with pytest.raises(ConfigError, match=words):
            metrics.nauc(Outcomes(np.ones((2, 2), bool), np.zeros(2, int), conditions))


def test_a_level_stands_at_the_middle_of_its_band_of_the_object():
    levels = Levels(types=("white", "object"))
    shares = [metrics.hidden_share(condition) for condition in (CLEAN, *levels.conditions)]
    assert [share.of for share in shares] == ["image"] + 6 * ["object"]
    assert [share.value for share in shares] == pytest.approx([0, 0.3, 0.3, 0.5, 0.5, 0.7, 0.7])
    assert metrics.hidden_share(Condition("scarf", "photographed", "scarf")) is None


def test_nauc_over_levels_is_the_trapezoid_written_down():
    """Right on all clean images, 80 %, 60 % and 40 % at 0.3, 0.5 and 0.7: areas 0.27, 0.14 and 0.1."""
    conditions = (CLEAN, *Levels(types=("white",)).conditions)
    correct = np.arange(10)[:, None] < np.array([[10, 8, 6, 4]])
    assert metrics.nauc(Outcomes(correct, np.zeros(10, int), conditions)) == pytest.approx((0.27 + 0.14 + 0.1) / 0.7)
