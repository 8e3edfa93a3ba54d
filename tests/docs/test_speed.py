"""The page on speed says what its record says, and every expectation is of a row that was measured."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEED = ROOT / "benchmarks" / "speed"


@pytest.fixture(scope="module")
def speed():
    """Return the modules of the table and of what was expected; they are no part of the installed package."""
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks.speed import expected, table

        yield table, expected
    finally:
        sys.path.remove(str(ROOT))


@pytest.fixture(scope="module")
def record():
    return json.loads((SPEED / "results" / "table.json").read_text(encoding="utf-8"))


def test_the_page_has_the_table_of_the_record(speed, record, tmp_path):
    table, _ = speed
    page = tmp_path / "README.md"
    page.write_text((SPEED / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    table.put_into(page, table.markdown(record))
    assert page.read_text(encoding="utf-8") == (SPEED / "README.md").read_text(encoding="utf-8")


def test_every_expectation_is_of_a_row_that_was_measured(speed, record):
    _, expected = speed
    rows = {name: {row["what"] for row in group["rows"]} for name, group in record["groups"].items()}
    on_gpu = "resnet50: "  # measured with a GPU only
    missing = {
        (name, what) for name, some in expected.EXPECTED.items() for what in some if what not in rows.get(name, ())
    }
    assert {(name, what) for name, what in missing if not what.startswith(on_gpu)} == set()
    assert rows.keys() == expected.EXPECTED.keys()


def test_the_record_is_of_the_whole_work(record):
    """A rehearsal's numbers are not written into the page."""
    assert all(group["share"] == 1 for group in record["groups"].values())


@pytest.mark.parametrize(("value", "judged"), [(2.0, "≥ 2, met"), (1.9, "≥ 2, **missed**")])
def test_a_target_is_met_or_missed(speed, value, judged):
    _, expected = speed
    assert expected.Expected(at_least=2).judged(value) == judged
    assert expected.Expected().judged(value) == "-"


def test_a_page_without_a_place_for_the_table_is_refused(speed, tmp_path):
    table, _ = speed
    (tmp_path / "page.md").write_text("no place\n")
    with pytest.raises(ValueError, match="has no lines"):
        table.put_into(tmp_path / "page.md", "the table")
