"""CUB-200-2011: the tables say what is where; boxes go to the resize rule."""

import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.prepare import Prepare, prepare
from occbench.sources.cub200 import CUB200

TABLES = {
    "classes.txt": "1 001.Wren\n2 002.Gull\n",
    # not in the order of the classes, and a number without an image before it
    "images.txt": "2 002.Gull/Gull_0002_9.jpg\n3 001.Wren/Wren_0001_7.jpg\n7 001.Wren/Wren_0003_8.jpg\n",
    "image_class_labels.txt": "2 2\n3 1\n7 1\n",
    "train_test_split.txt": "2 1\n3 0\n7 1\n",
    "bounding_boxes.txt": "2 4.0 3.0 10.0 8.0\n3 0.5 1.5 9.2 9.0\n7 -1.0 0.0 99.0 99.0\n",
}


@pytest.fixture
def birds(tmp_path):
    root = tmp_path / "CUB_200_2011"
    for name, text in TABLES.items():
        root.mkdir(exist_ok=True)
        (root / name).write_text(text)
    for place, line in enumerate(TABLES["images.txt"].splitlines()):
        file = root / "images" / line.split()[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (80 * place, 0, 0)).save(file, quality=95)
    return root


def test_images_are_those_of_the_table_in_its_order(birds):
    for path in (birds, birds.parent):
        source = CUB200(str(path))
        assert source.classes == ("001.Wren", "002.Gull")
        assert [source.labels_of(index) for index in range(3)] == [(1,), (0,), (0,)]
        assert source.key(0) == "002-gull-gull_0002_9"


def test_official_splits(birds):
    train, test = (CUB200(str(birds), split=split) for split in ("train", "test"))
    assert [train.key(index) for index in range(len(train))] == ["002-gull-gull_0002_9", "001-wren-wren_0003_8"]
    assert [test.key(index) for index in range(len(test))] == ["001-wren-wren_0001_7"]
    assert train.classes == test.classes
    assert test[0].box == CUB200(str(birds))[1].box


def test_boxes_are_half_open_hold_the_published_box_and_stay_in_the_image(birds):
    source = CUB200(str(birds))
    assert [source[index].box for index in range(3)] == [(4, 3, 14, 11), (0, 1, 10, 11), (0, 0, 20, 16)]
    cropped = prepare(source[0], Prepare(rule="bbox", size_px=8))
    assert cropped.image.shape == (8, 8, 3)


def test_a_missing_image_is_broken_not_skipped(birds):
    (birds / "images" / "001.Wren" / "Wren_0001_7.jpg").unlink()
    source = CUB200(str(birds))
    assert len(source) == 3
    with pytest.raises(BrokenImageError, match="no such file"):
        source[1]


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_missing_table_is_named(birds, name):
    (birds / name).unlink()
    with pytest.raises(SourceError, match=f"there is no .*{name}"):
        CUB200(str(birds))[0]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("images.txt", "2\n", "line 1: expected a number and 1 values"),
        ("images.txt", "", "no image of the split all"),
        ("image_class_labels.txt", "2 2\n3 1\n", "no line for image 7"),
        ("image_class_labels.txt", "2 2\n3 1\n7 9\n", "has no class 9"),
        ("bounding_boxes.txt", "3 0 0 9 9\n", "no box of image 2"),
        ("bounding_boxes.txt", "2 a b c d\n", "not made of numbers"),
    ],
)
def test_tables_that_do_not_fit_are_named(birds, name, text, complaint):
    (birds / name).write_text(text)
    with pytest.raises(SourceError, match=complaint):
        CUB200(str(birds))[0]


def test_options_are_checked():
    with pytest.raises(ConfigError, match="needs path"):
        CUB200("")
