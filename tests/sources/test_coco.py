"""COCO as a multi-label data set: which labels, in which order, of which images; hostile files; the real sample."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.sources.coco import Coco

#: Ids with a gap, out of order in the file, as nothing in COCO's form forbids.
CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 13, "name": "stop sign"}]
#: A crowd's uncompressed mask of 40 x 30 px: columns 5 to 14, whole.
RUNS = {"size": [30, 40], "counts": [150, 300, 750]}


def box(x, y, width, height):
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def row(image, category, segmentation, **more):
    return {"image_id": image, "category_id": category, "segmentation": segmentation, **more}


def write(folder, *annotations, images=("b.png", "a.png"), file="instances.json", pictures="images", **changes):
    """Annotations in COCO's form, and images of 40 x 30 px."""
    for value, image in enumerate(images):
        (folder / pictures / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (90, 120, value)).save(folder / pictures / image)
    listed = [{"id": place, "file_name": image, "width": 40, "height": 30} for place, image in enumerate(images)]
    content = {"images": listed, "categories": CATEGORIES, "annotations": list(annotations), **changes}
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(json.dumps(content))
    return str(folder)


def test_labels_are_counted_from_the_category_ids_in_order(tmp_path):
    path = write(
        tmp_path,
        row(0, 90, box(2, 3, 20, 10)),
        row(0, 1, box(0, 0, 5, 5)),
        row(0, 90, box(30, 20, 5, 5)),
        row(1, 13, box(5, 5, 12, 15)),
    )
    source = Coco(path)
    assert source.multi_label
    assert source.classes == ("person", "stop sign", "toothbrush"), "by id: 90 is label 2, not 90 and not 0"
    assert [source.key(index) for index in range(2)] == ["a", "b"]
    assert [source.labels_of(index) for index in range(2)] == [(1,), (0, 2)], "each once, ascending"
    assert np.array_equal(np.flatnonzero(source[1].object_mask.any(axis=0)), [*range(22), *range(30, 35)])
    assert source[1].object_mask.sum() == 200 + 25 + 25 - 6, "the union of the objects, 2 x 3 px of which overlap"
    assert source[1].parts == {}


def test_an_image_without_objects_is_left_out_or_kept(tmp_path):
    path = write(tmp_path, row(0, 1, box(2, 3, 20, 10)))
    assert [Coco(path).key(index) for index in range(len(Coco(path)))] == ["b"]
    assert Coco(path).notes() == ("1 of 2 images have no label and were left out.",)
    kept = Coco(path, empty="keep")
    assert [kept.labels_of(index) for index in range(2)] == [(), (0,)]
    assert kept[0].object_mask is None
    assert kept.notes() == ()
    assert kept.fingerprint != Coco(path).fingerprint


def test_crowds_are_labels_unless_they_are_to_be_ignored(tmp_path):
    path = write(tmp_path, row(0, 1, RUNS, iscrowd=1), row(0, 13, box(2, 2, 9, 9)), row(1, 1, RUNS, iscrowd=1))
    assert [Coco(path).labels_of(index) for index in range(2)] == [(0,), (0, 1)]
    assert [Coco(path).ignored_of(index) for index in range(2)] == [(), ()]
    ignoring = Coco(path, crowds="ignored", empty="keep")
    assert [ignoring.labels_of(index) for index in range(2)] == [(), (1,)]
    assert [ignoring.ignored_of(index) for index in range(2)] == [(0,), (0,)]
    assert ignoring[1].ignored == (0,)
    assert len(Coco(path, crowds="ignored")) == 1, "an image of crowds only has no label"


def test_a_category_with_one_object_beside_its_crowd_is_claimed(tmp_path):
    path = write(tmp_path, row(0, 1, RUNS, iscrowd=1), row(0, 1, box(2, 2, 9, 9)))
    assert Coco(path, crowds="ignored").labels_of(0) == (0,)
    assert Coco(path, crowds="ignored").ignored_of(0) == ()


@pytest.mark.parametrize("broken", [[], [[1, 2]], None, "polygon", {"counts": "abc", "size": [9, 8]}])
def test_an_object_counts_even_where_no_mask_can_be_made_of_it(tmp_path, broken):
    source = Coco(write(tmp_path, row(0, 13, broken)))
    assert source.labels_of(0) == (1,)
    assert source[0].object_mask is None
    assert source.notes()[0].startswith("1 annotated segments were skipped: 1 ")


