"""PASCAL VOC: three-valued labels, boxes from 1, parts of persons, lists against annotations, hostile files."""

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.prepare import Prepare, read_prepared
from occbench.sources.voc import Voc
from occbench.sources.voc_files import CLASSES, read_objects

CAR, CHAIR, PERSON = (CLASSES.index(name) for name in ("car", "chair", "person"))


def item(name, box=(11, 6, 30, 25), difficult=0, more=""):
    """An object as the devkit writes it; the box counts pixels from 1 and includes the last."""
    edges = "".join(
        f"<{edge}>{value}</{edge}>" for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{edges}</bndbox>{more}</object>"


def write(root, objects, flags=None, split="trainval", names=True):
    """A devkit of photographs of 40 x 30 px.

    Args:
        root: its folder, VOC2007 or any other.
        objects: image -> objects of its annotation.
        flags: image -> class -> 1, 0 or -1, for classification lists of all classes; None writes none.
        split: of the lists.
        names: whether the list of the split is written.
    """
    lists, annotations, pictures = (root / part for part in ("ImageSets/Main", "Annotations", "JPEGImages"))
    for folder in (lists, annotations, pictures):
        folder.mkdir(parents=True, exist_ok=True)
    for value, (name, found) in enumerate(objects.items()):
        Image.new("RGB", (40, 30), (90, 120, value)).save(pictures / f"{name}.jpg")
        (annotations / f"{name}.xml").write_text(f"<annotation>{''.join(found)}</annotation>")
    if names:
        (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in objects))
    if flags is not None:
        for label in CLASSES:
            lines = [f"{name} {own.get(label, -1):2d}\n" for name, own in flags.items()]  # two blanks before a 0 or 1
            (lists / f"{label}_{split}.txt").write_text("".join(lines))
    return root


FLAGS = {"000012": {"car": 1}, "000005": {"chair": 0, "person": 1}, "000007": {"car": 0}}
OBJECTS = {
    "000012": [item("car")],
    "000005": [item("chair", difficult=1), item("person")],
    "000007": [item("car", difficult=1)],
}


def said(source):
    return {source.key(i): (source.labels_of(i), source.ignored_of(i)) for i in range(len(source))}


EXPECTED = {"000012": ((CAR,), ()), "000005": ((PERSON,), (CHAIR,)), "000007": ((), (CAR,))}


@pytest.mark.parametrize("flags", [FLAGS, None], ids=["lists", "annotations"])
def test_difficult_objects_are_ignored_neither_claimed_nor_denied(tmp_path, flags):
    source = Voc(str(write(tmp_path / "VOC2007", OBJECTS, flags)))
    assert said(source) == EXPECTED
    assert list(said(source)) == list(OBJECTS), "in the order of the lists"
    assert source.classes == CLASSES
    assert len(CLASSES) == 20
    assert source[1].ignored == (CHAIR,)


def test_a_class_with_one_object_that_is_not_difficult_is_claimed(tmp_path):
    objects = {"1": [item("car", difficult=1), item("car"), item("car", difficult=1)]}
    assert said(Voc(str(write(tmp_path, objects)))) == {"1": ((CAR,), ())}


def test_the_lists_come_first(tmp_path):
    """The lists of 2007 and the annotations agree; where a copy's do not, the task is what the lists say."""
    source = Voc(str(write(tmp_path, {"1": [item("car")]}, {"1": {"chair": 1}})))
    assert said(source) == {"1": ((CHAIR,), ())}
    assert source.areas_of(0) == {}


def test_boxes_count_from_one_and_include_the_last_pixel(tmp_path):
    source = Voc(str(write(tmp_path, {"1": [item("car", (11, 6, 30, 25)), item("chair", (1, 1, 10, 10), 1)]})))
    assert source.areas_of(0) == {CAR: (400.0,)}, "20 x 20 pixels; the difficult chair left out"
    assert source[0].box == (0, 0, 30, 25), "half-open, around both"
    one = Voc(str(write(tmp_path / "one", {"1": [item("car", (11, 6, 30, 25))]})))
    assert one[0].box == (10, 5, 30, 25)
    assert read_prepared(one, 0, Prepare(rule="bbox", size_px=20)).image.shape == (20, 20, 3)


def test_parts_of_a_person_are_no_objects(tmp_path):
    head = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    source = Voc(str(write(tmp_path, {"1": [item("person", (11.5, 6, 30, 25), more=head)]})))
    assert said(source) == {"1": ((PERSON,), ())}
    assert source.areas_of(0) == {PERSON: (19.5 * 20,)}


@pytest.mark.parametrize("inside", ["VOCdevkit/VOC2007", "VOC2007", "."])
def test_the_devkit_is_found_whichever_of_its_folders_is_given(tmp_path, inside):
    write(tmp_path / inside, OBJECTS, FLAGS)
    assert said(Voc(str(tmp_path))) == EXPECTED


