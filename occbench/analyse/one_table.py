"""The runs of one table: trained on one benchmark by one rule and scored on one complete test set."""

from pathlib import Path

from occbench.bench.tables.comparable import Comparable, comparable
from occbench.bench.tables.finished_runs import find_runs
from occbench.core.errors import ConfigError

__all__ = ["one_table"]


def one_table(folder: Path, benchmark: str = "") -> Comparable:
    """Return the only table that a folder of runs holds.

    Args:
        folder: of runs.
        benchmark: where it holds several benchmarks, the name of one.

    Raises:
        DatasetError: no finished run.
        ConfigError: several tables, or none of that benchmark.
    """
    tables = comparable(find_runs(folder)[0])
    names = [f"{table.benchmark} ({table.setting})" if table.setting else table.benchmark for table in tables]
    chosen = [table for table in tables if benchmark in ("", table.benchmark)]
    if len(chosen) == 1:
        return chosen[0]
    asked = f" of benchmark {benchmark}" if benchmark else ""
    raise ConfigError(
        f"{folder}: the analysis is of one table{asked}, found {len(chosen)} (the folder has {'; '.join(names)}). "
        "Name the benchmark, or put the runs of one setting into a folder of their own."
    )
