"""PartImageNet on made trees of both releases: merged splits, bad segments, class names, images held out."""

import json

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import BrokenImageError, ConfigError, SourceError
from occbench.sources.imagenet import ImageNet
from occbench.sources.part_imagenet import PartImageNet

FISH, FOX, CAR, CRANE_BIRD, CRANE = "n01440764", "n02119789", "n04146614", "n02012849", "n03126707"
CATEGORIES = [
    {"id": number, "name": f"{kind} {part}", "supercategory": kind}
    for number, (kind, part) in enumerate(
        [("Fish", "Head"), ("Fish", "Tail"), ("Quadruped", "Foot"), ("Car", "Tier"), ("Car", "Body")]
    )
]
FIRST_PART = {FISH: 0, FOX: 2, CAR: 3, CRANE_BIRD: 3, CRANE: 3}
#: Classes of a split: disjoint in one release, shared in the other.
OOD = {"train": [FISH, CRANE], "val": [FOX, CRANE_BIRD], "test": [CAR]}
SEG = {split: [FISH, FOX, CAR] for split in OOD}
WORDS = (
    f"{FISH} tench, Tinca tinca\n{FOX} kit fox, Vulpes macrotis\n{CAR} school bus\n{CRANE_BIRD} crane\n{CRANE} crane\n"
)


def rectangle(x, y, width, height):
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def coco(names, bad=False):
    """Every image, of 40 x 30 px, has the parts of its class: the first in two regions, the second in one."""
    annotations = []
    for number, name in enumerate(names):
        first = FIRST_PART[name[:9]]
        rows = [
            (first, [rectangle(2, 2, 6, 5)]),
            (first, [rectangle(20, 2, 6, 5)]),
            ((first + 1) % len(CATEGORIES), [rectangle(5, 15, 20, 10)]),
        ]
        if bad:  # as they are in the released files: a stray point, a line, both beside good polygons or alone
            rows[0][1].append([256, 256])
            rows[2][1][:] = [[3.5, 4.5, 10.0, 4.5]]
        annotations += [
            {
                "id": len(annotations) + place,
                "image_id": number,
                "category_id": category,
                "segmentation": segmentation,
                "area": 30,
                "bbox": [2, 2, 6, 5],
                "iscrowd": 0,
            }
            for place, (category, segmentation) in enumerate(rows)
        ]
    return {
        "images": [{"id": number, "file_name": name, "width": 40, "height": 30} for number, name in enumerate(names)],
        "annotations": annotations,
        "categories": CATEGORIES,
    }


def paint(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (value % 256, 99, 12)).save(path, "JPEG")


def make_ood(root, images=2, bad=""):
    """``train.json`` and ``train/<synset>/<image>``, and so on."""
    for split, synsets in OOD.items():
        names = [f"{synset}_{number}.JPEG" for synset in synsets for number in range(images)]
        for value, name in enumerate(names):
            paint(root / split / name[:9] / name, value)
        (root / f"{split}.json").write_text(json.dumps(coco(names, bad == split)))
    return root


def make_seg(root, images=2, bad=""):
    """``annotations/train/train.json`` beside a mask a photograph, and ``images/train/<image>``, and so on."""
    for place, (split, synsets) in enumerate(SEG.items()):
        names = [f"{synset}_{place * images + number}.JPEG" for synset in synsets for number in range(images)]
        for value, name in enumerate(names):
            paint(root / "images" / split / name, value)
            mask = root / "annotations" / split / f"{name.removesuffix('.JPEG')}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (40, 30)).save(mask)
            mask.with_suffix(".json").write_text('{"imgHeight": 30, "imgWidth": 40}')
        (root / "annotations" / split / f"{split}.json").write_text(json.dumps(coco(names, bad == split)))
        whole = root / "annotations" / f"{split}_whole"
        whole.mkdir(exist_ok=True)
        (whole / f"{split}.json").write_text(json.dumps(coco(names)))
    return root


@pytest.fixture(params=[make_ood, make_seg], ids=["OOD", "Seg"])
def make(request):
    return request.param