def test_years_and_splits_are_chosen(tmp_path):
    write(tmp_path / "VOC2007", OBJECTS, FLAGS)
    write(tmp_path / "VOC2007", {"000009": [item("car")]}, {"000009": {"car": 1}}, split="test")
    write(tmp_path / "VOC2012", {"2008_000002": [item("chair")]}, split="trainval")
    assert said(Voc(str(tmp_path), split="test")) == {"000009": ((CAR,), ())}
    assert said(Voc(str(tmp_path), year=2012)) == {"2008_000002": ((CHAIR,), ())}
    assert len({Voc(str(tmp_path)).fingerprint, Voc(str(tmp_path), split="test").fingerprint}) == 2
    with pytest.raises(SourceError, match=r"no list .*val.txt"):
        len(Voc(str(tmp_path), split="val"))
    with pytest.raises(SourceError, match=r"no VOC devkit of 2011: none of .* has ImageSets/Main"):
        len(Voc(str(tmp_path), year=2011))


def test_labels_are_told_without_annotations_where_there_are_lists(tmp_path):
    root = write(tmp_path, OBJECTS, FLAGS)
    for file in (root / "Annotations").iterdir():
        file.unlink()
    source = Voc(str(root))
    assert said(source) == EXPECTED
    assert source.areas_of(0) == {}
    assert source[0].box is None


def test_the_fingerprint_sees_a_changed_flag_and_annotation(tmp_path):
    root = write(tmp_path, OBJECTS, FLAGS)
    first = Voc(str(root)).fingerprint
    (root / "Annotations" / "000007.xml").write_text(f"<annotation>{item('car')} </annotation>")
    second = Voc(str(root)).fingerprint
    write(root, OBJECTS, {**FLAGS, "000007": {"car": -1}})
    assert len({first, second, Voc(str(root)).fingerprint}) == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda lists: (lists / "cow_trainval.txt").unlink(),
            r"no list .*cow_trainval.txt, but those of other classes",
        ),
        (lambda lists: (lists / "cow_trainval.txt").write_text(""), r"cow_trainval.txt lists no image"),
        (
            lambda lists: (lists / "cow_trainval.txt").write_bytes(b"\xff\xfe"),
            r"cow_trainval.txt is not text in UTF-8",
        ),
        (
            lambda lists: (lists / "cow_trainval.txt").write_text("000012 1\n"),
            r"cow_trainval.txt and .* the same images",
        ),
        (
            lambda lists: (lists / "cow_trainval.txt").write_text("000012 1\n000005 2\n000007 1\n"),
            r"the line '000005 2': an image and 1, 0 or -1",
        ),
        (
            lambda lists: (lists / "cow_trainval.txt").write_text("000012\n000005 1\n000007 1\n"),
            r"the line '000012'",
        ),
        (
            lambda lists: (lists / "cow_trainval.txt").write_text("000012 1\n" * 2 + "000005 1\n000007 1\n"),
            r"names 000012 twice",
        ),
        (
            lambda lists: (lists / "aeroplane_trainval.txt").write_text("../../secret 1\n"),
            r"names '../../secret', which is no image of VOC",
        ),
    ],
)
def test_damaged_lists_are_refused_in_one_line(tmp_path, spoil, message):
    root = write(tmp_path, OBJECTS, FLAGS)
    spoil(root / "ImageSets" / "Main")
    with pytest.raises(SourceError, match=message) as caught:
        len(Voc(str(root)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("<annotation>", "cannot be read"),
        (f"<annotation>{item('head')}</annotation>", "an object 'head'"),
        (f"<annotation>{item('car', difficult=2)}</annotation>", "difficult '2'"),
        ("<annotation><object><name>car</name></object></annotation>", "car without a box"),
        (f"<annotation>{item('car', ('a', 1, 2, 3))}</annotation>", "car without a box"),
        (f"<annotation>{item('car', (9, 9, 3, 30))}</annotation>", "with an empty one"),
        (f"<annotation>{item('car', (1, 1, 'inf', 30))}</annotation>", "car without a box"),
    ],
)
def test_damaged_annotations_are_refused_or_quarantined(tmp_path, content, message):
    root = write(tmp_path, {"1": [item("car")]}, {"1": {"car": 1}})
    (root / "Annotations" / "1.xml").write_text(content)
    with pytest.raises(SourceError, match=message):
        read_objects(root / "Annotations" / "1.xml")
    with pytest.raises(BrokenImageError, match=message):
        Voc(str(root))[0]
    for file in (root / "ImageSets" / "Main").glob("*_trainval.txt"):
        file.unlink()
    with pytest.raises(SourceError, match=message):
        len(Voc(str(root)))


def test_an_image_that_is_not_there_is_broken(tmp_path):
    root = write(tmp_path, OBJECTS, FLAGS)
    (root / "JPEGImages" / "000005.jpg").unlink()
    source = Voc(str(root))
    assert np.array_equal(source[0].image.shape, (30, 40, 3))
    with pytest.raises(BrokenImageError, match=r"JPEGImages/000005.jpg: no such file"):
        source[1]


def test_a_path_is_needed():
    with pytest.raises(ConfigError, match="needs path"):
        Voc("")
