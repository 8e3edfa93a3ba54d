"""COCO objects, one image each: mask, box, class; crowds and small ones left out and counted; the real sample."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.build import build_plugin
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare, read_prepared
from occbench.sources.coco_objects import CocoObjects

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}, {"id": 9, "name": "hot dog"}]
#: An uncompressed mask of 40 x 30 px: columns 5 to 14, whole.
RUNS = {"size": [30, 40], "counts": [150, 300, 750]}


def box(x, y, width, height):
    """A polygon that pycocotools rasterises to these pixels."""
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def write(folder, *annotations, images=("b.png", "a.png"), **changes):
    """Rows (image number, category, segmentation[, iscrowd]) as a COCO file, and images of 40 x 30 px."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for value, image in enumerate(images):
        Image.new("RGB", (40, 30), (90, 120, value)).save(folder / "images" / image)
    rows = [
        {
            "id": 100 + place,
            "image_id": image,
            "category_id": category,
            "segmentation": found,
            "iscrowd": int(any(crowd)),
        }
        for place, (image, category, found, *crowd) in enumerate(annotations)
    ]
    listed = [{"id": place, "file_name": image, "width": 40, "height": 30} for place, image in enumerate(images)]
    content = {"images": listed, "categories": CATEGORIES, "annotations": rows, **changes}
    (folder / "instances.json").write_text(json.dumps(content))
    return str(folder)


def test_every_object_is_an_image_of_its_own(tmp_path):
    path = write(tmp_path, (0, 3, box(2, 3, 20, 10)), (1, 7, box(5, 5, 12, 15)), (0, 7, box(10, 0, 30, 30)))
    source = CocoObjects(path, min_side_px=5)
    assert source.classes == ("cat", "dog"), "in the file's order, those that have an object"
    assert [source.key(index) for index in range(len(source))] == ["a-101", "b-100", "b-102"]
    assert [source.labels_of(index) for index in range(3)] == [(0,), (1,), (0,)]
    examples = list(source)
    assert [example.box for example in examples] == [(5, 5, 17, 20), (2, 3, 22, 13), (10, 0, 40, 30)]
    assert [int(example.object_mask.sum()) for example in examples] == [180, 200, 900]
    assert examples[1].object_mask[3:13, 2:22].all()
    assert np.array_equal(examples[1].image, examples[2].image), "two objects of one photograph"


def test_the_resize_rule_crops_the_object(tmp_path):
    source = CocoObjects(write(tmp_path, (0, 3, box(2, 3, 20, 10))), min_side_px=5)
    example = read_prepared(source, 0, Prepare(rule="bbox", size_px=16))
    assert example.image.shape == (16, 16, 3)
    assert example.object_mask.all()
    assert example.class_names == ("dog",)


def test_a_margin_shows_what_is_around_the_object_inside_the_image(tmp_path):
    path = write(tmp_path, (0, 3, box(2, 10, 20, 10)))
    assert CocoObjects(path, min_side_px=5, margin=0.5)[0].box == (0, 5, 32, 25)
    assert CocoObjects(path, min_side_px=10, margin=0.5)[0].box == (0, 5, 32, 25)
    with pytest.raises(SourceError, match="no object"):
        len(CocoObjects(path, min_side_px=11, margin=0.5))


def test_boxes_hold_fractions_of_pixels_and_stay_in_the_image(tmp_path):
    source = CocoObjects(write(tmp_path, (0, 3, [[-3.5, 2.2, 12.4, 2.2, 12.4, 29.9]])), min_side_px=5)
    assert source[0].box == (0, 2, 13, 30)


def test_run_lengths_and_several_polygons_are_masks_too(tmp_path):
    source = CocoObjects(write(tmp_path, (0, 3, RUNS), (0, 7, box(1, 1, 6, 6) + box(20, 20, 8, 9))), min_side_px=5)
    runs, two = list(source)
    assert runs.box == (5, 0, 15, 30)
    assert runs.object_mask[:, 5:15].all()
    assert int(runs.object_mask.sum()) == 300
    assert two.box == (1, 1, 28, 29)
    assert int(two.object_mask.sum()) == 36 + 72


