"""Any COCO-style part annotation: parts, object, labels, layouts; the real car parts as they are."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.prepare import Prepare, prepare
from occbench.sources.coco_parts import CocoParts

CATEGORIES = [
    {"id": 1, "name": "_background_", "supercategory": ""},
    {"id": 2, "name": "wheel", "supercategory": "car"},
    {"id": 3, "name": "door", "supercategory": "car"},
    {"id": 4, "name": "wing", "supercategory": "bird"},
    {"id": 5, "name": "whole", "supercategory": ""},
]


def square(x, y, side):
    """A polygon that pycocotools rasterises to side x side pixels from (x, y)."""
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def write(folder, annotations, images=("a.png", "b.png"), name="annotations.json", categories=CATEGORIES):
    """Rows (image number, category, polygon, ...) as a COCO file, and images of 40 x 30 px."""
    for image in images:
        (folder / "images" / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (90, 120, 200)).save(folder / "images" / image)
    content = {
        "images": [{"id": place, "file_name": image, "width": 40, "height": 30} for place, image in enumerate(images)],
        "categories": categories,
        "annotations": [
            {"image_id": image, "category_id": category, "segmentation": list(polygons)}
            for image, category, *polygons in annotations
        ],
    }
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return str(folder)


def area(mask):
    return int(np.count_nonzero(mask))


def test_regions_of_a_category_are_one_part_or_each_their_own(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5)), (0, 3, square(10, 5, 8)), (0, 2, square(30, 20, 5))])
    example = CocoParts(path)[0]
    assert sorted(example.parts) == ["door", "wheel"]
    assert area(example.parts["wheel"]) == 50
    apart = CocoParts(path, part_unit="instance")[0].parts
    assert {name: area(mask) for name, mask in apart.items()} == {"door-1": 64, "wheel-1": 25, "wheel-2": 25}
    assert np.array_equal(apart["wheel-1"] | apart["wheel-2"], example.parts["wheel"])
    assert apart["wheel-1"][20:25, 2:7].all()


def test_the_object_is_the_union_of_the_parts_and_gives_the_box(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5)), (0, 3, square(10, 5, 8))])
    example = CocoParts(path)[0]
    assert np.array_equal(example.object_mask, example.parts["wheel"] | example.parts["door"])
    assert example.box == (2, 5, 18, 25)
    assert prepare(example, Prepare(rule="bbox", size_px=16)).parts["door"].shape == (16, 16)


def test_an_object_annotation_is_no_part(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5)), (0, 5, square(1, 1, 25)), (1, 2, square(2, 20, 5))])
    source = CocoParts(path, objects=("whole",), label="single", class_name="car")
    assert list(source[0].parts) == ["wheel"]
    assert area(source[0].object_mask) == 625
    assert area(source[1].object_mask) == 25, "without an object annotation the parts are the object"


def test_background_is_ignored_and_an_image_without_parts_is_noted(tmp_path):
    path = write(tmp_path, [(0, 1, square(0, 0, 29)), (0, 2, square(2, 20, 5)), (1, 2, [256, 256])])
    source = CocoParts(path, label="single")
    assert list(source[0].parts) == ["wheel"]
    assert source[1].parts == {}
    assert source[1].object_mask is None
    assert source[1].box is None
    assert source.notes() == (
        "1 annotated segments were skipped: 1 of fewer than three points.",
        "1 of 2 images have no usable part, e.g. b.png.",
    )


def test_labels_follow_the_supercategories_where_there_are_several(tmp_path):
    rows = [(0, 2, square(2, 20, 5)), (1, 4, square(2, 20, 5)), (2, 2, square(2, 20, 5)), (2, 4, square(9, 9, 5))]
    source = CocoParts(write(tmp_path, rows, ("a.png", "b.png", "c.png", "d.png")))
    assert source.classes == ("bird", "car")
    assert [source.labels_of(index) for index in (0, 1)] == [(1,), (0,)]
    for use in (source.labels_of, source.__getitem__):
        with pytest.raises(BrokenImageError, match=r"c\.png: its parts are of 2 classes \(bird, car\)"):
            use(2)
        with pytest.raises(BrokenImageError, match=r"d\.png: no part with a supercategory"):
            use(3)
    assert source.notes()[-1] == "2 of 4 images have no label, e.g. c.png."


@pytest.mark.parametrize(
    ("images", "options", "classes"),
    [
        (("cat/1.png", "dog/1.png"), {}, ("cat", "dog")),
        (("a/cat/1.png", "b/cat/1.png"), {"label": "folder"}, ("cat",)),
        (("train/1.png", "val/1.png"), {}, ("bird", "car")),
        (("1.png", "2.png"), {"label": "single", "class_name": "thing"}, ("thing",)),
        (("1.png", "2.png"), {"label": "single"}, ("photos",)),
    ],
)
def test_rules_for_labels(tmp_path, images, options, classes):
    path = write(tmp_path / "photos", [(0, 2, square(2, 20, 5)), (1, 4, square(2, 20, 5))], images)
    assert CocoParts(path, **options).classes == classes


def test_the_only_supercategory_names_the_only_class(tmp_path):
    assert CocoParts(write(tmp_path, [], categories=CATEGORIES[:3])).classes == ("car",)


def test_categories_of_one_name_stay_apart(tmp_path):
    categories = [{"id": number, "name": "head", "supercategory": kind} for number, kind in enumerate(("cat", "dog"))]
    path = write(tmp_path, [(0, 0, square(2, 2, 5)), (0, 1, square(9, 9, 5))], categories=categories)
    assert sorted(CocoParts(path, label="single")[0].parts) == ["cat head 0", "dog head 1"]


def test_an_image_of_another_size_than_annotated_is_broken(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5))])
    Image.new("RGB", (30, 40)).save(tmp_path / "images" / "a.png")
    with pytest.raises(BrokenImageError, match=r"a\.png: 30 x 40 px, but its annotations are for 40 x 30 px"):
        CocoParts(path, label="single")[0]


def test_damaged_run_lengths_break_the_image_alone(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5)), (1, 2, square(2, 20, 5))])
    content = json.loads((tmp_path / "annotations.json").read_text())
    content["annotations"][1]["segmentation"] = {"size": [30, 40], "counts": [5, 5]}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    source = CocoParts(path, label="single")
    assert source[0].parts
    with pytest.raises(BrokenImageError, match=r"b\.png: run lengths do not fill 40 x 30 px"):
        source[1]


@pytest.mark.parametrize("name", ["instances.json", "annotations/parts.json", "parts.json"])
def test_the_annotation_file_is_found(tmp_path, name):
    assert len(CocoParts(write(tmp_path, [], name=name), label="single")) == 2


def test_several_annotation_files_must_be_told_apart(tmp_path):
    write(tmp_path, [], name="one.json")
    path = write(tmp_path, [], name="two.json")
    with pytest.raises(
        SourceError, match=r"has 2 JSON files \(one\.json, two\.json\).* Name the one .* as annotations"
    ):
        len(CocoParts(path))
    assert len(CocoParts(path, annotations="two.json", label="single")) == 2


@pytest.mark.parametrize("folder", ["JPEGImages", "photos", "."])
def test_the_image_folder_is_found_or_named(tmp_path, folder):
    path = write(tmp_path, [(0, 2, square(2, 20, 5))], name="annotations.json")
    (tmp_path / folder).mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).rename(tmp_path / folder / name)
    source = CocoParts(path, images="photos") if folder == "photos" else CocoParts(path)
    assert source.key(0) == "a"
    assert source[0].image.shape == (30, 40, 3)


def test_file_names_may_have_folders_that_are_not_there(tmp_path):
    path = write(tmp_path, [], images=("a.png", "b.png"))
    content = json.loads((tmp_path / "annotations.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"C:\\work\\{image['file_name']}"
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert CocoParts(path, label="single")[1].key == "b"


def test_images_that_are_nowhere_say_where_they_were_looked_for(tmp_path):
    path = write(tmp_path, [])
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match=r"none of the 2 images .* is there, e\.g\. a\.png; looked in .*JPEGImages"):
        len(CocoParts(path, label="single"))


def test_a_missing_image_is_broken_not_skipped(tmp_path):
    path = write(tmp_path, [])
    (tmp_path / "images" / "b.png").unlink()
    source = CocoParts(path, label="single")
    assert len(source) == 2
    with pytest.raises(BrokenImageError, match="no such file"):
        source[1]


def test_the_fingerprint_sees_another_mask(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5))])
    before = CocoParts(path).fingerprint
    write(tmp_path, [(0, 2, square(3, 20, 5))])
    assert CocoParts(path).fingerprint != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"path": "x", "objects": ("car",), "exclude": ("car",)}, "has car in objects and in exclude"),
    ],
)
def test_options_are_checked_without_the_disk(options, message):
    with pytest.raises(ConfigError, match=message):
        CocoParts(**options)


def test_an_object_category_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"has no category car, which objects names\. It has _background_, door"):
        len(CocoParts(write(tmp_path, []), objects=("car",)))


def test_opening_decodes_no_image(tmp_path):
    path = write(tmp_path, [(0, 2, square(2, 20, 5))])
    (tmp_path / "images" / "a.png").write_bytes(b"no picture")
    source = CocoParts(path)
    assert (len(source), source.key(0), source.labels_of(0)) == (2, "a", (0,))
    assert source.fingerprint


def test_the_real_car_parts(real_data):
    source = CocoParts(str(real_data / "car_parts"))
    assert (len(source), source.classes, source.notes()) == (100, ("car_parts",), ())
    regions = CocoParts(source.path, part_unit="instance")
    names, counted = set(), 0
    for index in range(0, 100, 10):
        merged, apart = source[index], regions[index]
        names |= set(merged.parts)
        counted += len(apart.parts)
        assert np.array_equal(merged.object_mask, np.logical_or.reduce(list(merged.parts.values())))
        assert np.array_equal(merged.object_mask, apart.object_mask)
        assert {name.rpartition("-")[0] for name in apart.parts} == set(merged.parts)
    assert "_background_" not in names
    assert {"wheel", "hood", "front_bumper"} <= names
    assert counted > 50
