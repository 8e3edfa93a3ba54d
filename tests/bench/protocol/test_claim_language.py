import numpy as np
import pytest

from occbench.bench.protocol.claim_language import parse
from occbench.core.errors import ConfigError

POINTS = {
    ("C", "avg"): 43.0,
    ("C-Full", "avg"): 65.0,
    ("C", "clean"): 93.0,
    ("C-Full", "clean"): 92.5,
    ("C", "20c"): 22.0,
}


def margin(text: str) -> float:
    return float(parse(text).margin({term: np.asarray(value) for term, value in POINTS.items()}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("avg(C-Full) > avg(C)", 22.0),
        ("avg(C) < avg(C-Full)", 22.0),
        ("clean(C) - clean(C-Full) <= 1.0", 0.5),
        ("20c(C) + 2 * (avg(C) - 1.5) >= 100", 5.0),
        ("avg(C-Full) - avg(C) - 20c(C) >= 0", 0.0),
        ("-avg(C) < -20c(C)", 21.0),
        ("abs(avg(C) - avg(C-Full)) < 30", 8.0),
        ("min(avg(C), avg(C-Full), 50) > mean(20c(C), 24)", 20.0),
        ("max(avg(C),avg(C-Full))>60", 5.0),
        ("clean(C) > avg(C-Full) > avg(C)", 22.0),
        ("clean(C) >= clean(C-Full) > avg(C-Full)", 0.5),
    ],
)
def test_margins(text, expected):
    assert margin(text) == pytest.approx(expected)


def test_terms_are_arms_and_groups_and_names_may_hold_dashes_and_digits():
    statement = parse("patchdrop-60(dfv/C-Full) - 20c(C) > 20c(C)")
    assert statement.terms == (("dfv/C-Full", "patchdrop-60"), ("C", "20c"))


@pytest.mark.parametrize(
    ("text", "character", "expected"),
    [
        ("", 1, "a number, a group"),
        ("avg(C)", 7, "'>' or '>='"),
        ("avg(C) > ", 9, "a number, a group"),
        ("avg > avg(C)", 5, "'\\('"),
        ("avg() > 1", 5, "the name of an arm"),
        ("avg(C > 1", 7, "'\\)'"),
        ("avg(C) > 1 2", 12, "an operator, a relation or the end"),
        ("avg(C) > 1 ; import os", 12, "a name, a number"),
        ("__import__(C) > 1", 1, "a name, a number"),
        ("avg(C) == 1", 8, "a name, a number"),
        ("min(avg(C), ) > 1", 13, "a number, a group"),
        ("abs(avg(C), 1) > 1", 11, "'\\)'"),
    ],
)
def test_a_claim_that_cannot_be_parsed_says_where_and_what_was_expected(text, character, expected):
    with pytest.raises(ConfigError, match=rf"character {character}: expected .*{expected}"):
        parse(text)


def test_a_claim_about_nothing_is_refused():
    with pytest.raises(ConfigError, match="names no arm"):
        parse("1 < 2")


@pytest.mark.parametrize(("text", "strict"), [("avg(C) > 1", True), ("avg(C) <= 1", False), ("2 >= avg(C) > 1", True)])
def test_one_strict_relation_makes_a_claim_strict(text, strict):
    assert parse(text).strict is strict


def test_draws_and_numbers_mix():
    draws = {("C", "avg"): np.array([40.0, 50.0, 60.0])}
    assert parse("min(avg(C), 55) > 45").margin(draws).tolist() == [-5, 5, 10]
    assert parse("100 > avg(C) > 45").margin(draws).tolist() == [-5, 5, 15]
