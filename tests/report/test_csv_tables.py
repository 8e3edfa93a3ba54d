from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from occbench.report.csv_tables import csv_of, csv_rows


@pytest.fixture
def frame(results):
    return pd.read_csv(StringIO(csv_of([results])), keep_default_na=False, na_values=[""])


def test_numbers_read_back_equal(frame, results):
    written = [row.value for row in csv_rows(results)]
    # older pandas read floats to within one unit in the last place
    assert list(frame["value"].dropna()) == pytest.approx([value for value in written if value is not None], rel=1e-15)
    row = results.rows[1]
    found = frame[(frame.section == "accuracy") & (frame["row"] == row.label) & (frame["metric"] == "top1")]
    assert list(found["item"]) == list(results.columns)
    assert list(found["value"]) == pytest.approx([cell.number.value for cell in row.cells], rel=1e-15)
    assert list(found["low"]) == [cell.number.low for cell in row.cells]


def test_every_kind_of_number_is_there(frame, results):
    assert set(frame["section"]) == {
        "accuracy", "published", "summary", "difference", "claim", "curve", "occluder", "class", "cost",
    }  # fmt: skip
    assert (frame.section == "class").sum() == len(results.classes) * len(results.rows)
    assert (frame.section == "occluder").sum() == 6, "a pattern that was not scored has no row"


def test_a_ratio_that_was_measured_is_among_the_costs(results):
    measured = replace(results, costs=(replace(results.costs[0], of_bare=0.875), results.costs[1]))
    assert [row.value for row in csv_rows(measured) if row.metric == "of_bare"] == [0.875]


def test_claims_carry_their_verdict(frame):
    claims = frame[frame.section == "claim"]
    assert list(claims["note"]) == ["holds", "fails", "undecided", "not judged: a fact"]
    assert claims["value"].isna().sum() == 1


def test_tables_of_different_test_sets_stay_apart(results):
    text = csv_of([results, replace(results, test_set="other")])
    assert set(pd.read_csv(StringIO(text))["test_set"]) == {"0123456789abcdef", "other"}
