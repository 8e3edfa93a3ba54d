"""What was published is read by occbench, `datasets` and the Hub's client, and is what was made."""

import hashlib
import json
import re

import pytest
import yaml

import occbench

STORED = {"layout": "materialised"}

#: Prints {row: hash of its pixels, label, condition} of a table of a published dataset.
READ_TABLE = """
import hashlib, json
import numpy as np
from datasets import load_dataset
rows = load_dataset("lab/toys", {table!r}, split="train")
assert type(rows.features["image"]).__name__ == "Image", rows.features
names = rows.features["label"].names
found = {{row[{name!r}]: [hashlib.sha256(np.array(row["image"]).tobytes()).hexdigest(), names[row["label"]],
         row.get("condition")] for row in rows}}
print("FOUND" + json.dumps(found))
"""

#: Prints the same of `occbench.load`.
LOAD = """
import hashlib, json
import occbench
dataset = occbench.load({place!r})
found = {{}}
for index in range(len(dataset)):
    sample, row = dataset.sample(index), dataset[index]["row"]
    sha256 = hashlib.sha256(sample.image.tobytes()).hexdigest()
    found[row] = [sha256, dataset.classes[sample.labels[0]], sample.condition]
print("FOUND" + json.dumps(found))
"""


def found(done):
    assert done.returncode == 0, done.stderr
    return json.loads(re.search("FOUND(.*)", done.stdout)[1])


def rows_of(directory):
    dataset = occbench.load(directory)
    rows = {}
    for index in range(len(dataset)):
        sample = dataset.sample(index)
        sha256 = hashlib.sha256(sample.image.tobytes()).hexdigest()
        rows[str(dataset[index]["row"])] = [sha256, dataset.classes[sample.labels[0]], sample.condition]
    return rows


def test_load_dataset_and_load_see_the_rows_that_were_made(as_user, toys):
    assert as_user("publish", toys(**STORED), "lab/toys").returncode == 0
    made = rows_of(toys(**STORED))
    assert len(made) == 24
    assert found(as_user(code=READ_TABLE.format(table="occluded", name="row"))) == made
    assert found(as_user(code=LOAD.format(place="lab/toys"))) == made
    clean = found(as_user(code=READ_TABLE.format(table="clean", name="index")))
    assert {label for _, label, _ in clean.values()} == {label for _, label, _ in made.values()}
    assert not {sha256 for sha256, _, _ in clean.values()} & {sha256 for sha256, _, _ in made.values()}


@pytest.mark.slow
def test_a_virtual_dataset_is_rendered_from_the_hub(as_user, toys):
    assert as_user("publish", toys(), "lab/virtual", "--revision", "v1").returncode == 0
    assert found(as_user(code=LOAD.format(place="hub:lab/virtual@v1"))) == rows_of(toys())


@pytest.mark.slow
def test_patterns_are_a_table_with_pictures(as_user, toys):
    assert as_user("publish", toys(), "lab/patterns").returncode == 0
    code = """
from datasets import load_dataset
rows = load_dataset("lab/patterns", "patterns", split="train")
print("FOUND" + __import__("json").dumps({row["condition"]: row["overlay"].mode for row in rows}))
"""
    assert found(as_user(code=code)) == {condition.name: "RGBA" for condition in occbench.load(toys()).conditions}


@pytest.mark.slow
def test_the_cards_own_code_reads_tar_shards(hub, as_user, toys):
    made = toys(layout="materialised", format="webdataset")
    assert as_user("publish", made, "lab/tars").returncode == 0
    card = hub.repo("lab/tars").files()["README.md"].content.decode()
    code = re.findall(r"```python\n(from datasets.*?)```", card, re.DOTALL)[0]
    show = """
row = next(iter(rows))
print("FOUND" + json.dumps([row["png"].size, row["cls"], row["json"]["condition"], len(clean), len(patterns)]))
"""
    assert found(as_user(code=f"import json\n{code}{show}")) == [[48, 48], 0, "mug1_10_c", 6, 4]


@pytest.mark.slow
def test_a_cut_download_goes_on_where_it_was(hub, as_user, toys):
    assert as_user("publish", toys(**STORED), "lab/cut").returncode == 0
    hub.log.clear()
    hub.fail("GET /large/", after_bytes=3000)
    assert found(as_user(code=LOAD.format(place="lab/cut"))) == rows_of(toys(**STORED))
    assert not hub.faults
    assert not hub.count("GET .*clean/"), "what is stored is not fetched to be rendered"


#: what is wrong with the repository -> (how it comes about, words of the line)
UNREADABLE = {
    "not there": (lambda hub: None, "there is no folder lab/other, and on the Hub: .*no such repository or namespace"),
    "empty": (lambda hub: hub.store.create("dataset", "lab/other"), "holds no finished occbench dataset"),
    "a file is missing": (lambda hub: drop(hub, "clean/shard-00001.parquet"), "clean/shard-00001.parquet is not there"),
    "no manifest": (lambda hub: drop(hub, "manifest.json"), "no finished occbench dataset: it has no manifest.json"),
}


def drop(hub, path):
    repo = hub.store.repos["dataset", "lab/other"] = hub.repo("lab/toys")
    files = dict(repo.files())
    del files[path]
    repo.commit("main", files, "drop")


@pytest.mark.slow
@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_is_one_clear_error(what, hub, as_user, toys):
    assert as_user("publish", toys(), "lab/toys").returncode == 0
    spoil, words = UNREADABLE[what]
    spoil(hub)
    done = as_user(code="import occbench; occbench.load('lab/other')")
    assert re.search(words, done.stderr.splitlines()[-1]), done.stderr


def test_the_address_that_fsspec_has_for_a_repository_is_understood(hub, as_user, toys):
    assert as_user("publish", toys(), "lab/toys").returncode == 0
    done = as_user(code="import occbench; print(len(occbench.load('hf://datasets/lab/toys')))")
    assert done.stdout == "24\n", done.stderr


def test_a_strangers_python_file_is_not_run(hub, as_user, toys, tmp_path):
    assert as_user("publish", toys(), "lab/evil").returncode == 0
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    repo = hub.repo("lab/evil")
    files = dict(repo.files())
    manifest = json.loads(files["manifest.json"].content)
    manifest["recipe"]["occlusions"][0]["name"] = f"{tmp_path / 'evil.py'}:Evil"
    files["manifest.json"] = type(files["manifest.json"])(json.dumps(manifest).encode())
    repo.commit("main", files, "evil")
    done = as_user(code="import occbench; occbench.load('lab/evil')")
    assert "a Python file, which is not run for a dataset from the Hub" in done.stderr
    assert not (tmp_path / "pwned").exists()


def test_the_card_names_what_is_there_and_nothing_in_it_breaks_out(hub, as_user, toys):
    assert as_user("publish", toys(**STORED), "lab/card").returncode == 0
    files = hub.repo("lab/card").files()
    _, front, body = files["README.md"].content.decode().split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert metadata["license"] == "apache-2.0"
    assert [config["config_name"] for config in metadata["configs"]] == ["occluded", "clean", "patterns"]
    assert "Toys &lt;script>alert(1)&lt;/script> &#124; under \\[patterns\\](x)" in body
    assert "<script" not in body
    assert "![clean images and what occludes them](preview.png)" in body
    assert files["preview.png"].content.startswith(b"\x89PNG")
    for part in ("## Sizes", "## One row", "## How it was made", "Cen", "Licence: apache-2.0", "mug1"):
        assert part in body
