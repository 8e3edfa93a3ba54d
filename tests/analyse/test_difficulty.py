import csv

import numpy as np
import pytest

from occbench.analyse.difficulty import arm_difficulty
from occbench.analyse.difficulty_report import write_difficulty
from occbench.bench.tables.comparable import Comparable
from occbench.core.errors import ConfigError

OCCLUDED = [
    ("mug_20_c", {"occluder": "mug", "position": "c", "ratio": 0.2}),
    ("mug_20_r1", {"occluder": "mug", "position": "r1", "ratio": 0.2}),
    ("leaf_10_c", {"occluder": "leaf", "position": "c", "ratio": 0.1}),
    ("leaf_10_r2", {"occluder": "leaf", "position": "r2", "ratio": 0.1}),
]
#: clean, then the four patterns: the mug at the centre hides everything, the leaf nothing
ANSWERS = [[1, 0, 1, 1, 1], [1, 0, 0, 1, 1], [1, 0, 1, 1, 1], [0, 0, 0, 0, 0]]


class Arm:
    """What the analysis reads of a trained arm."""

    label = "C"

    def __init__(self, *outcomes):
        self.top1 = outcomes
        self.runs = [type("Run", (), {"manifest": {"classes": ["cat", "<b>"], "fingerprint": "f"}})]


@pytest.fixture
def arm(outcomes):
    return Arm(outcomes(ANSWERS, [0, 0, 1, 1], OCCLUDED))


def drops(found):
    return {(level.factor, level.value): float(level.drops.mean()) for level in found.levels}


def test_drops_are_those_counted_by_hand(arm):
    found = arm_difficulty(arm)
    assert drops(found) == {
        ("occluder", "leaf"): 0.0,
        ("occluder", "mug"): (0.5 + 1 + 0.5 + 0) / 4,
        ("position", "centre"): (0.5 + 0.5 + 0.5 + 0) / 4,
        ("position", "random"): (0 + 0.5 + 0 + 0) / 4,
        ("ratio", "0.1"): 0.0,
        ("ratio", "0.2"): 0.5,
    }
    assert found.whole.tolist() == [0.25, 0.5, 0.25, 0.0]
    assert found.classes == [0, 1], "class 0 loses 0.375 on average, class 1 0.125"


def test_seeds_are_averaged_before_images(outcomes):
    right = outcomes([[1, 1, 1, 1, 1]] * 4, [0, 0, 1, 1], OCCLUDED)
    both = arm_difficulty(Arm(outcomes(ANSWERS, [0, 0, 1, 1], OCCLUDED), right))
    # the second seed loses nothing; its clean answer of the last image is right, too
    assert both.whole.tolist() == [0.125, 0.25, 0.125, 0.0]


def test_every_class_and_pattern_is_in_the_csv_and_names_are_text(arm, tmp_path):
    table = type("Table", (Comparable,), {"test_set": "t"})("tiny", "", (arm,))
    made = write_difficulty(table, (), tmp_path)
    with (tmp_path / "difficulty.csv").open() as file:
        rows = list(csv.DictReader(file))
    picked = {(row["class"], row["factor"], row["level"]): row for row in rows}
    assert picked["cat", "pattern", "mug_20_c"]["drop_points"] == "100.00"
    assert picked["<b>", "occluder", "mug"]["drop_points"] == "25.00"
    assert picked["all classes", "all", ""]["drop_points"] == "25.00"
    assert (tmp_path / "difficulty-c.png").stat().st_size > 1000
    assert [item.verdict for item in made.findings] == ["undecided", "undecided"], "four images decide nothing"
    assert "+25.0 points" in made.findings[0].evidence
    assert "+50.0 points" in made.findings[1].evidence


def test_an_arm_that_is_not_there_is_refused(arm, tmp_path):
    table = type("Table", (Comparable,), {"test_set": "t"})("tiny", "", (arm,))
    with pytest.raises(ConfigError, match="--arms asks for G, the runs have C"):
        write_difficulty(table, ("G",), tmp_path)


def test_runs_without_clean_images_or_without_factors_are_refused(outcomes):
    whole = outcomes(ANSWERS, [0, 0, 1, 1], OCCLUDED)
    from occbench.bench.measures.outcomes import Outcomes

    no_clean = Outcomes(np.asarray(ANSWERS, bool)[:, 1:], whole.labels, whole.conditions[1:])
    with pytest.raises(ConfigError, match="a drop is from clean to occluded"):
        arm_difficulty(Arm(no_clean))
    plain = outcomes([row[:2] for row in ANSWERS], [0, 0, 1, 1], [("a", {})])
    with pytest.raises(ConfigError, match="differ in none of occluder"):
        arm_difficulty(Arm(plain))
