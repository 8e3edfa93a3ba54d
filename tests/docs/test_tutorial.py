"""The first page and the tutorial, block by block in an empty folder, as a new user would follow them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.mark.filterwarnings("default")  # a reader's program does not fail because a library warns
def test_every_block_does_what_the_page_says(reader):
    reader.follow("tutorial.md")
    made = {path.name for path in Path().iterdir()}
    assert made >= {"toys", "large", "holes", "toys.html", "mine.pth", "scores", "runs", "report"}
    page = Path("report/report.html").read_text(encoding="utf-8")
    for word in ("Claims", "Differences", "Cost", "C-Full"):
        assert word in page, f"the tutorial says that the report has {word}"


def test_the_shown_mistake_is_answered_as_shown(occbench_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, answer = re.search(r"```console\n\$ occbench (.*)\n(.*)\n```", PAGE.read_text(encoding="utf-8")).groups()
    code, _, err = occbench_cli(*command.split())
    assert (code, err.strip()) == (2, answer)
    assert not Path("wrong").exists()


@pytest.mark.filterwarnings("default")
def test_the_first_page_does_what_it_says(reader):
    reader.follow("index.md")
    assert {path.name for path in Path().iterdir()} == {"dataset", "dataset.html"}
