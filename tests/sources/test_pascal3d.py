"""The releases of occluded PASCAL3D+ and COCO vehicles, on made trees of the same layout."""

import numpy as np
import pytest
from PIL import Image

from occbench.core.build import build_plugin
from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.core.interfaces import Source
from occbench.core.prepare import Prepare, read_prepared
from occbench.occlusions.levels import Levels
from occbench.sources.pascal3d import Pascal3D
from occbench.sources.pascal3d_layouts import CLASSES, TYPES

VEHICLES = ("aeroplane", "bicycle", "bus", "car", "motorbike", "train")
LEVELS = ("ZERO", "ONE", "FIVE", "NINE")


def paint(path, value, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 255 - value, 99)).save(path)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """All three releases in one folder, two images a class."""
    root = tmp_path_factory.mktemp("released")
    occluded, coco = root / "pascal3d+_occ", root / "coco_occ"
    for place, name in enumerate(CLASSES):
        files = [f"n{place:04d}_{number}" for number in (1, 2)]
        for value, file in enumerate(files):
            paint(occluded / "TRAINING_DATA" / f"{name}_imagenet" / f"{file}.JPEG", 10 * value)
        (occluded / f"{name}_imagenet_train.txt").write_text("\n".join(files))
        write_detection(root, name, files)
    for name in VEHICLES:
        listed = [f"m{number}_0" for number in (1, 2)]
        (occluded / f"{name}_imagenet_occ.txt").write_text("\n".join(listed) + "\n")
        for value, file in enumerate(listed):
            paint(occluded / f"{name}LEVELZERO" / f"{file[:-2]}.JPEG", 20 * value)
            for level in LEVELS[1:]:
                for shade, suffix in enumerate(TYPES.values()):
                    paint(occluded / f"{name}LEVEL{level}{suffix}" / f"{file}.JPEG", 100 + 30 * shade + value)
        write_coco(coco, name)
    return root


def write_coco(coco, name):
    for level, lists in (("ZERO", ("_train", "_test")), ("ONE", ("",)), ("FIVE", ("",)), ("NINE", ("",))):
        for part in lists:
            listed = [f"17{len(level)}{len(part)}_{number}_val2017" for number in (0, 1)]
            (coco / f"{name}_{level}{part}.txt").parent.mkdir(parents=True, exist_ok=True)
            (coco / f"{name}_{level}{part}.txt").write_text("\r\n".join(listed))
            for file in listed:
                paint(coco / f"{name}_{'zero' if level == 'ZERO' else 'occ'}" / f"{file}.jpg", 50)


def write_detection(root, name, files):
    folder = f"{name}FGL1_BGL3"
    (root / "lists").mkdir(exist_ok=True)
    (root / "lists" / f"{folder}.txt").write_text("".join(f"{file}.JPEG\n" for file in files))
    for file in files:
        paint(root / "images" / folder / f"{file}.JPEG", 70)
    grey = np.zeros((30, 40), dtype=np.uint8)
    grey[5:20, 10:30], grey[5:6, 10:30] = 255, 10
    (root / "annotations" / folder).mkdir(parents=True, exist_ok=True)
    np.savez(
        root / "annotations" / folder / f"{files[0]}.npz",
        source=f"../Images/{name}_imagenet/{files[0]}.JPEG", mask=grey, box=np.array([5, 20, 10, 30, 30, 40]),
        occluder_mask=grey > 0, occluder_box=np.array([[0, 5, 0, 5, 30, 40]]), category=name, occluder_level="F",
    )  # fmt: skip


def test_training_images_are_of_all_twelve_classes(released):
    source = Pascal3D(str(released), split="train")
    assert source.classes == CLASSES
    assert len(source) == 24
    assert source.key(0) == "aeroplane-n0000_1"
    assert [source.labels_of(index)[0] for index in range(24)] == [label for label in range(12) for _ in range(2)]
    assert source[0].photographs == {}
    assert source.notes() == ()


def test_test_images_are_six_vehicles_with_the_labels_of_twelve(released):
    source = Pascal3D(str(released))
    assert source.classes == CLASSES
    assert len(source) == 12
    assert {CLASSES[source.labels_of(index)[0]] for index in range(12)} == set(VEHICLES)
    assert source.notes() == ("There is no list of boat, bottle, chair, diningtable, sofa, tvmonitor.",)
    assert int(source[1].image[0, 0, 0]) == pytest.approx(20, abs=8), "the clean file lacks the object's number"


@pytest.mark.parametrize("level", LEVELS[1:])
@pytest.mark.parametrize(("occluder", "value"), [("white", 100), ("noise", 130), ("texture", 160), ("object", 190)])
def test_every_level_and_type_is_its_own_folder_with_the_same_keys(released, level, occluder, value):
    source = Pascal3D(str(released), level=level.lower(), occluder=occluder)
    clean = Pascal3D(str(released))
    assert [source.key(index) for index in range(12)] == [clean.key(index) for index in range(12)]
    assert int(source[0].image[0, 0, 0]) == pytest.approx(value, abs=8)


def test_clean_test_images_carry_their_occluded_versions_under_the_names_of_levels(released):
    example = Pascal3D(str(released))[0]
    assert list(example.photographs) != []
    assert set(example.photographs) == {condition.name for condition in Levels().conditions}
    assert int(example.photographs["l3-noise"]()[0, 0, 0]) == pytest.approx(130, abs=8)
    prepared = read_prepared(Pascal3D(str(released)), 0, Prepare(size_px=16))
    assert prepared.photographs["l1-object"]().shape == (16, 16, 3)


