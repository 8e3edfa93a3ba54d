import re
from html.parser import HTMLParser

import pytest

from occbench.core.results import ExamplePrediction
from occbench.report.benchmark_page import write_benchmark_page

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


@pytest.fixture
def page(hostile_class_first):
    return read(write_benchmark_page([hostile_class_first]))


def test_names_stay_text(page, hostile_class_first):
    name = hostile_class_first.classes[0].name
    assert page.tags.count("script") == 1, "the sorting script, and none that a name brought"
    assert page.text.count(name) >= 4, "table, curve, heat map, class"


def test_it_asks_nothing_of_the_network(hostile_class_first):
    source = write_benchmark_page([hostile_class_first])
    assert "//" not in re.sub(r"data:image/\w+;base64,[\w+/=]+", "", source)
    links = [value for _, name, value in read(source).attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert all(value.startswith(("#", "data:")) for value in links)
    assert "@import" not in source
    assert "fetch(" not in source


def test_every_link_inside_has_its_target_and_every_id_is_unique(hostile_class_first):
    reader = read(write_benchmark_page([hostile_class_first, hostile_class_first]))
    ids = [value for _, name, value in reader.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for _, name, value in reader.attributes if name in ("href", "xlink:href")}
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
    example = ExamplePrediction("k1", "mug", "leaf2_10_c", b"\x89PNG", (("C", "<b>cup</b>", False), ("D", "mug", True)))
    reader = read(write_benchmark_page([results], [[example]]))
    assert "data:image/png;base64,iVBORw==" in [value for _, _, value in reader.attributes]
    assert ("img", "alt", "mug under leaf2_10_c") in reader.attributes
    assert " C: <b>cup</b>" in reader.text
    assert [value for _, name, value in reader.attributes if value in ("right", "wrong")] == ["wrong", "right"]


def test_several_tables_are_linked_from_the_top(results):
    reader = read(write_benchmark_page([results, results]))
    assert reader.tags.count("h1") == 2
    assert {"#table1", "#table2"} <= {value for _, name, value in reader.attributes if name == "href"}
