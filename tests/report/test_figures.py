import re
from dataclasses import replace

from occbench.core.results.breakdowns import Curve
from occbench.core.results.rows import Number
from occbench.report.figures import describe_curves, draw_curves, draw_key
from occbench.report.markdown import markdown_of
from occbench.report.results_page import results_page

CURVES = (
    Curve("C", ((0.0, Number(90, 88, 92)), (0.2, Number(40, 37, 43)))),
    Curve("名 $a$ <b>", ((0.0, Number(89)), (0.2, Number(55)))),
)


def test_it_is_the_same_every_time():
    assert draw_curves(CURVES, "a") == draw_curves(CURVES, "a")


def test_ink_is_the_pages_and_nothing_lies_outside():
    svg = draw_curves(CURVES, "a")
    assert "currentColor" in svg
    assert "http" not in svg
    assert "<style" not in svg
    assert "#010203" not in svg


def test_two_figures_share_no_id():
    first, second = (set(re.findall(r'\bid="([^"]+)"', draw_curves(CURVES, prefix))) for prefix in "ab")
    assert first
    assert not first & second


def test_names_stand_in_the_words_for_it_as_text():
    svg = draw_curves(CURVES, "a")
    assert "名 $a$ &lt;b&gt; goes from 89.0 at 0 % to 55.0 at 20 %" in svg
    assert "<b>" not in svg


def test_curves_over_the_level_say_that_the_object_is_hidden(results):
    levels = tuple(replace(curve, of="object") for curve in results.curves)
    assert "Hidden, % of the object" in draw_curves(levels, "a")
    assert "Hidden, % of the object" not in draw_curves(results.curves, "a")
    assert describe_curves(levels).startswith("Top-1 accuracy in percent against the hidden share of the object:")
    assert "## Accuracy against hidden share of the object" in markdown_of([replace(results, curves=levels)])
    assert "Accuracy against hidden share of the object" in results_page([replace(results, curves=levels)])


def test_what_belongs_to_a_curve_says_so():
    found = re.findall(r'\bid="a-curve-(\d+)-(\w+)"', draw_curves(CURVES, "a"))
    assert sorted(found) == [("0", "band"), ("0", "line"), ("1", "band"), ("1", "line")]


def test_curves_can_be_told_apart():
    keys = [draw_key(number) for number in range(32)]
    assert len(set(keys)) == 32
    colours = [re.findall(r"#\w{6}", key)[0] for key in keys[:8]]
    assert len(set(colours)) == 8
    svg = draw_curves(CURVES, "a")
    assert all(colour in svg for colour in colours[:2])
    assert colours[2] not in svg
