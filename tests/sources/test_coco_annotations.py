"""COCO-style files as they are found: what no mask can be made of is skipped and counted, the rest is kept as it is."""

import json

import pytest

from occbench.core.errors import SourceError
from occbench.sources.coco_annotations import Category, read_annotations

SQUARE = [1, 1, 5, 1, 5, 5, 1, 5]


def content(*segmentations, **changes):
    return {
        "images": [{"id": 3, "file_name": "cat\\a.jpg", "width": 9, "height": 8}],
        "categories": [{"id": 0, "name": "head", "supercategory": "cat"}, {"id": 7, "name": "tail"}],
        "annotations": [
            {"id": 10 + place, "image_id": 3, "category_id": 7, "segmentation": segmentation}
            for place, segmentation in enumerate(segmentations)
        ],
        **changes,
    }


def read(folder, *segmentations, **changes):
    file = folder / "parts.json"
    file.write_text(json.dumps(content(*segmentations, **changes)))
    return read_annotations(file)


def test_a_file_is_read_whole(tmp_path):
    runs = {"size": [8, 9], "counts": [9, 4, 59]}
    found = read(tmp_path, [SQUARE, SQUARE[::-1]], runs)
    assert found.categories == {0: Category("head", "cat"), 7: Category("tail", "")}
    assert found.skipped == {}
    (image,) = found.images
    assert (image.file_name, image.width, image.height) == ("cat/a.jpg", 9, 8)
    polygons, lengths = image.annotations
    assert (polygons.number, polygons.category) == (10, 7)
    assert [list(ring) for ring in polygons.segmentation] == [SQUARE, SQUARE[::-1]]
    assert lengths.segmentation == runs


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[256, 256]], "of fewer than three points"),
        ([[1, 2, 3, 4]], "of fewer than three points"),
        ([[]], "of fewer than three points"),
        ([SQUARE[:7]], "with broken coordinates"),
        ([[*SQUARE, float("nan"), 1]], "with broken coordinates"),
        ([["1", "2", "3", "4", "5", "6"]], "with broken coordinates"),
        ([[1, 1, 5, 1, 5, 1e9]], "far outside of the image"),
        ([], "without coordinates"),
        (None, "without coordinates"),
        ("polygon", "without coordinates"),
        ({"counts": "abc", "size": [9, 8]}, "of another size than the image"),
    ],
)
def test_a_bad_segment_is_skipped_and_counted(tmp_path, segmentation, reason):
    found = read(tmp_path, segmentation, [SQUARE])
    assert found.skipped == {reason: 1}
    assert [annotation.number for annotation in found.images[0].annotations] == [11]


def test_good_polygons_of_an_annotation_with_bad_ones_stay(tmp_path):
    found = read(tmp_path, [[256, 256], SQUARE, [1, 2, 3, 4]])
    assert found.skipped == {"of fewer than three points": 2}
    assert [list(ring) for ring in found.images[0].annotations[0].segmentation] == [SQUARE]


def test_a_polygon_without_the_list_around_it_is_one(tmp_path):
    found = read(tmp_path, SQUARE)
    assert found.skipped == {}
    assert [list(ring) for ring in found.images[0].annotations[0].segmentation] == [SQUARE]


@pytest.mark.parametrize("change", [{"image_id": 4}, {"image_id": [3]}, {"category_id": 1}, {"category_id": None}])
def test_an_annotation_of_nothing_listed_is_counted(tmp_path, change):
    row = {"image_id": 3, "category_id": 7, "segmentation": [SQUARE], **change}
    found = read(tmp_path, annotations=[row])
    assert found.images[0].annotations == ()
    assert found.skipped == {"of an image or category that is not listed": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, r"not a COCO-style annotation file: it needs images with id, file_name, width, height"),
        ({"images": [{"id": 1}]}, "it needs images with"),
        ({"categories": [{"id": 1}]}, "it needs categories with id, name"),
        ({"annotations": {}}, "it needs annotations with"),
        ({"images": [{"id": 1, "file_name": "a", "width": 0, "height": 4}]}, "must be whole numbers, found"),
        ({"images": [{"id": "x", "file_name": "a", "width": 4, "height": 4}]}, "must be whole numbers, found"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "uses an id twice among 2 rows"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(SourceError, match=message) as caught:
        read(tmp_path, **changes)
    assert "\n" not in str(caught.value)


def test_files_that_are_missing_or_no_json_say_so(tmp_path):
    with pytest.raises(SourceError, match=r"there is no annotation file .*gone\.json"):
        read_annotations(tmp_path / "gone.json")
    (tmp_path / "cut.json").write_text('{"images": [')
    with pytest.raises(SourceError, match=r"cut\.json is not JSON"):
        read_annotations(tmp_path / "cut.json")
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(SourceError, match="not a COCO-style annotation file"):
        read_annotations(tmp_path / "list.json")
