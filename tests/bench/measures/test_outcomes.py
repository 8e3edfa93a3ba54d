import numpy as np
import pytest

from occbench.bench.measures.outcomes import Outcomes, check_paired, member_groups, on_common_cells
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.types import CLEAN, Condition

CONDITIONS = (CLEAN, Condition("a_20_c", "patterns", "20c"), Condition("a_20_r1", "patterns", "20r"))
LABELS = np.arange(4)


def model(seen=None, labels=LABELS):
    return Outcomes(np.eye(4, 3, dtype=bool), labels, CONDITIONS, seen)


def prefix(rows):
    return np.repeat(np.arange(4) < rows, 3).reshape(4, 3)


def test_a_group_names_its_columns_and_avg_all_but_clean():
    assert model().groups == ("clean", "20c", "20r")
    assert model().columns("20r").tolist() == [2]
    assert model().columns("avg").tolist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "groups", "members"),
    [
        ("20c", ["20c", "20r"], ("20c",)),
        ("20", ["20c", "20r", "10c", "10r"], ("20c", "20r")),
        ("12p5", ["12p5r", "12p5c"], ("12p5c", "12p5r")),
        ("20", ["20", "20c", "20r"], ("20",)),
        ("20", ["20c", "10r"], ()),
        ("scarf-all", ["scarf-neutral", "mask-neutral", "scarf-side"], ("scarf-neutral", "scarf-side")),
        ("scarf", ["scarf-neutral", "scarf-side"], ()),
        ("hat-all", ["scarf-neutral"], ()),
    ],
)
def test_a_column_may_stand_for_several_groups(name, groups, members):
    assert member_groups(name, groups) == members


def test_a_column_of_several_groups_weighs_every_condition_the_same():
    assert model().columns("20").tolist() == [1, 2]
    with pytest.raises(ConfigError, match="group '10' was asked"):
        model().columns("10")


def test_the_headline_is_the_average_where_something_is_occluded():
    assert model().headline == "avg"
    assert Outcomes(np.ones((4, 1), bool), LABELS, CONDITIONS[:1]).headline == "clean"


def test_counts_are_of_scored_cells():
    assert model().counts(np.array([1, 2])) == (4, 8)
    seen = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=bool)
    assert model(seen).counts(np.array([1, 2])) == (2, 3)


def test_only_models_of_the_same_cells_are_paired():
    check_paired([model(), model(np.ones((4, 3), bool)), model()])
    for other in (model(prefix(2)), model(labels=LABELS + 1)):
        with pytest.raises(DatasetError, match="same test set"):
            check_paired([model(), other])
    with pytest.raises(ConfigError, match="no model"):
        check_paired([])


def test_common_cells_of_prefixes_are_the_shortest_prefix():
    narrowed = on_common_cells([model(prefix(3)), model(), model(prefix(2))])
    assert all((outcomes.seen == prefix(2)).all() for outcomes in narrowed)
    assert on_common_cells([model(), model()])[0].seen is None
    with pytest.raises(DatasetError, match="no image was scored"):
        on_common_cells([model(prefix(2)), model(~prefix(2))])


def test_bad_matrices_are_refused():
    labels, conditions = np.zeros(2, int), CONDITIONS[:2]
    with pytest.raises(DatasetError, match=r"found \[2, 3\]"):
        Outcomes(np.ones((2, 3), bool), labels, conditions)
    with pytest.raises(DatasetError, match="share a name"):
        Outcomes(np.ones((2, 2), bool), labels, (CLEAN, CLEAN))
    with pytest.raises(DatasetError, match="no image was scored under clean"):
        Outcomes(np.ones((2, 2), bool), labels, conditions, np.array([[False, True], [False, True]]))
    with pytest.raises(ConfigError, match="20c"):
        Outcomes(np.ones((2, 2), bool), labels, conditions).columns("30c")
