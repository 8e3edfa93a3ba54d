import numpy as np
import pytest

from occbench.bench.outcomes import Outcomes, check_paired, on_common_cells
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
