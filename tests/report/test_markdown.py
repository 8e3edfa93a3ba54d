import re

from occbench.report.markdown import markdown_of


def test_every_table_is_rectangular(results):
    lines = markdown_of([results]).splitlines()
    blocks, block = [], []
    for line in [*lines, ""]:
        if line.startswith("| "):
            block.append(len(re.findall(r"(?<!\\)\|", line)))
        elif block:
            blocks.append(block)
            block = []
    assert len(blocks) >= 8
    assert all(len(set(block)) == 1 for block in blocks)


def test_names_stay_text(results):
    text = markdown_of([results])
    assert "<script>" not in re.sub(r"\\<script\\>", "", text)
    assert r"50 %\_\$x\$\|\`" in text


def test_numbers_verdicts_and_the_papers_table_are_there(results):
    text = markdown_of([results])
    assert "**64.75**<br>[60.00, 70.00]<br>seeds sd 1.25<br>paper 62.52, +2.23" in text
    assert "- **holds** gain: `avg(D) > avg(C)`; margin +5.00 [3.00, 7.00]; the paper gives 16.78 points" in text
    assert "- **not judged** chosen alpha: a fact; the paper gives 0.9 share" in text
    assert "paper 44.55" in text
    assert "no finished run of seed 2" in text
