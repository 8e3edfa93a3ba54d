import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from occbench.core.results.examples import ExampleAnswer, ExamplePrediction
from occbench.report.example_browser import PAGE
from occbench.report.results_page import results_page

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Collects text, ids, links and attributes; refuses elements that are closed in the wrong order."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes, self.tags = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def png(colour="teal"):
    file = BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def page(hostile_class_first):
    return read(results_page([hostile_class_first]))


def test_names_stay_text(page, hostile_class_first):
    name = hostile_class_first.classes[0].name
    assert page.tags.count("script") == 1, "the page's own script, and none that a name brought"
    assert page.text.count(name) >= 4, "table, curve, heat map, class"


def test_it_asks_nothing_of_the_network(hostile_class_first):
    source = results_page([hostile_class_first])
    assert "//" not in re.sub(r"data:image/\w+;base64,[\w+/=]+", "", source)
    links = [value for _, name, value in read(source).attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert all(value.startswith(("#", "data:")) for value in links)
    assert "@import" not in source
    assert "fetch(" not in source


def test_every_link_inside_has_its_target_and_every_id_is_unique(hostile_class_first):
    reader = read(results_page([hostile_class_first, hostile_class_first]))
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value for tag, name, value in reader.attributes if name in ("href", "xlink:href") and tag != "link"]
    wanted = {value.removeprefix("#") for value in links}
    wanted |= {value for _, name, value in reader.attributes if name == "aria-labelledby"}
    assert wanted <= set(ids)


def test_the_papers_numbers_and_the_verdicts_stand_there(page):
    text = " ".join(page.text)
    assert "paper 62.52, −2.77" in text
    assert "A3M_s" in text
    for verdict in ("holds", "fails", "undecided", "not judged"):
        assert f" {verdict}" in text
    assert "margin +5.00 [3.00, 7.00] points; the paper gives 16.78 points; table 1" in text
    assert "1 hold, 1 fail, 1 undecided, 1 not judged" in text


def test_ten_classes_are_listed_the_worst_first(page, hostile_class_first):
    listed = [item.name for item in hostile_class_first.classes]
    assert all(page.text.count(name) == 1 for name in listed[1:10])
    assert not any(name in page.text for name in listed[10:])


def test_pictures_have_words(page):
    labelled = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(labelled) == 1
    assert "C goes from 80.0 at 0 % to 60.1 at 20 %" in labelled[0]


def test_without_photographs_it_says_so(page):
    assert any("None shown: runs keep every prediction, but no photographs." in text for text in page.text)


def test_examples_show_what_every_row_answered(results):
    answers = (ExampleAnswer("C", "<b>cup</b>", False, 0.625), ExampleAnswer("D", "mug", True, None))
    example = ExamplePrediction("k1", "mug", "leaf2_10_c", "10c", png(), answers)
    reader = read(results_page([results], [[example]]))
    assert ("img", "alt", "mug under leaf2_10_c") in reader.attributes
    (source,) = [value for _, name, value in reader.attributes if name == "src" and value.startswith("data:image/webp")]
    with Image.open(BytesIO(b64decode(source.partition(",")[2]))) as shown:
        assert (shown.format, shown.size) == ("WEBP", (8, 8))
    text = "".join(reader.text)
    assert "wrong: C: <b>cup</b> 62 %" in text
    assert "right: D: mug" in text
    classes = [value for tag, name, value in reader.attributes if tag == "li" and name == "class"]
    assert classes == ["wrong", "right"]


def test_examples_beyond_the_first_page_are_data_that_holds_no_markup(results, hostile):
    answers = (ExampleAnswer(hostile, "</script><b>", True, 1.0),)
    examples = [ExamplePrediction(f"k{n}", hostile, "<!--", "g", png(), answers) for n in range(PAGE + 40)]
    source = results_page([results], [iter(examples)])
    found = re.findall(r'<script type="application/json" data-(\w+)[^>]*>(.*?)</script>', source)
    assert [name for name, _ in found] == ["examples", "pictures", "pictures"]
    assert not any(set(text) & set("<>&") for _, text in found)
    data, *pictures = [json.loads(text) for _, text in found]
    assert data["classes"] == [hostile, "</script><b>"]
    assert len(data["examples"]) == PAGE + 40
    assert [len(chunk) for chunk in pictures] == [data["chunk"], 8]
    assert read(source).tags.count("figure") == PAGE + 1, "the first page and the blank"


def test_no_script_runs_but_the_pages_own(hostile_class_first):
    source = results_page([hostile_class_first])
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    (policy,) = [value for _, name, value in read(source).attributes if name == "content" and "script-src" in value]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")


def test_every_table_has_a_caption_and_every_header_its_scope(page):
    assert page.tags.count("caption") == page.tags.count("table") >= 7
    assert page.tags.count("th") == sum(tag == "th" and name == "scope" for tag, name, _ in page.attributes)


def test_what_runs_did_not_measure_is_not_made_up(results):
    measured = replace(results, costs=(replace(results.costs[0], of_bare=0.875), results.costs[1]))
    text = read(results_page([measured])).text
    assert "0.88" in text
    assert text.count("not measured") == 1


def test_several_tables_are_linked_from_the_top(results):
    reader = read(results_page([results, results]))
    assert reader.tags.count("h1") == 2
    assert {"#table1", "#table2"} <= {value for _, name, value in reader.attributes if name == "href"}
