import pytest

from occbench.analyse.one_table import one_table
from occbench.core.errors import ConfigError, DatasetError


def test_the_only_table_is_found(trained_runs):
    table = one_table(trained_runs)
    assert (table.benchmark, sorted(arm.label for arm in table.arms)) == ("tiny", ["C", "C-Full"])
    assert one_table(trained_runs, "tiny").test_set == table.test_set


def test_another_benchmark_is_refused(trained_runs):
    with pytest.raises(ConfigError, match=r"of benchmark cub200, found 0 \(the folder has tiny"):
        one_table(trained_runs, "cub200")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="needs a finished run"):
        one_table(tmp_path)