def test_splits_are_merged_and_classes_are_the_sorted_synsets(tmp_path):
    ood = PartImageNet(str(make_ood(tmp_path / "PartImageNet_OOD")))
    assert ood.classes == tuple(sorted([FISH, FOX, CAR, CRANE_BIRD, CRANE]))
    assert len(ood) == 10
    seg = PartImageNet(str(make_seg(tmp_path / "PartImageNet_Seg")))
    assert seg.classes == (FISH, FOX, CAR)
    assert len(seg) == 18
    for source in (ood, seg):
        keys = [source.key(index) for index in range(len(source))]
        assert keys == sorted(keys)
        assert [source.classes[source.labels_of(index)[0]] for index in range(len(source))] == [key[:9] for key in keys]
        assert source.notes() == ()


def test_parts_are_categories_or_their_regions(tmp_path, make):
    path = str(make(tmp_path))
    example = PartImageNet(path)[0]
    assert {name: int(mask.sum()) for name, mask in example.parts.items()} == {"Fish Head": 60, "Fish Tail": 200}
    assert int(example.object_mask.sum()) == 260
    assert example.box == (2, 2, 26, 25)
    apart = PartImageNet(path, part_unit="instance")[0].parts
    assert sorted(apart) == ["Fish Head-1", "Fish Head-2", "Fish Tail-1"]


def test_bad_segments_are_skipped_reported_and_counted(tmp_path, make):
    source = PartImageNet(str(make(tmp_path, bad="val")))
    count = sum(len(source[index].parts) == 1 for index in range(len(source)))
    assert count == {"make_ood": 4, "make_seg": 6}[make.__name__], "images whose second part has no good polygon"
    assert source.notes() == (f"{2 * count} annotated segments were skipped: {2 * count} of fewer than three points.",)
    assert all(source[index].object_mask.any() for index in range(len(source)))


def test_an_image_left_without_parts_stays_and_is_noted(tmp_path):
    root = make_ood(tmp_path)
    content = json.loads((root / "test.json").read_text())
    content["annotations"] = [{**content["annotations"][0], "segmentation": [[256, 256]]}, *content["annotations"][3:]]
    (root / "test.json").write_text(json.dumps(content))
    source = PartImageNet(str(root))
    assert source[8].parts == {}
    assert source.labels_of(8) == (4,)
    assert source.notes()[1] == f"1 of 10 images have no usable part, e.g. test/{CAR}/{CAR}_0.JPEG."


def test_some_splits_can_be_left_out(tmp_path):
    make_ood(tmp_path)
    assert PartImageNet(str(tmp_path), splits=["train"]).classes == (FISH, CRANE)
    (tmp_path / "test.json").unlink()
    assert len(PartImageNet(str(tmp_path), splits=("train", "val"))) == 8
    with pytest.raises(SourceError, match=r"has no test\.json. Unpack the whole release, or leave test out of splits"):
        len(PartImageNet(str(tmp_path)))


def test_an_image_listed_twice_is_taken_once_and_noted(tmp_path):
    make_ood(tmp_path)
    (tmp_path / "val.json").write_text((tmp_path / "train.json").read_text())
    (tmp_path / "val").rename(tmp_path / "old")
    (tmp_path / "train").rename(tmp_path / "images")
    source = PartImageNet(str(tmp_path), splits=("train", "val"))
    assert len(source) == 4
    assert source.notes() == ("4 images are listed in two splits and taken once.",)


def test_the_release_is_found_and_two_are_told_apart(tmp_path):
    make_ood(tmp_path / "PartImageNet_OOD" / "PartImageNet_OOD")
    assert len(PartImageNet(str(tmp_path))) == 10
    assert len(PartImageNet(str(tmp_path / "PartImageNet_OOD"))) == 10
    make_seg(tmp_path / "PartImageNet_Seg" / "PartImageNet")
    assert len(PartImageNet(str(tmp_path / "PartImageNet_Seg"))) == 18
    with pytest.raises(SourceError, match="Give the folder of one of them"):
        len(PartImageNet(str(tmp_path)))


def test_images_may_lie_in_imagenets_own_folder(tmp_path):
    release = make_ood(tmp_path / "PartImageNet_OOD")
    imagenet = tmp_path / "ILSVRC" / "train"
    imagenet.mkdir(parents=True)
    for split in OOD:
        for folder in (release / split).iterdir():
            folder.rename(imagenet / folder.name)
    with pytest.raises(SourceError, match=r"none of the 4 images of .*train\.json is in .* Unpack train\.zip there"):
        len(PartImageNet(str(release)))
    source = PartImageNet(str(release), images=str(imagenet))
    assert source[9].image.shape == (30, 40, 3)
    assert source.key(9) == f"{CAR}_1"


