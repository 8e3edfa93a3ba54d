"""The page of results: a verdict on every claim of every paper, and no number that is not in a record."""

import csv
import importlib
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
VERDICTS = ("**reproduced**", "**not reproduced**", "**undecided**", "**not run", "not testable here")


@pytest.fixture
def tables(hooks):
    return importlib.import_module("claim_tables")


def papers():
    return re.findall(r"<!-- claims: (\w+) -->", PAGE)


def test_every_claim_of_every_paper_has_a_verdict(tables):
    shown = "\n".join(tables.claim_tables(paper) for paper in papers())
    rows = [row for row in shown.splitlines() if row.startswith("| [")]
    with (REPOSITORY / "benchmarks" / "reference" / "claims.csv").open(encoding="utf-8", newline="") as file:
        published = list(csv.DictReader(file))
    for claim in published:
        (row,) = [row for row in rows if row.startswith(f"| [{claim['benchmark']}]") and f"| {claim['claim']} |" in row]
        assert sum(word in row for word in VERDICTS) == 1, row
    assert len([row for row in rows if "reference/benchmarks" in row]) == len(published)


def test_the_page_has_every_paper_and_every_record(tables):
    assert sorted(papers()) == sorted(tables.BENCHMARKS_OF)
    listed = {name for own, smaller in tables.BENCHMARKS_OF.values() for name in (*own, *smaller)}
    assert {folder.name for folder in RESULTS.iterdir()} <= listed


def test_a_verdict_is_the_reports(tables):
    judged = tables.verdicts_of("caltech101-inclusive")
    assert judged == {"avg(F-Full) > avg(C-Full) > avg(F) > avg(C)": "**fails** −7.16 [−10.10, −5.04]"}
    assert "| order of the arms |  | **not reproduced** −7.16 [−10.10, −5.04] |" in tables.claim_tables("dfv")
    assert len(tables.verdicts_of("dfeat-holes")) == 5
    assert tables.verdicts_of("nothing") == {}


def test_a_report_of_two_tables_gives_two_verdicts(tables, tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "report.md").write_text(
        "# two (resnet18)\n\n- **holds** `a(x) > a(y)`; margin +5.22 [0.72, 8.50]\n"
        "- **not judged** gain: `a(z) > a(y)`; there is no finished run of arm z\n\n"
        "# two (resnet50)\n\n- **fails** `a(x) > a(y)`; margin −13.52 [−21.85, −5.19]; some paper\n"
    )
    assert tables.verdicts_of("two", tmp_path) == {
        "a(x) > a(y)": "**holds** +5.22 [0.72, 8.50] (table 1), **fails** −13.52 [−21.85, −5.19] (table 2)",
        "a(z) > a(y)": "**not judged** (table 1)",
    }


def test_every_interval_on_the_page_stands_in_a_record():
    records = "\n".join(file.read_text(encoding="utf-8") for file in RESULTS.rglob("*.md"))
    quoted = re.findall(r"\[-?[\d.]+, -?[\d.]+\]", PAGE)
    assert quoted
    assert [interval for interval in quoted if interval not in records] == []
