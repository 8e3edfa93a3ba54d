"""Parts of error messages: one line of whatever was said, the first cause, a name that may have been meant."""

import pytest

from occbench.core.messages import causes, did_you_mean, first_line, one_line


@pytest.mark.parametrize(
    ("said", "one", "first"),
    [
        (ValueError("no\n  such   file."), "no such file", "no"),
        ("a\nb.", "a b", "a"),
        (ValueError(), "ValueError", "ValueError"),
        ("", "", ""),
        (ValueError("\n\nlate."), "late", "late"),
        ("x" * 300, "x" * 200, "x" * 300),
    ],
)
def test_what_was_said_stands_on_one_line(said, one, first):
    assert one_line(said) == one
    assert first_line(said) == first


def test_causes_end_with_the_first_and_end_where_they_meet_again():
    first, then, last = ValueError("1"), KeyError("2"), OSError("3")
    last.__cause__, then.__context__ = then, first
    assert causes(last) == [last, then, first]
    first.__context__ = last
    assert causes(last) == [last, then, first]


def test_close_names_are_offered_and_others_are_not():
    known = ("resnet18", "resnet34", "vgg16")
    assert did_you_mean("resnet19", known, "See the list.") == "Did you mean resnet18?"
    assert did_you_mean("resnet19", known, "See the list.", 2) == "Did you mean resnet18, resnet34?"
    assert did_you_mean("zzz", known, "See the list.") == "See the list."