def test_crowds_small_and_other_objects_are_left_out_and_counted(tmp_path):
    annotations = [(0, 3, RUNS, True), (0, 3, box(1, 1, 30, 4)), (0, 7, box(1, 1, 9, 9)), (0, 9, box(1, 1, 9, 9))]
    annotations += [(1, 3, box(1, 1, 9, 9)), (1, 3, [[1, 1]]), (1, 3, {"size": [30, 40], "counts": [1200, 0]})]
    source = CocoObjects(write(tmp_path, *annotations), min_side_px=5, categories=("dog", "cat"))
    assert source.classes == ("dog", "cat"), "in the order asked for"
    assert [source.key(index) for index in range(len(source))] == ["a-104", "b-102"]
    segments, objects = source.notes()
    assert segments == "1 annotated segments were skipped: 1 of fewer than three points."
    assert objects == "3 annotated objects were left out: 1 crowds, 2 with a side below 5 px."


def test_an_object_that_cannot_be_used_is_named(tmp_path):
    path = write(tmp_path, (0, 3, box(1, 1, 9, 9)), (1, 3, [[1, 1, 30, 1, 30, 1.2, 1, 1.2]]))
    thin = CocoObjects(path, min_side_px=1)
    with pytest.raises(BrokenImageError, match=r"a\.png: the mask of object 101 holds no pixel"):
        thin[0]
    Image.new("RGB", (41, 30)).save(tmp_path / "images" / "b.png")
    with pytest.raises(BrokenImageError, match=r"b\.png: 41 x 30 px, but its annotations are for 40 x 30 px"):
        thin[1]
    (tmp_path / "images" / "b.png").unlink()
    with pytest.raises(BrokenImageError, match=r"b\.png: no such file"):
        thin[1]


def test_ids_that_are_not_unique_are_refused(tmp_path):
    rows = [{"id": 1, "image_id": 0, "category_id": 3, "segmentation": box(1, 1, 9, 9)}] * 2
    with pytest.raises(SourceError, match=r"uses an annotation's id twice in one image \(b-1\.png\)"):
        len(CocoObjects(write(tmp_path, annotations=rows), min_side_px=5))


def test_the_fingerprint_sees_another_mask(tmp_path):
    one, other = (write(tmp_path / str(side), (0, 3, box(1, 1, 9, side))) for side in (9, 10))
    assert CocoObjects(one, min_side_px=5).fingerprint != CocoObjects(other, min_side_px=5).fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"categories": ["cat", "cat"]}, "categories must differ"),
        ({"min_side_px": 0}, "min_side_px is 1 or more"),
        ({"margin": -0.1}, r"margin is a share of the box, 0 to 10, found -0\.1"),
        ({"margin": float("nan")}, "margin is a share"),
    ],
)
def test_a_wrong_option_is_one_clear_line(options, message):
    with pytest.raises(ConfigError, match=message):
        build_plugin("coco_objects", "sources", Source, {"path": "somewhere", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ("zebra",)}, r"no category zebra, which categories names\. It has cat, dog, hot dog"),
        ({"annotations": "other.json"}, "there is no annotation file"),
        ({"images": "photographs"}, r"none of the 2 images .* looked in .*photographs"),
    ],
)
def test_what_is_not_there_is_one_clear_line(tmp_path, options, message):
    with pytest.raises(SourceError, match=message):
        len(CocoObjects(write(tmp_path, (0, 3, box(1, 1, 9, 9))), min_side_px=5, **options))


def test_the_real_sample(real_data):
    source = CocoObjects(str(real_data / "coco_sample"), min_side_px=64)
    assert len(source) == 197
    assert source.notes() == ("349 annotated objects were left out: 349 with a side below 64 px.",)
    people = CocoObjects(str(real_data / "coco_sample"), categories=("person",))
    assert people.classes == ("person",)
    example = people[0]
    x0, y0, x1, y1 = example.box
    assert example.object_mask[y0:y1, x0:x1].sum() == example.object_mask.sum() > 0
