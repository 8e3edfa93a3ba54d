from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from occbench.core.results.examples import ExampleAnswer, ExamplePrediction
from occbench.report.example_browser import PAGE, browse


def example(number, side=4):
    pixels = np.full((side, side, 3), number % 256, dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    answers = (ExampleAnswer("C", "cat", True, 0.987), ExampleAnswer("D", "dog", False, None))
    return ExamplePrediction(f"k{number}", "cat", f"cup_{number % 2}", "cups", file.getvalue(), answers)


def opened(picture):
    with Image.open(BytesIO(b64decode(picture))) as image:
        return image.format, image.size, int(np.asarray(image).mean().round())


def test_examples_are_gone_through_once_and_all_are_there():
    browser = browse(example(number) for number in range(PAGE + 40))
    assert browser.count == PAGE + 40
    assert [shown.example.key for shown in browser.first] == [f"k{number}" for number in range(PAGE)]
    assert [len(chunk) for chunk in browser.pictures] == [browser.data["chunk"], 40 - browser.data["chunk"]]


def test_names_are_kept_once_and_examples_point_at_them():
    data = browse(map(example, range(3))).data
    assert data["rows"] == ["C", "D"]
    assert data["classes"] == ["cat", "dog"]
    assert data["conditions"] == [["cup_0", "cups"], ["cup_1", "cups"]]
    assert data["examples"][2] == ["k2", 0, 0, [0, 1], [1, 0], [99, None]]


def test_pictures_stand_in_order():
    browser = browse(map(example, range(PAGE + 5)))
    shown = [opened(item.picture) for item in browser.first] + [opened(item) for item in browser.pictures[0]]
    assert [(name, size) for name, size, _ in shown] == [("WEBP", (4, 4))] * (PAGE + 5)
    assert [grey for *_, grey in shown] == pytest.approx(range(PAGE + 5), abs=3)


@pytest.mark.parametrize(("count", "side"), [(1, 224), (501, 128)])
def test_many_pictures_are_smaller_and_it_says_how_small(count, side):
    browser = browse(example(0, side=300) if number == 0 else example(number) for number in range(count))
    assert opened(browser.first[0].picture)[1] == (side, side)
    assert browser.size_px == side


def test_no_examples_are_no_browser_content():
    assert browse(()).count == 0
