"""Caltech-101: the class order that published splits rely on, and every place the folder may be."""

import pytest
from PIL import Image

from occbench.core.errors import ConfigError, SourceError
from occbench.sources.caltech101 import CLASSES, Caltech101

LAST_TEN = [
    "tick",
    "trilobite",
    "umbrella",
    "watch",
    "water_lilly",
    "wheelchair",
    "wild_cat",
    "windsor_chair",
    "wrench",
    "yin_yang",
]


def make_tree(root, classes):
    for name in classes:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (3, 2)).save(root / name / "image_0001.jpg")
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All 102 folders, as the archive has them."""
    root = tmp_path_factory.mktemp("archive")
    make_tree(root / "caltech-101" / "101_ObjectCategories", [*CLASSES, "BACKGROUND_Google"])
    return root


@pytest.mark.parametrize("inside", ["", "caltech-101", "caltech-101/101_ObjectCategories"])
def test_the_folder_is_found_and_the_background_dropped(whole, inside):
    source = Caltech101(str(whole / inside))
    assert len(source.classes) == len(source) == 101
    assert not [source.key(i) for i in range(101) if "background" in source.key(i)]


def test_mixed_case_names_do_not_come_first(whole):
    classes = Caltech101(str(whole)).classes
    assert classes[0] == "accordion"
    assert list(classes[-10:]) == LAST_TEN
    assert list(classes) == sorted(classes, key=str.lower)
    for name, before, after in [
        ("Faces", "ewer", "Faces_easy"),
        ("Leopards", "laptop", "llama"),
        ("Motorbikes", "minaret", "nautilus"),
    ]:
        place = classes.index(name)
        assert (classes[place - 1], classes[place + 1]) == (before, after)


def test_labels_are_places_in_classes(whole):
    source = Caltech101(str(whole))
    for index in (0, 36, 100):
        assert source.key(index).startswith(source.classes[source[index].labels[0]].lower())


def test_a_subset_lists_what_is_there(tmp_path):
    source = Caltech101(str(make_tree(tmp_path, ["yin_yang", "Leopards", "ant"])))
    assert source.classes == ("ant", "Leopards", "yin_yang")
    assert [source[i].labels for i in range(3)] == [(0,), (1,), (2,)]


def test_a_foreign_folder_would_shift_labels_and_is_refused(tmp_path):
    make_tree(tmp_path, ["ant", "bass", "kitchen"])
    with pytest.raises(SourceError, match=r"folders that are not classes of Caltech-101: kitchen.*image_folder"):
        len(Caltech101(str(tmp_path)))


def test_another_folder_is_refused(tmp_path):
    make_tree(tmp_path, ["kitchen"])
    with pytest.raises(SourceError, match="no class folder of Caltech-101"):
        len(Caltech101(str(tmp_path)))


def test_two_copies_are_ambiguous(tmp_path):
    for copy in ("one", "two"):
        make_tree(tmp_path / copy / "101_ObjectCategories", ["ant"])
    with pytest.raises(SourceError, match=r"in .*one and in .*two. Name one"):
        len(Caltech101(str(tmp_path)))


def test_a_missing_folder_and_an_empty_class_say_so(tmp_path):
    with pytest.raises(SourceError, match="there is no folder"):
        len(Caltech101(str(tmp_path / "gone")))
    (make_tree(tmp_path, ["ant"]) / "bass").mkdir()
    with pytest.raises(SourceError, match="bass has no image: no file ends in"):
        len(Caltech101(str(tmp_path)))


def test_a_path_is_needed():
    with pytest.raises(ConfigError, match="needs path"):
        Caltech101("")


def test_the_real_photographs(real_data):
    source = Caltech101(str(real_data / "caltech101"))
    assert source.classes == CLASSES
    assert len(source) == 5975
    assert source.classes[0] == "accordion"
    assert list(source.classes[-10:]) == LAST_TEN
    assert len({source.key(i) for i in range(len(source))}) == 5975
    for index in range(0, 5975, 250):
        example = source[index]
        assert example.image.ndim == 3
        assert min(example.image.shape[:2]) > 60
        assert 5 < example.image.std() < 130
