"""The example browser in headless Chromium: pages, filters, names, and ten thousand examples."""

from io import BytesIO

import pytest
from PIL import Image

from occbench.core.results.examples import ExampleAnswer, ExamplePrediction
from occbench.report.example_browser import PAGE
from occbench.report.results_page import results_page

#: A page with ten thousand examples must answer within so many milliseconds; what froze it would take far longer.
PROMPT_MS = 2000


def colour_of(number):
    """Return a colour that no neighbour among the examples has, far enough apart to be told after compression."""
    return (number % 7 * 40, number // 7 % 7 * 40, number // 49 % 7 * 40)


def picture(number):
    file = BytesIO()
    Image.new("RGB", (16, 16), colour_of(number)).save(file, "PNG")
    return file.getvalue()


def examples(results, count, hostile="mug"):
    """Yield examples whose every property follows from their number."""
    first, second = (row.label for row in results.rows)
    for number in range(count):
        own = f"class {number % 10}" if number % 10 else hostile
        answers = (
            ExampleAnswer(first, own if number % 2 == 0 else "other", number % 2 == 0, 0.5),
            ExampleAnswer(second, own if number % 3 == 0 else "other", number % 3 == 0, None),
        )
        yield ExamplePrediction(
            f"key-{number}", own, f"cup_{number % 4}", f"group {number % 2}", picture(number), answers
        )


def keys(page):
    return page.locator("[data-list] [data-key]").all_text_contents()


def choose(page, name, value):
    page.get_by_role("combobox", name=name, exact=True).select_option(label=value)


@pytest.fixture
def hundred(visit, results):
    return visit(results_page([results], [examples(results, 100)]))


def named(numbers):
    return [f"key-{number}" for number in numbers]


def test_pages_are_turned_by_keyboard(hundred):
    assert keys(hundred) == named(range(PAGE))
    count = hundred.locator("[data-count]")
    assert count.text_content() == "1 to 24 of 100"
    hundred.get_by_role("button", name="Next").focus()
    for _ in range(4):
        hundred.keyboard.press("Enter")
    assert keys(hundred) == named(range(96, 100))
    hundred.keyboard.press("Enter")
    assert count.text_content() == "97 to 100 of 100"
    assert hundred.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"
    assert hundred.evaluate("document.activeElement.textContent") == "Next", "the focus is not lost at the end"
    hundred.get_by_role("button", name="Previous").press("Enter")
    assert keys(hundred) == named(range(72, 96))


def test_every_example_has_its_own_picture(hundred):
    middle = """image => image.decode().then(() => {
      const canvas = new OffscreenCanvas(1, 1).getContext("2d");
      canvas.drawImage(image, 0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    })"""
    seen = 0
    while True:
        for figure in hundred.locator("[data-list] figure").all():
            number = int(figure.locator("[data-key]").text_content().removeprefix("key-"))
            shown = figure.locator("img").evaluate(middle)
            assert all(abs(a - b) < 15 for a, b in zip(shown, colour_of(number), strict=True)), number
            seen += 1
        if seen == 100:
            return
        hundred.get_by_role("button", name="Next").click()


def test_examples_are_found_by_class_condition_and_answers(hundred):
    choose(hundred, "Class", "class 3")
    assert keys(hundred) == named(range(3, 100, 10))
    choose(hundred, "Condition", "cup_1")
    assert keys(hundred) == named(n for n in range(3, 100, 10) if n % 4 == 1)
    choose(hundred, "Condition", "any of group 1")
    assert keys(hundred) == named(range(3, 100, 10))
    choose(hundred, "Class", "any")
    choose(hundred, "Answers", "every row is right")
    assert keys(hundred) == []
    assert hundred.locator("[data-count]").text_content() == "No example fits."
    hundred.locator("[data-browser]").get_by_role("button", name="Show all").click()
    expected = {
        "every row is right": [n for n in range(100) if n % 6 == 0],
        "every row is wrong": [n for n in range(100) if n % 2 and n % 3],
        "the rows disagree": [n for n in range(100) if (n % 2 == 0) != (n % 3 == 0)],
        "C is right": list(range(0, 100, 2)),
        "C is wrong": list(range(1, 100, 2)),
    }
    for wanted, numbers in expected.items():
        choose(hundred, "Answers", wanted)
        assert hundred.locator("[data-count]").text_content().endswith(f" of {len(numbers)}")
        assert keys(hundred) == named(numbers[:PAGE])


def test_answers_say_how_sure_and_whether_right(hundred):
    def lines():
        found = hundred.locator("[data-list] figure").last.locator("li").all_text_contents()
        return [" ".join(text.split()) for text in found]

    choose(hundred, "Class", "mug")
    choose(hundred, "Condition", "cup_0")
    assert keys(hundred)[0] == "key-0"
    choose(hundred, "Class", "class 5")
    choose(hundred, "Condition", "cup_1")
    assert keys(hundred)[-1] == "key-85"
    right_and_wrong = {"key-85": lines()}
    choose(hundred, "Class", "class 2")
    choose(hundred, "Condition", "cup_0")
    assert keys(hundred)[0] == "key-12"
    choose(hundred, "Answers", "every row is right")
    right_and_wrong[keys(hundred)[-1]] = lines()
    assert right_and_wrong["key-85"][0] == "wrong: C: other 50 %"
    assert right_and_wrong["key-85"][1].endswith(": other"), "what is not known is not said"
    assert right_and_wrong["key-72"][0] == "right: C: class 2 50 %"


def test_hidden_rows_have_no_say(hundred):
    choose(hundred, "Answers", "every row is right")
    hundred.get_by_text("Filter rows and columns").click()
    hundred.get_by_role("checkbox", name="alert").last.uncheck()
    assert keys(hundred) == named(range(0, 2 * PAGE, 2)), "only the first row is asked"
    assert hundred.locator("[data-list] li:visible").count() == PAGE


def test_hostile_names_are_text_when_the_script_draws_them(visit, results, hostile):
    page = visit(results_page([results], [examples(results, 100, hostile)]))
    choose(page, "Class", hostile)
    assert page.locator("[data-list] [data-class]").all_text_contents() == [hostile] * 10
    assert page.locator("script:not([type])").count() == 1
    assert page.locator("[data-list] img").last.get_attribute("alt") == f"{hostile} under cup_2"


def test_without_script_the_first_page_is_there_and_the_rest_is_named(visit, results):
    page = visit(results_page([results], [examples(results, 100)]), java_script_enabled=False)
    assert page.locator("[data-list] figure:visible").count() == PAGE
    note = page.locator("noscript p")
    assert note.is_visible()
    assert note.text_content() == "The first 24 of 100; the others need JavaScript."
    assert page.locator("[data-browser] button:visible, [data-browser] select:visible").count() == 0


def test_ten_thousand_examples_do_not_freeze_the_page(visit, results):
    page = visit(results_page([results], [examples(results, 10_000)]))
    assert page.locator("[data-count]").text_content() == "1 to 24 of 10,000"
    took = """([name, text]) => {
      const control = document.querySelector(`[data-browser] [name=${name}]`);
      control.value = [...control.options].find(option => option.text === text).value;
      const started = performance.now();
      control.dispatchEvent(new Event("change", { bubbles: true }));
      document.body.getBoundingClientRect();
      return performance.now() - started;
    }"""
    for name, text in (("answers", "the rows disagree"), ("class", "class 7"), ("condition", "cup_1")):
        assert page.evaluate(took, [name, text]) < PROMPT_MS
    numbers = [n for n in range(10_000) if (n % 2 == 0) != (n % 3 == 0) and n % 10 == 7 and n % 4 == 1]
    assert keys(page) == named(numbers[:PAGE])
    assert page.locator("[data-count]").text_content() == f"1 to 24 of {len(numbers)}"
    assert page.locator("figure").count() == PAGE, "no more is drawn than is seen"
    loaded = page.locator("[data-list] img").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    assert loaded
