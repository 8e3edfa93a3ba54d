"""The how-to on multi-label images, block by block, with small trees of the published shapes for the downloads."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "multi-label.md"


def picture(path, value=90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 50), (value, 120, 30)).save(path)


def lay_out_coco(root):
    images = [{"id": number, "file_name": f"{number:012d}.jpg", "width": 60, "height": 50} for number in (9, 25)]
    for image in images:
        picture(root / "val2017" / image["file_name"])
    boxed = [5, 5, 30, 5, 30, 30, 5, 30]
    rows = [{"id": n, "image_id": 9, "category_id": n, "segmentation": [boxed], "area": 625} for n in (18, 44)]
    content = {
        "images": images,
        "categories": [{"id": 44, "name": "bottle"}, {"id": 18, "name": "dog"}],
        "annotations": rows,
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(content))
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))


def lay_out_voc(root):
    lists = root / "VOC2007" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    picture(root / "VOC2007" / "JPEGImages" / "000001.jpg")
    (lists / "test.txt").write_text("000001\n")
    boxed = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox>"
    (root / "VOC2007" / "Annotations").mkdir()
    (root / "VOC2007" / "Annotations" / "000001.xml").write_text(
        f"<annotation><object><name>dog</name><difficult>0</difficult>{boxed}</object></annotation>"
    )


def lay_out_wider(root):
    picture(root / "Image" / "test" / "0--Parade" / "a.jpg")
    persons = [{"bbox": [2, 2, 40, 40], "attribute": [1, 0] + [-1] * 12}]
    content = {"images": [{"file_name": "test/0--Parade/a.jpg", "targets": persons}]}
    (root / "wider_attribute_annotation").mkdir()
    (root / "wider_attribute_annotation" / "wider_attribute_test.json").write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # a reader's program does not fail because a library warns
def test_every_block_does_what_the_page_says(tmp_path, monkeypatch, occbench_cli, capsys):
    from occbench import load

    monkeypatch.chdir(tmp_path)
    lay_out_coco(tmp_path / "path" / "to" / "coco")
    lay_out_voc(tmp_path / "path" / "to" / "VOCdevkit")
    lay_out_wider(tmp_path / "path" / "to" / "wider")
    (tmp_path / "path" / "to" / "masks").mkdir()
    hole = np.zeros((256, 256), dtype=np.uint8)
    hole[:, :51] = 255
    Image.fromarray(hole).save(tmp_path / "path" / "to" / "masks" / "1.png")
    names, printed = {}, ""
    for language, text in re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if language == "python":
            exec(compile(text, PAGE.name, "exec"), names)
            printed += capsys.readouterr().out
            continue
        for command in text.strip().splitlines():
            code, _, err = occbench_cli(*shlex.split(command)[1:])
            assert code == 0, err
    for line in (
        r"\['car', .*\] irregular-low\n",
        r"torch.Size\(\[12\]\) torch.float32 torch.Size\(\[12\]\) torch.bool\n0\.6931\n",
        r"\{'car': \[\d+\].*\} \[.*\]\n",
        r"\['dog', 'bottle'\] \[\]\n",
        r"\['image', 'labels', 'sizes', 'logits'\] 48 12\n",
    ):
        assert re.search(line, printed), printed
    assert load("voc-holes").manifest.conditions == 2
    assert [item.name for item in load("voc-masks").conditions] == ["irregular-some"]
    assert abs(load("voc-masks")[0]["achieved"] - 0.2) < 0.01
    person = load("wider-holes")[0]
    assert (person["labels"].nonzero().tolist(), person["ignored"].nonzero().tolist()) == ([[0]], [[1]])
