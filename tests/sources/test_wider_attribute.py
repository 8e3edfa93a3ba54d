"""WIDER Attribute: each person cut out, unspecified attributes ignored, hostile annotation files."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.sources.wider_attribute import WiderAttribute

ATTRIBUTES = [1, -1, 0, 1, -1, 0, -1, -1, -1, -1, -1, -1, 0, 1]


def person(box=(3, 4, 10, 20), attributes=ATTRIBUTES):
    return {"bbox": list(box), "attribute": attributes}


def picture(path):
    """40 x 30 px whose red is the column and green the row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:30, :40].astype(np.uint8)
    Image.fromarray(np.dstack([columns, rows, rows * 0])).save(path)


def write(root, photographs, split="trainval", folder="wider_attribute_annotation"):
    """Photographs: file name below Image -> persons."""
    for name in photographs:
        picture(root / "Image" / name)
    images = [{"file_name": name, "targets": persons, "scene_id": 0} for name, persons in photographs.items()]
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / f"wider_attribute_{split}.json").write_text(json.dumps({"images": images}))
    return str(root)


def test_persons_are_images_of_their_own_with_three_valued_attributes(tmp_path):
    path = write(
        tmp_path,
        {
            "train/0--Parade/a.png": [person(), person((20, 0, 5, 5), [-1] * 14)],
            "val/1--Handshaking/a.png": [],
            "val/2--Demonstration/b.png": [person((0, 0, 40, 30), [1] * 14)],
        },
    )
    source = WiderAttribute(path)
    assert source.multi_label
    assert len(source.classes) == 14
    assert source.classes[:4] == ("Male", "longHair", "sunglass", "Hat")
    keys = [source.key(index) for index in range(len(source))]
    assert keys == ["train-0--parade-a-0", "train-0--parade-a-1", "val-2--demonstration-b-0"]
    assert [source.labels_of(index) for index in range(3)] == [(0, 3, 13), (), tuple(range(14))]
    assert [source.ignored_of(index) for index in range(3)] == [(2, 5, 12), (), ()]
    assert source[0].ignored == (2, 5, 12)
    assert source.areas_of(0) == {}


def test_the_crop_is_the_box(tmp_path):
    path = write(
        tmp_path, {"train/a.png": [person((3, 4, 10, 20)), person((2.5, 3.9, 4.2, 5)), person((-5, 20, 90, 90))]}
    )
    found = [example.image for example in WiderAttribute(path)]
    assert [image.shape for image in found] == [(20, 10, 3), (6, 5, 3), (10, 40, 3)]
    assert [tuple(image[0, 0, :2]) for image in found] == [(3, 4), (2, 3), (0, 20)]
    assert [tuple(image[-1, -1, :2]) for image in found] == [(12, 23), (6, 8), (39, 29)]
    assert all(image.flags.c_contiguous for image in found)


@pytest.mark.parametrize("box", [(50, 4, 10, 20), (3, 4, 0, 20), (3, 4, 10, -20), (3, -30, 10, 20)])
def test_a_box_outside_of_the_photograph_is_broken(tmp_path, box):
    source = WiderAttribute(write(tmp_path, {"train/a.png": [person(), person(box)]}))
    assert source[0].image.shape == (20, 10, 3)
    with pytest.raises(BrokenImageError, match=r"person 1 of train/a.png: the box .* is not in its 40 x 30 px"):
        source[1]


def test_splits_and_folders_are_chosen(tmp_path):
    write(tmp_path, {"train/a.png": [person()]}, split="train")
    write(tmp_path, {"test/b.png": [person(), person()]}, split="test")
    assert len(WiderAttribute(str(tmp_path), split="train")) == 1
    assert len(WiderAttribute(str(tmp_path), split="test")) == 2
    (tmp_path / "Image").rename(tmp_path / "pictures")
    with pytest.raises(SourceError, match=r"none of the 1 photographs .* e.g. test/b.png"):
        len(WiderAttribute(str(tmp_path), split="test"))
    assert len(WiderAttribute(str(tmp_path), split="test", images="pictures")) == 2
    flat = write(tmp_path / "flat", {"train/a.png": [person()]}, folder=".")
    assert len(WiderAttribute(flat)) == 1


def test_the_fingerprint_sees_a_changed_attribute(tmp_path):
    before = WiderAttribute(write(tmp_path, {"train/a.png": [person()]})).fingerprint
    after = WiderAttribute(write(tmp_path, {"train/a.png": [person(attributes=[1] * 14)]})).fingerprint
    assert before != after


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not WIDER Attribute's"),
        (b"[]", "is not WIDER Attribute's"),
        (b'{"images": [{}]}', "KeyError"),
        (b'{"images": 5}', "is not WIDER Attribute's"),
        (b'{"images": []}', "lists no person"),
        ({"attribute": [1] * 13}, "person 0 of train/a.png has the attributes"),
        ({"attribute": [99] * 14}, "has the attributes"),
        ({"attribute": [[1]] * 14}, "unhashable"),
        ({"bbox": [1, 2, 3]}, "not enough values"),
        ({"bbox": ["a", 2, 3, 4]}, "could not convert"),
        ({"bbox": [1, 2, 3, float("inf")]}, "a box that is not finite"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path, content, message):
    path = write(tmp_path, {"train/a.png": [person() | (content if isinstance(content, dict) else {})]})
    if isinstance(content, bytes):
        (tmp_path / "wider_attribute_annotation" / "wider_attribute_trainval.json").write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        len(WiderAttribute(path))
    assert "\n" not in str(caught.value)


def test_a_file_name_that_leads_out_is_refused(tmp_path):
    content = {"images": [{"file_name": "../../secret.png", "targets": [person()]}]}
    (tmp_path / "wider_attribute_trainval.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match="leads out of the folder"):
        len(WiderAttribute(str(tmp_path)))


def test_a_photograph_listed_twice_is_named(tmp_path):
    write(tmp_path, {"train/a.png": [person()]})
    file = tmp_path / "wider_attribute_annotation" / "wider_attribute_trainval.json"
    file.write_text(json.dumps({"images": json.loads(file.read_text())["images"] * 2}))
    with pytest.raises(SourceError, match=r"lists train/a.png 2 times"):
        len(WiderAttribute(str(tmp_path)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"there is no annotation file .*wider_attribute_val.json"):
        len(WiderAttribute(str(tmp_path), split="val"))


def test_a_path_is_needed():
    with pytest.raises(ConfigError, match="needs path"):
        WiderAttribute("")
