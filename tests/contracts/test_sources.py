"""One table of every built-in source: each keeps the contract of the role, whatever its format.

A new source adds a line to ``SOURCES`` (and, where it reads from disk, to ``ADD_IMAGE``); a test proves that none is
missing.
"""

import json
import pickle
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.core.errors import SourceError
from occbench.core.interfaces import Source
from occbench.core.plugins import BUILT_IN, find_plugin
from occbench.core.types import KEY_PATTERN


def paint(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (value, 255 - value, 99)).save(path)


def image_folder(folder):
    for value, name in enumerate(["Zoë's cat/a b.png", "Zoë's cat/a-b.png", "apple/2024/1.jpg", "bee/1.webp"]):
        paint(folder / name, value)
    return {"path": str(folder)}


def ar_faces(folder):
    for value, name in enumerate(["m-001-01.bmp", "m-001-08.bmp", "W-002-1.png"]):
        paint(folder / name, value)
    return {"path": str(folder)}


def caltech101(folder):
    for value, name in enumerate(["Faces/image_0001.jpg", "ant/image_0001.jpg", "ant/image_0002.jpg"]):
        paint(folder / "101_ObjectCategories" / name, value)
    return {"path": str(folder)}


def cub200(folder):
    for value in (1, 2):
        paint(folder / "images" / "001.Wren" / f"Wren_{value}.jpg", value)
    write_cub200_tables(folder, 2)
    return {"path": str(folder)}


def write_cub200_tables(folder, count):
    numbers = range(1, count + 1)
    lines = {
        "classes": ["1 001.Wren", "2 002.Gull"],
        "images": [f"{number} 001.Wren/Wren_{number}.jpg" for number in numbers],
        "image_class_labels": [f"{number} 1" for number in numbers],
        "train_test_split": [f"{number} {number % 2}" for number in numbers],
        "bounding_boxes": [f"{number} 2.0 3.0 20.0 10.0" for number in numbers],
    }
    for name, text in lines.items():
        (folder / f"{name}.txt").write_text("\n".join(text) + "\n")


def add_to_cub200(folder):
    paint(folder / "images" / "001.Wren" / "Wren_3.jpg", 3)
    write_cub200_tables(folder, 3)


def coco(folder):
    return coco_parts(folder)


def coco_parts(folder):
    for value in range(2):
        paint(folder / "images" / f"{value}.png", value)
    write_coco(folder / "annotations.json", [f"{value}.png" for value in range(2)])
    return {"path": str(folder)}


def coco_objects(folder):
    return {**coco_parts(folder), "min_side_px": 5}


def pascal3d(folder):
    for value, name in enumerate(("bus", "car")):
        paint(folder / f"{name}LEVELZERO" / "n1_1.JPEG", value)
        paint(folder / f"{name}LEVELNINE_white" / "n1_1_0.JPEG", value)
        (folder / f"{name}_imagenet_occ.txt").write_text("n1_1_0\n")
    return {"path": str(folder)}


def add_to_pascal3d(folder):
    paint(folder / "carLEVELZERO" / "n1_2.JPEG", 7)
    (folder / "car_imagenet_occ.txt").write_text("n1_1_0\nn1_2_0\n")


def part_imagenet(folder):
    for value, (split, synset) in enumerate([("train", "n01440764"), ("val", "n02119789"), ("test", "n04146614")]):
        paint(folder / split / synset / f"{synset}_1.JPEG", value)
        write_coco(folder / f"{split}.json", [f"{synset}_1.JPEG"])
    return {"path": str(folder)}


def write_coco(file, names):
    """Every image, of 40 x 30 px, has two parts; one segment is broken."""
    rectangles = ([2, 2, 12, 2, 12, 9, 2, 9], [20, 5, 35, 5, 35, 25, 20, 25])
    content = {
        "images": [{"id": number, "file_name": name, "width": 40, "height": 30} for number, name in enumerate(names)],
        "categories": [{"id": number, "name": f"Fish {part}"} for number, part in enumerate(("Head", "Tail"))],
        "annotations": [
            {"image_id": number, "category_id": part, "segmentation": [rectangles[part], [1, 2]]}
            for number in range(len(names))
            for part in range(2)
        ],
    }
    file.write_text(json.dumps(content))


def add_to_coco_parts(folder):
    paint(folder / "images" / "2.png", 7)
    write_coco(folder / "annotations.json", [f"{value}.png" for value in range(3)])


def add_to_part_imagenet(folder):
    paint(folder / "val" / "n02119789" / "n02119789_2.JPEG", 7)
    write_coco(folder / "val.json", ["n02119789_1.JPEG", "n02119789_2.JPEG"])


def oxford102(folder):
    from scipy.io import savemat

    for value in (1, 3):
        paint(folder / "jpg" / f"image_{value:05d}.jpg", value)
    savemat(folder / "imagelabels.mat", {"labels": np.array([[77, 5, 102]], dtype=np.uint8)})
    return {"path": str(folder)}


