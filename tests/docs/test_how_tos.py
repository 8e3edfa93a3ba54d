"""The how-tos, block by block in a folder that has what a reader has: photographs, cut-outs, an annotation."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.core.seeding import stream

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"

#: page -> what its reader has; pages that need more than this have tests of their own.
PAGES = {
    "own-images.md": ("photos",),
    "own-occluders.md": ("cutouts", "coco"),
    "own-backbone.md": (),
    "resume.md": ("photos", "broken photograph"),
    "score-a-model.md": (),
    "train-with-occlusion.md": ("cutouts",),
}
#: page -> the file that follows it, below tests/
ELSEWHERE = {
    "add-a-method.md": "docs/test_add_a_method.py",
    "multi-label.md": "docs/test_multi_label.py",
    "publish.md": "publish/test_tutorials.py",
    "read-a-dataset.md": "publish/test_tutorials.py",
    "scale.md": "cli/test_engine.py",  # needs a cluster: its commands are parsed
}


def lay_out_coco(root):
    """One photograph of 200 x 120 px with a bottle and a person."""
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").mkdir()
    noise = stream(0, "photograph").integers(256, 120 * 200 * 3).reshape(120, 200, 3).astype(np.uint8)
    Image.fromarray(noise).save(root / "val2017" / "1.jpg")
    outlines = ([20, 20, 80, 20, 80, 100, 20, 100], [110, 20, 180, 20, 180, 100, 110, 100])
    rows = [
        {"id": number, "image_id": 1, "category_id": number, "segmentation": [outline], "iscrowd": 0, "area": area,
         "bbox": [min(outline[::2]), 20, max(outline[::2]) - min(outline[::2]), 80]}
        for number, (outline, area) in enumerate(zip(outlines, (4800, 5600), strict=True), start=1)
    ]  # fmt: skip
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 200, "height": 120}],
        "categories": [{"id": 1, "name": "bottle"}, {"id": 2, "name": "person"}],
        "annotations": rows,
    }
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def have(reader, tiny_images, tiny_bank):
    """Return a function that puts something into the reader's folder."""

    def broken_photograph():
        Path("photos/apple/broken.jpg").write_bytes(b"no image")

    things = {
        "photos": lambda: shutil.copytree(tiny_images, "photos"),
        "broken photograph": broken_photograph,
        "cutouts": lambda: shutil.copytree(tiny_bank, "cutouts"),
        "coco": lambda: lay_out_coco(Path("coco")),
    }
    return lambda thing: things[thing]()


def test_every_page_is_followed():
    assert {path.name for path in FOLDER.glob("*.md")} == {*PAGES, *ELSEWHERE}
    for page, file in ELSEWHERE.items():
        assert page in (FOLDER.parents[1] / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a reader's program does not fail because a library warns
@pytest.mark.parametrize("page", PAGES)
def test_every_block_does_what_the_page_says(page, reader, have, monkeypatch):
    for thing in PAGES[page]:
        have(thing)
    monkeypatch.syspath_prepend(str(Path.cwd()))  # as `python` has its present folder
    reader.follow(f"how-to/{page}")
    assert reader.commands


def test_person_is_no_occluder(reader, have, occbench_cli):
    have("coco")
    text = (FOLDER / "own-occluders.md").read_text(encoding="utf-8").replace("\\\n", " ")
    words = next(line for line in text.splitlines() if "from-coco coco" in line).split()
    code, out, err = occbench_cli(*words[1:])
    assert code == 0, err
    assert re.search(r"1 occluders", out)


def test_another_seed_is_refused_as_the_page_on_resuming_says(reader, occbench_cli):
    made = ("generate", "quickstart", "--out", "toys", "--limit", "2", "--workers", "0")
    assert occbench_cli(*made)[0] == 0
    code, _, err = occbench_cli(*made, "--set", "seed=1")
    assert code == 2
    assert "toys" in err


def test_the_exit_codes_are_those_of_the_command_line():
    from occbench import cli

    listed = re.findall(r"^\| (\d+) \|", (FOLDER / "resume.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == re.findall(r"(\d+) (?:done|a check|a request|Ctrl-C)", cli.__doc__)
