"""Canonical JSON: one text per value, whatever the order, container or number spelling."""

import json

import pytest

from occbench.core.canonical import canonical_json, fingerprint


def test_text_is_sorted_compact_and_utf8():
    assert canonical_json({"b": [1, 2.5, None, True], "a": {"é": "x"}}) == '{"a":{"é":"x"},"b":[1,2.5,null,true]}'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": 1.0}, {"a": 1}),
        ({"a": [{"b": 2.0}]}, {"a": [{"b": 2}]}),
        (-0.0, 0),
        (1e300, int(1e300)),
    ],
)
def test_equal_values_have_equal_fingerprints(one, other):
    assert canonical_json(one) == canonical_json(other)
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"), [(0.1, 0.2), (1, True), ("1", 1), (None, 0), ([], {}), ([1, 2], [2, 1]), ({"a": 1}, {"a": None})]
)
def test_different_values_have_different_texts(one, other):
    assert canonical_json(one) != canonical_json(other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"a": float("nan")}])
def test_nan_and_infinity_are_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}, {1, 2}, object(), b"bytes"])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, -2.5, 123456789.123])
def test_floats_survive_the_round_trip(value):
    assert json.loads(canonical_json(value)) == value


def test_fingerprint_is_a_prefix_of_one_hash_and_is_pinned():
    value = {"ratio": 0.2, "name": "umbrella"}
    assert fingerprint(value, 64).startswith(fingerprint(value))
    assert fingerprint(value) == "e3c260c6354c8caf"