def imagenet(folder):
    for value, name in enumerate(["n02119789/n02119789_1.JPEG", "n01440764/n01440764_7.JPEG"]):
        paint(folder / name, value)
    return {"path": str(folder)}


def hub(folder):
    import datasets

    rows = {
        "image": [np.full((8, 9, 3), value, dtype=np.uint8) for value in range(3)],
        "label": [0, 1, 1],
    }
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    folder.mkdir(exist_ok=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "train-00000.parquet")
    return {"path": str(folder)}


def toyparts(folder):
    return {"images_per_class": 1, "size_px": 32}


def toyparts_scenes(folder):
    return {"images": 4, "size_px": 32}


def voc(folder):
    write_voc(folder, ["000005", "000012"])
    return {"path": str(folder)}


def write_voc(folder, names):
    """Every image has a car and, if difficult, a person."""
    for value, name in enumerate(names):
        paint(folder / "VOC2007" / "JPEGImages" / f"{name}.jpg", value)
    lists, annotations = folder / "VOC2007" / "ImageSets" / "Main", folder / "VOC2007" / "Annotations"
    for part in (lists, annotations):
        part.mkdir(parents=True, exist_ok=True)
    (lists / "trainval.txt").write_text("".join(f"{name}\n" for name in names))
    objects = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>3</xmin><ymin>4</ymin>"
        "<xmax>20</xmax><ymax>9</ymax></bndbox></object>"
        for name, difficult in (("car", 0), ("person", 1))
    )
    for name in names:
        (annotations / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")


def wider_attribute(folder):
    write_wider(folder, ["0.jpg", "1.jpg"])
    return {"path": str(folder)}


def write_wider(folder, names, listed=()):
    """Two persons in every photograph; some are listed only."""
    for value, name in enumerate(names):
        paint(folder / "Image" / "train" / name, value)
    persons = [
        {"bbox": [3.0, 2.5, 9.5, 20.0], "attribute": [1, -1, 0] * 4 + [1, 1]},
        {"bbox": [20.0, 5.0, 30.0, 40.0], "attribute": [-1] * 14},
    ]
    files = [*(f"train/{name}" for name in names), *listed]
    content = {"images": [{"file_name": name, "targets": persons} for name in files]}
    (folder / "wider_attribute_annotation").mkdir(exist_ok=True)
    (folder / "wider_attribute_annotation" / "wider_attribute_trainval.json").write_text(json.dumps(content))


#: name -> makes a tiny instance's files in a folder that does not exist yet, and returns its options.
SOURCES = {
    "ar_faces": ar_faces,
    "caltech101": caltech101,
    "coco": coco,
    "coco_objects": coco_objects,
    "coco_parts": coco_parts,
    "cub200": cub200,
    "hub": hub,
    "image_folder": image_folder,
    "imagenet": imagenet,
    "oxford102": oxford102,
    "part_imagenet": part_imagenet,
    "pascal3d": pascal3d,
    "toyparts": toyparts,
    "toyparts_scenes": toyparts_scenes,
    "voc": voc,
    "wider_attribute": wider_attribute,
}
#: name -> adds one image on disk; sources that read nothing from disk are not here.
ADD_IMAGE = {
    "ar_faces": lambda folder: paint(folder / "m-001-09.bmp", 7),
    "caltech101": lambda folder: paint(folder / "101_ObjectCategories" / "ant" / "image_0003.jpg", 7),
    "coco": add_to_coco_parts,
    "coco_objects": add_to_coco_parts,
    "coco_parts": add_to_coco_parts,
    "cub200": add_to_cub200,
    "hub": lambda folder: (folder / "train-00001.parquet").write_bytes((folder / "train-00000.parquet").read_bytes()),
    "image_folder": lambda folder: paint(folder / "bee" / "2.png", 7),
    "imagenet": lambda folder: paint(folder / "n01440764" / "n01440764_8.JPEG", 7),
    "oxford102": lambda folder: paint(folder / "jpg" / "image_00002.jpg", 7),
    "part_imagenet": add_to_part_imagenet,
    "pascal3d": add_to_pascal3d,
    "voc": lambda folder: write_voc(folder, ["000005", "000012", "000019"]),
    "wider_attribute": lambda folder: write_wider(folder, ["0.jpg", "1.jpg", "2.jpg"]),
}
#: name -> lists one image more, whose name ends in what is given, without a file; sources that go by a list are here.
LIST_IMAGE = {
    **dict.fromkeys(
        ("coco", "coco_objects", "coco_parts"),
        lambda folder, ending: write_coco(folder / "annotations.json", ["0.png", f"a{ending}"]),
    ),
    "cub200": lambda folder, ending: (folder / "images.txt").write_text(f"1 001.Wren/Wren_1.jpg\n2 a{ending}\n"),
    "part_imagenet": lambda folder, ending: write_coco(
        folder / "val.json", ["n02119789_1.JPEG", f"n02119789_2{ending}"]
    ),
    "pascal3d": lambda folder, ending: (folder / "car_imagenet_occ.txt").write_text(f"n1_1_0\na{ending}_0\n"),
    "wider_attribute": lambda folder, ending: write_wider(folder, ["0.jpg"], [f"train/a{ending}"]),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep what load_dataset prepares out of the user's cache."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(params=sorted(SOURCES))
def made(request, tmp_path):
    """A source's name, class, options and folder."""
    folder = tmp_path / "images"
    options = SOURCES[request.param](folder)
    return request.param, find_plugin("sources", request.param, Source), options, folder


def test_the_table_is_complete():
    assert set(SOURCES) == set(BUILT_IN["sources"])
    assert set(ADD_IMAGE) <= set(SOURCES)


def test_path_is_the_first_field(made):
    _, cls, _, _ = made
    assert fields(cls)[0].name == "path"


def test_keys_are_unique_and_well_formed(made):
    _, cls, options, _ = made
    source = cls(**options)
    keys = [source.key(index) for index in range(len(source))]
    assert keys
    assert len(set(keys)) == len(keys)
    assert all(KEY_PATTERN.fullmatch(key) for key in keys)


def test_examples_keep_their_shape_and_key(made):
    _, cls, options, _ = made
    source = cls(**options)
    for index in range(len(source)):
        example = source[index]
        assert example.key == source.key(index)
        assert example.labels == source.labels_of(index)
        assert example.image.dtype == np.uint8
        assert example.image.ndim == 3
        assert example.image.shape[2] == 3
        assert example.image.flags.c_contiguous
        assert all(0 <= label < len(source.classes) for label in example.labels)
        assert source.multi_label or len(example.labels) == 1
        assert example.ignored == source.ignored_of(index)
        assert source.multi_label or not example.ignored
        assert all(0 <= label < len(source.classes) for label in example.ignored)
        assert not set(example.ignored) & set(example.labels)
        assert set(source.areas_of(index)) <= set(example.labels)
        assert all(area > 0 for areas in source.areas_of(index).values() for area in areas)
        masks = [*example.parts.values(), *([] if example.object_mask is None else [example.object_mask])]
        assert all(mask.dtype == np.bool_ and mask.shape == example.image.shape[:2] for mask in masks)


def test_classes_are_distinct_names_and_every_image_decodes_the_same_twice(made):
    _, cls, options, _ = made
    source = cls(**options)
    assert len(set(source.classes)) == len(source.classes)
    assert all(isinstance(name, str) and name for name in source.classes)
    np.testing.assert_array_equal(source[0].image, cls(**options)[0].image)


@pytest.mark.parametrize("name", LIST_IMAGE)
def test_a_listed_name_that_no_file_can_have_is_one_clear_line(tmp_path, name):
    is_json = name not in ("cub200", "pascal3d")  # which can say half of a surrogate pair
    options = SOURCES[name](tmp_path)
    LIST_IMAGE[name](tmp_path, "\ud800.jpg" if is_json else "\0.jpg")
    check_refusal(name, options)
    LIST_IMAGE[name](tmp_path, "\0.jpg")
    check_refusal(name, options)


def check_refusal(name, options):
    with pytest.raises(SourceError, match=r"has a name that no file can have \(.*\)\.") as caught:
        len(find_plugin("sources", name, Source)(**options))
    assert "\n" not in str(caught.value)


def test_notes_are_sentences(made):
    _, cls, options, _ = made
    notes = cls(**options).notes()
    assert isinstance(notes, tuple)
    assert all(note.endswith(".") and "\n" not in note for note in notes)


def test_terms_are_words(made):
    _, cls, options, _ = made
    assert isinstance(cls(**options).terms, str)
    assert cls(**options).terms


def test_the_fingerprint_is_stable_and_sees_another_image(made):
    name, cls, options, folder = made
    before = cls(**options).fingerprint
    assert before == cls(**options).fingerprint
    if name in ADD_IMAGE:
        length = len(cls(**options))
        ADD_IMAGE[name](folder)
        assert len(cls(**options)) > length
        assert cls(**options).fingerprint != before


def test_an_index_before_the_start_or_past_the_end_is_an_index_error(made):
    _, cls, options, _ = made
    source = cls(**options)
    for use in (source.__getitem__, source.key, source.labels_of):
        for index in (-1, len(source)):
            with pytest.raises(IndexError):
                use(index)
    assert len([example.key for example in source]) == len(source)


@pytest.mark.parametrize("is_used", [False, True])
def test_a_source_travels_to_a_worker(made, is_used):
    _, cls, options, _ = made
    source = cls(**options)
    if is_used:
        assert source[0].key
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert (len(copy), copy.fingerprint, tuple(copy.classes)) == (
        len(source),
        source.fingerprint,
        tuple(source.classes),
    )
    np.testing.assert_array_equal(copy[0].image, source[0].image)
