import json

import pytest

from occbench.analyse.findings import Analysis, Finding, above, within, write_analysis
from occbench.analyse.intervals import Estimate


def estimate(low, high):
    return Estimate((low + high) / 2, low, high, 9)


@pytest.mark.parametrize(("low", "high", "verdict"), [(1, 2, "holds"), (-2, -1, "fails"), (-1, 1, "undecided")])
def test_a_claim_is_about_the_whole_interval(low, high, verdict):
    assert above(estimate(low, high), 0.0) == verdict


@pytest.mark.parametrize(
    ("others", "verdict"), [([(-0.5, 0.4)], "holds"), ([(-0.5, 0.7)], "undecided"), ([(0.7, 0.9)], "fails")]
)
def test_within_needs_every_interval_inside(others, verdict):
    assert within([estimate(-0.1, 0.1), *(estimate(*ends) for ends in others)], 0.6) == verdict


def test_the_page_and_the_numbers_say_the_same(tmp_path):
    made = Analysis(
        name="example",
        title="An example",
        about=["What it is."],
        columns=("class", "drop"),
        rows=[["<script> | a", "3.0"]],
        findings=[Finding("it hurts", "table 1", "holds", "3.0 points")],
        numbers={"drop": 3.0},
        pictures={"example.png": "a picture"},
    )
    page = write_analysis(made, tmp_path).read_text(encoding="utf-8")
    assert "| &lt;script> \\| a | 3.0 |" in page
    assert "![a picture](example.png)" in page
    assert "- **holds**: it hurts (table 1). Measured: 3.0 points." in page
    numbers = json.loads((tmp_path / "example.json").read_text())
    assert numbers["drop"] == 3.0
    assert numbers["findings"][0]["verdict"] == "holds"
