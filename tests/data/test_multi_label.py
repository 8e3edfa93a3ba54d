"""Multi-label datasets end to end: what is claimed, denied and ignored of an image is the same in every form."""

import gc
import json
import shutil
import warnings
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from occbench.core.errors import DatasetError
from occbench.core.files import hash_file
from occbench.data.clean import CleanImages, stores_ignored
from occbench.data.datasets import VirtualDataset, load
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe, parse_recipe
from occbench.data.verify import verify
from occbench.generate.run import generate
from occbench.sources.toyparts_scenes import ToyPartsScenes

#: Six objects of half the image's side: some scene's objects hide one another, so that classes are ignored.
SOURCE = {"images": 12, "size_px": 64, "objects": (6, 6), "extents": (0.5, 0.6)}
STORAGES = {
    "virtual": {},
    "png": {"layout": "materialised"},
    "jpeg": {"layout": "materialised", "occluded": "jpeg"},
    "tar": {"layout": "materialised", "format": "webdataset"},
}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Return a function that makes a dataset of 12 scenes under 3 conditions, 5 images a shard; not to be changed."""
    made = {}

    def make(storage="png"):
        if storage not in made:
            content = {
                "name": "scenes",
                "source": {"name": "toyparts_scenes", **SOURCE},
                "prepare": {"rule": "direct", "size_px": 64},
                "occlusions": [{"name": "irregular"}, {"name": "patch_drop", "losses": [0.5]}],
                "storage": {"rows_per_shard": 15, **STORAGES[storage]},
            }
            made[storage] = tmp_path_factory.mktemp(storage) / "dataset"
            generate(parse_recipe(content, "scenes"), made[storage])
        return made[storage]

    return make


@pytest.fixture(scope="module")
def truth():
    """Labels and ignored classes of the twelve scenes."""
    source = ToyPartsScenes(**SOURCE)
    found = [(source.labels_of(index), source.ignored_of(index)) for index in range(len(source))]
    assert 2 <= sum(bool(ignored) for _, ignored in found) <= 11, "some have ignored classes, some have none"
    return found


@pytest.mark.parametrize("storage", STORAGES)
def test_every_form_is_sound_and_says_the_same(make, truth, storage):
    directory = make(storage)
    assert verify(directory).problems == ()
    dataset = load(directory)
    assert (dataset.manifest.multi_label, len(dataset)) == (True, 36)
    for index in range(len(dataset)):
        labels, ignored = truth[index // 3]
        sample, item = dataset.sample(index), dataset[index]
        assert (sample.labels, sample.ignored) == (labels, ignored)
        assert np.flatnonzero(item["labels"]).tolist() == list(labels)
        assert np.flatnonzero(item["ignored"]).tolist() == list(ignored)
        assert str(item["labels"].dtype) == "torch.float32"
        assert str(item["ignored"].dtype) == "torch.bool"
        assert len(item["labels"]) == len(item["ignored"]) == 12
    assert CleanImages(directory, dataset.manifest).example(0).ignored == truth[0][1]


def test_a_batch_is_collated(make, truth):
    from torch.utils.data import DataLoader

    batch = next(iter(DataLoader(load(make()), batch_size=36)))
    assert batch["labels"].shape == batch["ignored"].shape == (36, 12)
    assert int(batch["ignored"].sum()) == 3 * sum(len(ignored) for _, ignored in truth)


def test_the_library_datasets_reads_lists_of_class_names(make, truth, tmp_path):
    import datasets

    for folder, rows_each in (("clean", 1), ("occluded", 3)):
        files = str(make() / folder / "*.parquet")
        rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
        assert rows.features["ignored"].feature.names == rows.features["labels"].feature.names
        for number, row in enumerate(rows):
            assert (tuple(row["labels"]), tuple(row["ignored"])) == truth[number // rows_each]
        assert rows[0]["image"].size == (64, 64)


def test_webdataset_reads_labels_from_the_json(make, truth):
    webdataset = pytest.importorskip("webdataset", reason="the extra webdataset is not installed")
    shards = sorted(str(path) for path in (make("tar") / "occluded").glob("*.tar"))
    with warnings.catch_warnings():  # webdataset leaves its files to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("png", "json"))
        gc.collect()
    assert len(samples) == 36
    dataset = load(make())
    for number, (image, facts) in enumerate(samples):
        assert (tuple(facts["labels"]), tuple(facts["ignored"])) == truth[number // 3]
        assert np.array_equal(image, dataset.sample(number).image)


def rewrite(directory, change):
    """Write every table of a dataset again after ``change``, and a manifest that fits."""
    manifest = read_manifest(directory)
    entries = []
    for entry in manifest.files:
        path = directory / entry.path
        if path.suffix == ".parquet" and entry.path.partition("/")[0] in ("clean", "occluded"):
            file = pq.ParquetFile(path)
            groups = [change(file.read_row_group(number)) for number in range(file.num_row_groups)]
            with pq.ParquetWriter(path, groups[0].schema, write_page_checksum=True) as writer:
                for group in groups:
                    writer.write_table(group)
        entries.append(entry.model_copy(update={"bytes": path.stat().st_size, "sha256": hash_file(path)}))
    manifest.model_copy(update={"files": tuple(entries)}).sealed().write(directory)


def test_a_dataset_older_than_the_column_is_read_as_if_nothing_were_ignored(make, truth, tmp_path):
    directory = shutil.copytree(make(), tmp_path / "old")
    rewrite(directory, lambda table: table.drop_columns(["ignored"]))
    assert not stores_ignored(directory, read_manifest(directory))
    assert stores_ignored(make(), read_manifest(make()))
    assert verify(directory).problems == ()
    for dataset in (load(directory), VirtualDataset(directory)):
        for index in (0, 7, 35):
            item = dataset[index]
            assert np.flatnonzero(item["labels"]).tolist() == list(truth[index // 3][0])
            assert not item["ignored"].any()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([12], "its ignored classes are"),
        ([-1], "its ignored classes are"),
        (None, "is not a row"),
        ("labels", "ignored"),
    ],
)
def test_ignored_classes_that_cannot_be_are_a_clear_error(make, tmp_path, value, message):
    directory = shutil.copytree(make(), tmp_path / "bad")

    def spoil(table):
        place = table.column_names.index("ignored")
        column = table["labels"] if value == "labels" else [value] * table.num_rows
        field = table.schema.field("ignored")
        return table.set_column(place, field, column if value == "labels" else pa.array(column, field.type))

    rewrite(directory, spoil)
    for dataset in (load(directory), VirtualDataset(directory)):
        with pytest.raises(DatasetError, match=message):
            dataset[0]


def test_verify_compares_ignored_classes_of_rows_with_their_images(make, tmp_path):
    directory = shutil.copytree(make(), tmp_path / "changed")

    def spoil(table):
        if "condition" not in table.column_names:
            return table
        field = table.schema.field("ignored")
        empty = pa.array([[]] * table.num_rows, field.type)
        return table.set_column(table.column_names.index("ignored"), field, empty)

    rewrite(directory, spoil)
    assert any("ignored is []" in problem for problem in verify(directory).problems)


def test_single_label_tables_have_no_such_column(tmp_path):
    recipe = load_recipe("quickstart", ["storage.layout=materialised"])
    generate(recipe, tmp_path / "single", limit=1)
    for folder in ("clean", "occluded"):
        names = pq.read_schema(tmp_path / "single" / folder / "shard-00000.parquet").names
        assert "label" in names
        assert not {"labels", "ignored"} & set(names)
    assert not load(tmp_path / "single").sample(0).ignored


def test_the_preview_names_labels_and_ignored_classes(make, truth, tmp_path):
    from typer.testing import CliRunner

    from occbench.cli import app

    found = CliRunner().invoke(app, ["preview", str(make()), "--out", str(tmp_path / "page.html"), "--images", "12"])
    assert found.exit_code == 0, found.output
    page = (tmp_path / "page.html").read_text()
    classes = load(make()).classes
    for labels, ignored in truth:
        name = ", ".join(classes[label] for label in labels)
        more = f" (ignored: {', '.join(classes[label] for label in ignored)})" if ignored else ""
        assert (name + more).replace("_", " ") in page.replace("_", " ")
    found = CliRunner().invoke(app, ["preview", str(make()), "--out", str(tmp_path / "sheet.png")])
    assert found.exit_code == 0
    assert Image.open(BytesIO((tmp_path / "sheet.png").read_bytes())).width > 500


def test_the_photographs_of_coco_work_end_to_end(real_data, tmp_path):
    folder = real_data / "coco_sample"
    files = {"name": "irregular", "mask_folder": str(real_data / "irregular_masks"), "bins": [["low", 0.1, 0.3]]}
    recipe = load_recipe("coco-multilabel-24", ["prepare.size_px=224", "storage.layout=materialised"])
    content = recipe.model_dump(mode="json")
    content["occlusions"] += [files, {"name": "levels", "bank": "occbench-30"}]
    manifest = generate(parse_recipe(content, "coco"), tmp_path / "out", source_path=str(folder), limit=12)
    assert (manifest.images, manifest.quarantined, manifest.conditions) == (12, 0, 24 + 1 + 12)
    assert verify(tmp_path / "out").problems == ()
    dataset = load(tmp_path / "out")
    annotated = json.loads((folder / "instances.json").read_text())
    names = {category["id"]: category["name"] for category in annotated["categories"]}
    for position in range(12):
        sample = dataset.sample(position * manifest.conditions)
        present = {names[row["category_id"]] for row in annotated["annotations"] if row["image_id"] == int(sample.key)}
        assert {dataset.classes[label] for label in sample.labels} == present
    high = [dataset.sample(position * manifest.conditions + 24) for position in range(12)]
    assert all(0.1 < sample.achieved <= 0.3 for sample in high)
    assert len({(sample.image == 0).all(axis=2).tobytes() for sample in high}) >= 3, "masks differ between images"
