"""Photographs for every recipe and benchmark: real ones where they are, else drawn ones laid out as their release."""
# ruff: noqa: TID252 - tests are no installed package, and have no absolute name

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from occbench.sources.toyparts import ToyParts

from ..bench.test_ar_faces_benchmark import faces
from ..bench.test_dfeat import data as partimagenet
from ..bench.test_ilsvrc import ilsvrc
from ..bench.test_learn_benchmarks import caltech, coco, drawn
from ..bench.test_learn_benchmarks import data as pascal3d
from ..conftest import SHARED
from ..docs.test_reproduce_msl import places as msl

__all__ = [
    "caltech",
    "coco",
    "drawn",
    "faces",
    "ilsvrc",
    "msl",
    "partimagenet",
    "pascal3d",
]  # fixtures, as others have them

#: Photographs of a class.
_EACH = 6


@pytest.fixture(scope="session")
def birds(tmp_path_factory):
    """CUB-200-2011 with twelve species, half of each in the official test set."""
    root = tmp_path_factory.mktemp("cub")
    source = ToyParts(images_per_class=_EACH, size_px=48)
    names = [f"{label + 1:03d}.{name}" for label, name in enumerate(source.classes)]
    numbers = range(len(source))
    files = [f"{names[source.labels_of(index)[0]]}/bird_{index}.jpg" for index in numbers]
    for index, file in enumerate(files):
        (root / "images" / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source[index].image).save(root / "images" / file, quality=95)
    tables = {
        "classes": [f"{label + 1} {name}" for label, name in enumerate(names)],
        "images": [f"{index + 1} {file}" for index, file in enumerate(files)],
        "image_class_labels": [f"{index + 1} {source.labels_of(index)[0] + 1}" for index in numbers],
        "train_test_split": [f"{index + 1} {int(index % (2 * len(names)) < len(names))}" for index in numbers],
        "bounding_boxes": [f"{index + 1} 4.0 3.0 38.0 40.0" for index in numbers],
    }
    for name, lines in tables.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def flowers(tmp_path_factory):
    """Oxford 102 flowers, six photographs of each class."""
    root = tmp_path_factory.mktemp("flowers")
    (root / "jpg").mkdir()
    source = ToyParts(images_per_class=_EACH * 9, size_px=48)  # 12 drawn classes stand for 102
    labels = np.arange(102 * _EACH) % 102
    for index, label in enumerate(labels):
        picture = source[int(label) % 12 + 12 * (index // 12 % (_EACH * 9))].image
        Image.fromarray(picture).save(root / "jpg" / f"image_{index + 1:05d}.jpg", quality=95)
    savemat(root / "imagelabels.mat", {"labels": (labels[None] + 1).astype(np.uint8)})
    return root


#: Where photographs of a place are real, in the folder of real data.
_REAL = {
    "CALTECH": "caltech101",
    "COCO_OBJECTS": "coco_sample",
    "COCO_PARTS": "car_parts",
    "COCO_SAMPLE": "coco_sample",
    "FOLDERS": "caltech101/101_ObjectCategories",
}
#: The fixture that makes each place, and what to take of it.
_MADE = {
    "AR": ("faces", None),
    "CALTECH": ("caltech", None),
    "COCO2014": ("msl", "COCO"),
    "COCO_OBJECTS": ("coco", None),
    "COCO_PARTS": ("coco", None),
    "COCO_SAMPLE": ("coco", None),
    "CUB": ("birds", None),
    "FLOWERS": ("flowers", None),
    "FOLDERS": ("tiny_images", None),
    "ILSVRC": ("ilsvrc", None),
    "PARTIMAGENET": ("partimagenet", None),
    "PASCAL3D": ("pascal3d", None),
    "VOC": ("msl", "VOCDEVKIT"),
    "WIDER": ("msl", "WIDER"),
}


@pytest.fixture
def folder_of(request):
    """Return a function: a place, ``NAME`` or ``NAME/below/it``, -> its folder; only what is asked for is made."""

    def find(place):
        name, _, below = place.partition("/")
        if name in _REAL and (real := SHARED / _REAL[name]).is_dir():
            return real / below
        fixture, part = _MADE[name]
        made = request.getfixturevalue(fixture)
        return (made if part is None else made[part]) / below

    return find