def test_the_family_photographed_makes_the_thirteen_conditions(released):
    names = {condition.name: condition.group for condition in Levels().conditions}
    family = build_plugin("photographed", "occlusions", object, {"photographs": names})
    example = read_prepared(Pascal3D(str(released)), 0, Prepare(size_px=16))
    assert len(family.conditions) == 12
    for condition in family.conditions:
        overlay = family.overlay(example, condition, 0)
        assert np.array_equal(overlay.rgba[..., :3], example.photographs[condition.name]())


def test_a_version_that_is_missing_is_no_photograph_and_changes_the_fingerprint(released, tmp_path):
    paint(tmp_path / "busLEVELZERO" / "m1.JPEG", 5)
    (tmp_path / "bus_imagenet_occ.txt").write_text("m1_0\n")
    before = Pascal3D(str(tmp_path)).fingerprint
    paint(tmp_path / "busLEVELONE_white" / "m1_0.JPEG", 5)
    source = Pascal3D(str(tmp_path))
    assert list(source[0].photographs) == ["l1-white"]
    assert source.fingerprint != before


@pytest.mark.parametrize(("split", "level"), [("train", "zero"), ("test", "zero"), ("test", "one"), ("test", "nine")])
def test_coco_vehicles_are_other_photographs_at_every_level(released, split, level):
    source = Pascal3D(str(released), data="coco", split=split, level=level)
    assert len(source) == 12
    assert source.classes == CLASSES
    assert source[0].photographs == {}
    part = f"_{split}" if level == "zero" else ""
    assert source.key(0) == f"aeroplane-17{len(level)}{len(part)}_0_val2017"


def test_detection_has_masks_and_boxes_where_they_are_annotated(released):
    source = Pascal3D(str(released), data="detection", level="fgl1bgl3")
    assert len(source) == 24
    annotated, bare = source[0], source[1]
    assert annotated.box == (10, 5, 30, 20)
    assert int(annotated.object_mask.sum()) == 14 * 20, "10 of 255 and less is not the object"
    assert bare.box is None
    assert bare.object_mask is None
    cropped = read_prepared(source, 0, Prepare(rule="bbox", size_px=16))
    assert cropped.object_mask.mean() > 0.9
    assert cropped.class_names == ("aeroplane",)


@pytest.mark.parametrize("broken", ["bytes", "pickle", "size"])
def test_a_broken_annotation_is_named_and_never_unpickled(tmp_path, broken):
    paint(tmp_path / "images" / "busFGL1_BGL1" / "a.JPEG", 5)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "busFGL1_BGL1.txt").write_text("a.JPEG\n")
    file = tmp_path / "annotations" / "busFGL1_BGL1" / "a.npz"
    file.parent.mkdir(parents=True)
    mask = {"pickle": np.array([{}], dtype=object)}.get(broken, np.ones((4, 4), dtype=np.uint8))
    np.savez(file, mask=mask, box=np.array([0, 4, 0, 4, 30, 40]))
    if broken == "bytes":
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BrokenImageError, match=r"annotations/busFGL1_BGL1/a\.npz"):
        Pascal3D(str(tmp_path), data="detection", level="FGL1_BGL1")[0]


def test_the_folder_may_be_the_release_itself(released):
    assert len(Pascal3D(str(released / "pascal3d+_occ"))) == 12
    assert len(Pascal3D(str(released / "coco_occ"), data="coco")) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"split": "validation"}, "split"),
        ({"level": "two"}, "has the levels zero, one, five, nine, found 'two'"),
        ({"occluder": "mosaic"}, "occluder"),
        ({"occluder": "white"}, "classification at level zero has no occluder white"),
        ({"data": "coco", "level": "one", "occluder": "white"}, "coco at level one has no occluder white"),
        ({"split": "train", "level": "one"}, "no images to train on at level one"),
        ({"data": "coco", "split": "train", "level": "nine"}, "no images to train on"),
        ({"data": "detection"}, "FGL1_BGL1 to FGL3_BGL3, found test and 'zero'"),
        ({"data": "detection", "level": "FGL4_BGL1"}, "FGL1_BGL1 to FGL3_BGL3"),
        ({"data": "detection", "level": "FGL1_BGL1", "split": "train"}, "found train"),
        ({"data": "faces"}, "data"),
    ],
    ids=str,
)
def test_what_was_not_released_is_one_clear_line(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_plugin("pascal3d", "sources", Source, {"path": "somewhere", **options})
    assert "\n" not in str(caught.value)


def test_a_folder_without_lists_and_a_list_with_a_name_twice_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"there is no list of images, .*aeroplane_imagenet_occ\.txt to tvmonitor"):
        len(Pascal3D(str(tmp_path)))
    (tmp_path / "bus_imagenet_occ.txt").write_text("m1_0\nm1_0\n")
    with pytest.raises(SourceError, match=r"bus_imagenet_occ\.txt lists m1_0 more than once"):
        len(Pascal3D(str(tmp_path)))
    (tmp_path / "bus_imagenet_occ.txt").write_text("m1_0\n")
    with pytest.raises(BrokenImageError, match=r"busLEVELZERO/m1\.JPEG: no such file"):
        Pascal3D(str(tmp_path))[0]
