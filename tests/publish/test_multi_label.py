"""Multi-label datasets are published, described, exported and rebuilt like others, ignored classes among them."""

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import occbench
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import hash_file
from occbench.core.hub import RepoName
from occbench.data.kit import clean_images, keys_file
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe, parse_recipe
from occbench.generate.rebuild import rebuild
from occbench.generate.run import generate
from occbench.publish.dataset import Publication, dataset_bundle
from occbench.publish.export import export

STORED = {"layout": "materialised"}


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Return a function that makes a dataset of 4 crowded scenes under 2 conditions; not to be changed."""
    made = {}

    def make(**storage):
        key = tuple(sorted(storage.items()))
        if key not in made:
            source = {"name": "toyparts_scenes", "images": 4, "size_px": 48, "objects": [6, 6], "extents": [0.5, 0.6]}
            content = {
                "name": "scenes",
                "source": source,
                "prepare": {"rule": "direct", "size_px": 48},
                "occlusions": [{"name": "irregular"}],
                "storage": {"rows_per_shard": 4, **storage},
            }
            made[key] = tmp_path_factory.mktemp("scenes") / "dataset"
            generate(parse_recipe(content, "scenes"), made[key])
        return made[key]

    return make


def truth(directory):
    """(Labels, ignored) of every row."""
    dataset = occbench.load(directory)
    found = [(dataset.sample(index).labels, dataset.sample(index).ignored) for index in range(len(dataset))]
    assert any(ignored for _, ignored in found)
    return found


def test_the_hub_gives_back_labels_and_ignored_classes(hub, as_user, scenes):
    done = as_user("publish", scenes(**STORED), "lab/scenes")
    assert done.returncode == 0, done.stderr
    code = (
        "import json\nfrom datasets import load_dataset\n"
        "rows = load_dataset('lab/scenes', 'occluded', split='train')\n"
        "assert rows.features['ignored'].feature.names == rows.features['labels'].feature.names\n"
        "print(json.dumps([[row['labels'], row['ignored']] for row in rows]))"
    )
    read = as_user(code=code)
    assert read.returncode == 0, read.stderr
    expected = [[list(part) for part in row] for row in truth(scenes(**STORED))]
    assert json.loads(read.stdout.splitlines()[-1]) == expected
    loaded = as_user(
        code="import json, occbench\nrows = occbench.load('lab/scenes')\n"
        "print(json.dumps([[r['labels'].nonzero().flatten().tolist(), r['ignored'].nonzero().flatten().tolist()]"
        " for r in (rows[i] for i in range(len(rows)))]))"
    )
    assert json.loads(loaded.stdout.splitlines()[-1]) == expected
    assert b"| `ignored` |" in hub.repo("lab/scenes").files()["README.md"].content


def test_the_card_says_what_ignored_is(scenes, toys):
    def card(directory):
        bundle = dataset_bundle(directory, Publication(RepoName("lab/x"), "https://hub.example/datasets/lab/x"))
        return next(item.origin for item in bundle.files if item.path == "README.md").decode()

    assert "| `labels` | class indices, any number |\n| `ignored` | class indices neither claimed" in card(scenes())
    assert "labels (0 or 1 for each class), ignored, key" in card(scenes())
    assert "ignored" not in card(toys())


def document(directory, mode, folder):
    bundle = dataset_bundle(directory, Publication(RepoName("lab/x"), "https://hub.example/datasets/lab/x", mode))
    file = folder / "croissant.json"
    file.write_bytes(next(item.origin for item in bundle.files if item.path == "croissant.json"))
    return file


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("mode", ["pixels", "recipe"])
def test_croissant_is_valid_and_read_by_the_reference_reader(scenes, tmp_path, mode):
    mlcroissant = pytest.importorskip("mlcroissant", reason="the extra croissant is not installed")
    file = document(scenes(**STORED), mode, tmp_path)
    assert not mlcroissant.Dataset(str(file)).metadata.ctx.issues.errors
    if mode == "recipe":
        return
    records = mlcroissant.Dataset(str(file), mapping={"repo": scenes(**STORED)}).records("occluded")
    found = {
        row["occluded/row"]: tuple(tuple(map(int, row[f"occluded/{name}"])) for name in ("labels", "ignored"))
        for row in records
    }
    assert [found[number] for number in sorted(found)] == truth(scenes(**STORED))


def test_a_dataset_is_a_source_of_its_clean_images(scenes, tmp_path, monkeypatch):
    import datasets

    from occbench.sources.hub import Hub

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    source, expected = Hub(str(scenes() / "clean")), truth(scenes())[::2]
    assert source.multi_label
    assert [(source.labels_of(index), source.ignored_of(index)) for index in range(len(source))] == expected


def test_photographs_of_coco_go_only_to_those_who_accept_the_terms(real_data, tmp_path):
    recipe = load_recipe("coco-multilabel-24", ["prepare.size_px=64"])
    generate(recipe, tmp_path / "coco", source_path=str(real_data / "coco_sample"), limit=2)
    repo = RepoName("lab/x"), "https://hub.example/datasets/lab/x"
    with pytest.raises(ConfigError, match=r"images of coco may only go to those who accept their terms"):
        dataset_bundle(tmp_path / "coco", Publication(*repo))
    for mode in ("gated", "recipe"):
        bundle = dataset_bundle(tmp_path / "coco", Publication(*repo, mode))
        card = next(item.origin for item in bundle.files if item.path == "README.md").decode()
        assert "common objects in context. ECCV 2014" in card
        assert ("clean/shard-00000.parquet" in {item.path for item in bundle.files}) == (mode == "gated")


@pytest.mark.parametrize("form", ["folder", "fiftyone"])
def test_exports_name_every_class_of_an_image(scenes, tmp_path, form):
    export(scenes(), tmp_path / "out", form)
    dataset = occbench.load(scenes())
    with (tmp_path / "out" / "rows.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    samples = {(s.key, s.condition): s for s in (dataset.sample(index) for index in range(len(dataset)))}
    of_key = {key: sample for (key, _), sample in samples.items()}
    assert len(rows) == 4 * 3
    for row in rows:
        sample = of_key[row["key"]]
        assert row["label"] == " ".join(map(str, sample.labels))
        assert row["class"] == "; ".join(dataset.classes[label] for label in sample.labels)
        assert row["ignored"] == " ".join(map(str, sample.ignored))
        if row["condition"] != "clean":
            pixels = np.asarray(Image.open(tmp_path / "out" / row["file"]))
            assert np.array_equal(pixels, samples[row["key"], row["condition"]].image)
    if form == "fiftyone":
        content = json.loads((tmp_path / "out" / "labels.json").read_text())
        key, condition = next(iter(samples))
        assert content["labels"][f"{key}-{condition}"] == list(samples[key, condition].labels)


def test_single_label_exports_keep_their_columns(toys, tmp_path):
    export(toys(), tmp_path / "out", "folder", ["clean"])
    header = (tmp_path / "out" / "rows.csv").read_text().splitlines()[0]
    assert header == "file,key,label,class,condition,group,achieved"


def test_a_recipe_is_rebuilt_byte_for_byte(hub, as_user, scenes, bytes_of, tmp_path):
    assert as_user("publish", scenes(**STORED), "lab/kit", "--as", "recipe").returncode == 0
    done = as_user("generate", "--from", "hub:lab/kit", "--out", tmp_path / "again", "--workers", "0")
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "again") == bytes_of(scenes(**STORED))


def test_a_kit_lists_ignored_classes_and_older_ones_are_read(scenes, tmp_path):
    directory = scenes()
    manifest = read_manifest(directory)
    (tmp_path / "keys.parquet").write_bytes(keys_file(directory, manifest))
    listed = [(image.labels, image.ignored) for image in clean_images(tmp_path / "keys.parquet", multi_label=True)]
    assert listed == truth(directory)[::2]
    old = shutil.copytree(directory, tmp_path / "old")
    entries = []
    for entry in manifest.files:
        path = old / entry.path
        if entry.path.startswith("clean/"):
            pq.write_table(pq.read_table(path).drop_columns(["ignored"]), path)
        entries.append(entry.model_copy(update={"bytes": path.stat().st_size, "sha256": hash_file(path)}))
    manifest.model_copy(update={"files": tuple(entries)}).sealed().write(old)
    bundle = dataset_bundle(old, Publication(RepoName("lab/x"), "https://hub.example/datasets/lab/x", "recipe"))
    (tmp_path / "old-keys.parquet").write_bytes(next(i.origin for i in bundle.files if i.path == "keys.parquet"))
    assert [image.ignored for image in clean_images(tmp_path / "old-keys.parquet", multi_label=True)] == [None] * 4
    described = next(item.origin for item in bundle.files if item.path == "croissant.json").decode()
    assert '"keys/labels"' in described
    assert '"keys/ignored"' not in described


def test_a_rebuild_refuses_photographs_with_other_ignored_classes(scenes, tmp_path):
    """The same pixels, keys and labels, but another class is ignored than in the dataset."""
    bundle = dataset_bundle(scenes(), Publication(RepoName("lab/x"), "https://hub.example/datasets/lab/x", "recipe"))
    for item in bundle.all_files:
        target = tmp_path / "kit" / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(item.origin if isinstance(item.origin, bytes) else item.origin.read_bytes())
    table = pq.read_table(tmp_path / "kit" / "keys.parquet").to_pydict()
    schema = pq.read_schema(tmp_path / "kit" / "keys.parquet")
    table["ignored"] = [[11] for _ in table["ignored"]]
    pq.write_table(pa.table(table, schema=schema), tmp_path / "kit" / "keys.parquet")
    with pytest.raises(DatasetError, match=r"has the ignored classes \[.*\] instead of \[11\]"):
        rebuild(tmp_path / "kit", tmp_path / "again")