@pytest.mark.parametrize("separator", ["\\", "/"])
def test_file_names_with_folders_mean_the_same(tmp_path, separator):
    make_ood(tmp_path)
    content = json.loads((tmp_path / "train.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"train{separator}{image['file_name'][:9]}{separator}{image['file_name']}"
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert PartImageNet(str(tmp_path))[0].parts


def test_names_come_from_a_file_and_agree_with_imagenets(tmp_path):
    make_ood(tmp_path / "parts")
    (tmp_path / "words.txt").write_text(WORDS)
    for synset in (FISH, FOX, CAR, CRANE_BIRD, CRANE, "n09999999"):
        paint(tmp_path / "val" / synset / "ILSVRC2012_val_1.JPEG", 5)
    words = str(tmp_path / "words.txt")
    parts = PartImageNet(str(tmp_path / "parts"), classes_file=words)
    assert parts.classes == ("tench", f"crane ({CRANE_BIRD})", "kit fox", f"crane ({CRANE})", "school bus")
    test = ImageNet(str(tmp_path / "val"), classes_file=words, only_from=str(tmp_path / "parts"), names="first")
    assert test.classes == parts.classes
    assert len(test) == 5
    whole = PartImageNet(str(tmp_path / "parts"), classes_file=words, names="all")
    assert whole.classes[0] == "tench, Tinca tinca"
    assert ImageNet(test.path, classes_file=words, only_from=test.only_from).classes == whole.classes
    assert ImageNet(test.path, only_from=test.only_from).classes == PartImageNet(parts.path).classes


def test_five_percent_of_every_class_are_held_out(tmp_path):
    path = str(make_ood(tmp_path, images=40))
    whole, train, held_out = (PartImageNet(path, use=use) for use in ("all", "train", "selection"))
    keys = [{source.key(index) for index in range(len(source))} for source in (whole, train, held_out)]
    assert keys[1] | keys[2] == keys[0]
    assert not keys[1] & keys[2]
    assert train.classes == held_out.classes == whole.classes
    labels = [held_out.labels_of(index)[0] for index in range(len(held_out))]
    assert [labels.count(label) for label in range(5)] == [2] * 5
    assert held_out[3].key == held_out.key(3)
    assert np.array_equal(held_out[0].image, whole[[*sorted(keys[0])].index(held_out.key(0))].image)
    other = PartImageNet(path, use="selection", selection_seed=1)
    assert {other.key(index) for index in range(len(other))} != keys[2]
    assert len(PartImageNet(path, use="selection", selection_share=0.25)) == 50


def test_a_missing_image_is_broken_not_skipped(tmp_path, make):
    root = make(tmp_path)
    next(root.rglob(f"{FISH}_0.JPEG")).unlink()
    source = PartImageNet(str(root))
    assert source.key(0) == f"{FISH}_0"
    with pytest.raises(BrokenImageError, match="no such file"):
        source[0]


def test_opening_decodes_no_image(tmp_path, make):
    root = make(tmp_path)
    before = PartImageNet(str(root)).fingerprint
    for file in root.rglob("*.JPEG"):
        file.write_bytes(b"")
    source = PartImageNet(str(root))
    assert source.labels_of(len(source) - 1)
    assert source.fingerprint != before


def test_other_data_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"there is no folder .*gone"):
        len(PartImageNet(str(tmp_path / "gone")))
    with pytest.raises(SourceError, match=r"holds no train\.json, val\.json or test\.json of PartImageNet"):
        len(PartImageNet(str(tmp_path)))
    make_ood(tmp_path)
    (tmp_path / "val.json").write_text(json.dumps({**coco([]), "images": []}))
    with pytest.raises(SourceError, match=r"val\.json lists no images"):
        len(PartImageNet(str(tmp_path)))
    content = coco([f"{FOX}_0.JPEG"])
    content["images"][0]["file_name"] = "fox.jpg"
    paint(tmp_path / "val" / "fox.jpg", 0)
    (tmp_path / "val.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"lists 'fox\.jpg', which does not start with a synset"):
        len(PartImageNet(str(tmp_path)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": ""}, "needs path"),
        ({"path": "x", "splits": ()}, "splits are some of train, val, test"),
        ({"path": "x", "splits": ("train", "train")}, "splits must differ"),
        ({"path": "x", "selection_share": 5}, "selection_share is a share in"),
    ],
)
def test_options_are_checked_without_the_disk(options, message):
    with pytest.raises(ConfigError, match=message):
        PartImageNet(**options)
