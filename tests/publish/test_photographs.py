"""Photographs go to the Hub and come back through every reader with the right pixels, label and condition."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import occbench
from occbench.data.recipe import load_recipe
from occbench.generate.run import generate

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")]

IMAGES = 5


@pytest.fixture(scope="module")
def caltech(real_data, tmp_path_factory):
    """Return a function that makes caltech101-24 of a few photographs."""

    def make(*changes):
        out = tmp_path_factory.mktemp("caltech") / "dataset"
        recipe = load_recipe("caltech101-24", ["storage.layout=materialised", *changes])
        generate(recipe, out, source_path=str(real_data / "caltech101"), limit=IMAGES)
        return out

    return make


def rows_of(directory):
    dataset = occbench.load(directory)
    samples = [dataset.sample(index) for index in range(len(dataset))]
    return {(item.key, item.condition): (digest(item.image), dataset.classes[item.labels[0]]) for item in samples}


def digest(pixels):
    return hashlib.sha256(np.asarray(pixels).tobytes()).hexdigest()


READ = """
import hashlib, json
import numpy as np
from datasets import load_dataset
rows = load_dataset("lab/caltech", "occluded", split="train", streaming=True)
names = rows.features["label"].names
found = [[row["key"], row["condition"], hashlib.sha256(np.array(row["image"]).tobytes()).hexdigest(),
          names[row["label"]]] for row in rows]
print("FOUND" + json.dumps(found))
"""


def test_datasets_and_a_snapshot_see_the_photographs(caltech, as_user, tmp_path):
    made = caltech()
    assert as_user("publish", made, "lab/caltech").returncode == 0
    done = as_user(code=READ)
    assert done.returncode == 0, done.stderr
    rows = json.loads(re.search("FOUND(.*)", done.stdout)[1])
    found = {(key, condition): (sha256, name) for key, condition, sha256, name in rows}
    assert found == rows_of(made)
    assert len(found) == IMAGES * 24
    got = str(tmp_path / "got")
    get = f"import huggingface_hub as h; h.snapshot_download('lab/caltech', repo_type='dataset', local_dir={got!r})"
    assert as_user(code=get).returncode == 0
    assert rows_of(tmp_path / "got") == found
    assert as_user("verify", tmp_path / "got", "--sample", 2).returncode == 0


def test_webdataset_sees_the_photographs(caltech):
    import webdataset

    tars, parquet = caltech("storage.format=webdataset"), caltech()
    shards = sorted(str(path) for path in (tars / "occluded").iterdir())
    dataset = occbench.load(parquet)
    found = {
        (facts["key"], facts["condition"]): (digest(image.convert("RGB")), dataset.classes[label])
        for image, label, facts in webdataset.WebDataset(shards, shardshuffle=False)
        .decode("pil")
        .to_tuple("png", "cls", "json")
    }
    assert found == rows_of(parquet)


def test_croissants_reader_sees_the_photographs(caltech, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant", reason="the extra croissant is not installed")
    from .test_croissant import document

    made = caltech()
    dataset = occbench.load(made)
    records = mlcroissant.Dataset(str(document(made, "pixels", tmp_path)), mapping={"repo": made}).records("occluded")
    found = {
        (row["occluded/key"].decode(), row["occluded/condition"].decode()): (
            digest(row["occluded/image"]),
            dataset.classes[row["occluded/label"]],
        )
        for row in records
    }
    assert found == rows_of(made)


def test_rebuilt_from_the_recipe_and_a_changed_photograph_is_named(caltech, as_user, real_data, bytes_of, tmp_path):
    made = caltech()
    assert as_user("publish", made, "lab/caltech", "--as", "recipe").returncode == 0
    mine = tmp_path / "photographs"
    shutil.copytree(
        real_data / "caltech101" / "101_ObjectCategories", mine / "101_ObjectCategories", copy_function=link
    )
    again = ("generate", "--from", "hub:lab/caltech", "--source", mine, "--workers", 0, "--out")
    done = as_user(*again, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert "Every file has the published hash." in done.stdout
    assert bytes_of(tmp_path / "again") == bytes_of(made)
    key = occbench.load(made).sample(24 * 3).key
    folder, _, number = key.rpartition("-image_")
    photograph = next(path for path in mine.rglob(f"image_{number}.jpg") if path.parent.name.lower().endswith(folder))
    content = photograph.read_bytes()
    photograph.unlink()
    photograph.write_bytes(content)
    with Image.open(photograph) as picture:
        picture.rotate(180).save(photograph, quality=95)
    done = as_user(*again, tmp_path / "other")
    assert done.returncode == 2
    assert re.search(f"1 of {IMAGES} photographs are not those of the dataset: {key} has other pixels", done.stderr)
    assert not (tmp_path / "other").exists()


def link(source, target):
    Path(target).symlink_to(source)
