"""A dataset as plain files holds its very pixels under names that stay inside the folder."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import occbench
from occbench.core.errors import ConfigError, DatasetError, StorageError
from occbench.publish.export import export


def table(out):
    with (out / "rows.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("storage", [{}, {"layout": "materialised"}], ids=["virtual", "stored"])
def test_folders_are_read_by_torchvision_with_the_datasets_labels(toys, tmp_path, storage):
    from torchvision.datasets import ImageFolder

    dataset = occbench.load(toys(**storage))
    assert export(toys(**storage), tmp_path / "out", "folder") == 6 * 5
    names = {"clean", *(condition.name for condition in dataset.conditions)}
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == names
    for number, condition in enumerate(dataset.conditions):
        rows = [dataset.sample(index) for index in range(number, len(dataset), len(dataset.conditions))]
        folder = ImageFolder(str(tmp_path / "out" / condition.name))
        used = sorted({sample.labels[0] for sample in rows})
        found = {(np.asarray(image).tobytes(), used[label]) for image, label in folder}
        assert found == {(sample.image.tobytes(), sample.labels[0]) for sample in rows}


def test_the_table_says_what_every_file_is(toys, tmp_path):
    export(toys(), tmp_path / "out", "folder", ["clean", "mug1_20_c"])
    dataset = occbench.load(toys())
    rows = table(tmp_path / "out")
    assert {row["condition"] for row in rows} == {"clean", "mug1_20_c"}
    assert len(rows) == 12
    for row in rows:
        assert dataset.classes[int(row["label"])] == row["class"]
        assert (tmp_path / "out" / row["file"]).is_file()
        assert abs(float(row["achieved"]) - (0.2 if row["condition"] != "clean" else 0)) < 0.005


def test_fiftyones_form_names_every_image_and_class(toys, tmp_path):
    export(toys(), tmp_path / "out", "fiftyone")
    dataset = occbench.load(toys())
    content = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert content["classes"] == list(dataset.classes)
    files = {path.stem: path for path in (tmp_path / "out" / "data").iterdir()}
    assert files.keys() == content["labels"].keys()
    for index in range(len(dataset)):
        sample = dataset.sample(index)
        name = f"{sample.key}-{sample.condition}"
        assert content["labels"][name] == sample.labels[0]
        assert (np.asarray(Image.open(files[name])) == sample.image).all()


def test_a_repeated_export_writes_nothing_again_and_mends_what_is_missing(toys, tmp_path, snapshot):
    export(toys(), tmp_path / "out", "folder", ["clean"])
    before = snapshot(tmp_path / "out")
    first = next((tmp_path / "out").rglob("*.png"))
    first.unlink()
    (first.parent / f"{first.name}.1.part").write_bytes(b"half")
    export(toys(), tmp_path / "out", "folder", ["clean"])
    after = snapshot(tmp_path / "out")
    assert {name: value[0] for name, value in before.items()} == {name: value[0] for name, value in after.items()}
    kept = [name for name in before if name.endswith(".png") and name != first.relative_to(tmp_path / "out").as_posix()]
    assert all(before[name] == after[name] for name in kept)


def test_what_cannot_be_exported_is_one_line(toys, tmp_path):
    with pytest.raises(ConfigError, match=r"no condition 'mug9'\. It has clean, mug1_10_c"):
        export(toys(), tmp_path / "out", "folder", ["mug9"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(StorageError, match="is not empty and holds no export"):
        export(toys(), tmp_path / "mine", "folder")
    export(toys(), tmp_path / "out", "folder", ["clean"])
    with pytest.raises(StorageError, match="export of another dataset, form or choice"):
        export(toys(), tmp_path / "out", "fiftyone", ["clean"])
    with pytest.raises(DatasetError, match="does not exist"):
        export(tmp_path / "nowhere", tmp_path / "other", "folder")


def test_class_names_cannot_leave_the_folder(toys, tmp_path):
    copy = shutil.copytree(toys(), tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["classes"] = [f"../../{name}/\0{number}" for number, name in enumerate(manifest["classes"])]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    export(copy, tmp_path / "a" / "b" / "out", "folder", ["clean"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "copy"]
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["out"]


def test_the_command_exports(toys, tmp_path, occbench_cli):
    code, out, err = occbench_cli(
        "export", toys(), "--out", tmp_path / "out", "--format", "fiftyone", "--conditions", "clean,mug1_20_c"
    )
    assert code == 0, err
    assert "12 images; rows.csv has their labels and conditions" in out