def test_areas_are_those_stated_of_single_objects(tmp_path):
    path = write(
        tmp_path,
        row(0, 13, box(2, 2, 9, 9), area=80.5),
        row(0, 1, box(2, 2, 9, 9), area=1024),
        row(0, 13, box(9, 9, 9, 9), area=9216.5),
        row(0, 90, RUNS, iscrowd=1, area=300),
        row(0, 1, box(2, 2, 5, 5)),
        row(0, 1, box(2, 2, 5, 5), area="large"),
    )
    assert Coco(path).areas_of(0) == {0: (1024.0,), 1: (80.5, 9216.5)}
    with pytest.raises(IndexError):
        Coco(path).areas_of(1)


@pytest.mark.parametrize("pictures", ["train2014", "images/train2014"])
def test_the_published_layout_is_found_by_its_split(tmp_path, pictures):
    name = "COCO_train2014_000000000009.png"
    write(
        tmp_path,
        row(0, 1, box(2, 3, 9, 9)),
        images=(name,),
        file="annotations/instances_train2014.json",
        pictures=pictures,
    )
    whole = Coco(str(tmp_path))
    assert whole[0].labels == (0,), "the only annotation file is taken, and the folder of its split"
    write(
        tmp_path,
        row(0, 13, box(2, 3, 9, 9)),
        images=("7.png",),
        file="annotations/instances_val2017.json",
        pictures="val2017",
    )
    assert Coco(str(tmp_path), split="train2014").key(0) == "coco_train2014_000000000009"
    assert Coco(str(tmp_path), split="val2017").labels_of(0) == (1,)
    with pytest.raises(SourceError, match=r"has 2 JSON files \(annotations/instances_train2014.json"):
        len(Coco(str(tmp_path)))
    with pytest.raises(SourceError, match=r"no annotation file .*instances_val2014.json"):
        len(Coco(str(tmp_path), split="val2014"))


def test_a_photograph_of_another_size_is_reported(tmp_path):
    path = write(tmp_path, row(0, 1, box(2, 3, 9, 9)))
    Image.new("RGB", (30, 40)).save(tmp_path / "images" / "b.png")
    with pytest.raises(BrokenImageError, match=r"b.png: 30 x 40 px, but its annotations are for 40 x 30 px"):
        Coco(path)[0]


def test_damaged_run_lengths_are_reported_and_the_label_stays(tmp_path):
    source = Coco(write(tmp_path, row(0, 1, {"size": [30, 40], "counts": [7]})))
    assert source.labels_of(0) == (0,)
    with pytest.raises(BrokenImageError, match=r"b.png: run lengths do not fill 40 x 30 px"):
        source[0]


def test_files_without_use_are_refused(tmp_path):
    with pytest.raises(SourceError, match="which lists 2, has a label"):
        len(Coco(write(tmp_path / "a")))
    same = [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}]
    path = write(tmp_path / "b", row(0, 1, box(2, 3, 9, 9)), categories=same)
    with pytest.raises(SourceError, match="two of one name"):
        len(Coco(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"empty": "no"}, "empty drop or keep, found 'no'"),
        ({"crowds": "yes"}, "crowds label or ignored, found 'yes'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        Coco(**{"path": "somewhere", **options})


# pycocotools 2.0.11 still offers numpy the __array__ of numpy 1; the pixels are right
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_real_sample_agrees_with_pycocotools(real_data, capsys):
    from pycocotools.coco import COCO

    path = real_data / "coco_sample"
    source, oracle = Coco(str(path), empty="keep"), COCO(str(path / "instances.json"))
    capsys.readouterr()
    assert (len(source), len(source.classes), source.classes[11]) == (64, 80, "stop sign")
    assert len(Coco(str(path))) == 63
    ids = sorted(oracle.getImgIds())
    for index in range(0, 64, 9):
        rows = oracle.loadAnns(oracle.getAnnIds(imgIds=ids[index]))
        names = [oracle.loadCats(item["category_id"])[0]["name"] for item in rows]
        example = source[index]
        assert {source.classes[label] for label in example.labels} == set(names)
        areas = [(source.classes[label], area) for label, own in source.areas_of(index).items() for area in own]
        assert sorted(areas) == sorted(zip(names, (float(item["area"]) for item in rows), strict=True))
        union = np.any([oracle.annToMask(item) for item in rows], axis=0)
        assert np.array_equal(example.object_mask, union)
