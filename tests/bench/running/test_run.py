"""A cell is trained and scored once; its directory is named by everything that can change one of its numbers.

Covers mistake 11 of METHODS 2.8 (a head of the wrong width, label maps that differ).
"""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.materials import load_materials
from occbench.bench.measures.records import read_records
from occbench.bench.protocol.cell import cells
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell
from occbench.bench.scoring.home import exclusive
from occbench.core.errors import ConfigError, DatasetError, StorageError
from occbench.models.load import load_backbone
from occbench.sources.toyparts import ToyParts


def cell_of(materials, arm="C-Full", weights=None):
    named = {} if weights is None else {"tiny": weights}
    return next(cell for cell in cells(materials.benchmark, named, materials.fingerprint) if cell.arm_name == arm)


@pytest.fixture(scope="module")
def materials(tiny_materials):
    return tiny_materials()


@pytest.fixture(scope="module")
def finished(materials, tmp_path_factory):
    """A folder with one finished cell, and its records."""
    folder = tmp_path_factory.mktemp("runs")
    return folder, run_cell(cell_of(materials), materials, folder, ActivationCache())


def test_a_finished_cell_says_what_it_is(finished, materials):
    folder, records = finished
    cell = cell_of(materials)
    home = folder / cell.fingerprint
    manifest = json.loads((home / "manifest.json").read_text())
    assert manifest["fingerprint"] == cell.fingerprint
    assert manifest["facts"] == json.loads(json.dumps(cell.facts))
    assert manifest["test_images"] == 24
    assert manifest["bare_images_per_s"] > 0
    assert read_records(home / "records.jsonl") == records
    groups = {record.group: record for record in records if record.metric == "top1"}
    assert set(groups) == {"clean", "20c", "20r", "avg"}
    assert all(record.low <= record.value <= record.high for record in groups.values())


def test_a_finished_cell_publishes_its_split(finished, materials):
    folder, _ = finished
    split = json.loads((folder / cell_of(materials).fingerprint / "split.json").read_text())
    used = [*split["train"], *split["validation"], *split["test"]]
    assert len(set(used)) == len(used)
    assert set(split["pairs"]) <= set(split["train"])
    assert split["classes"] == list(materials.split.classes)


def test_the_same_cell_again_is_a_no_op(finished, materials, snapshot):
    folder, records = finished
    before = snapshot(folder)

    def fail(*_):
        raise AssertionError("something was computed again")

    listener = Listener(fail, fail, fail, fail)
    assert run_cell(cell_of(materials), materials, folder, ActivationCache(), listener) == records
    assert snapshot(folder) == before, "not even the time of a change"


RUN = """
import os, signal, sys
from pathlib import Path
import torch
from occbench.bench.protocol.cell import cells
from occbench.bench.images.materials import load_materials
from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell

torch.set_num_threads(int(sys.argv[5]))
benchmark = Benchmark.model_validate_json(sys.argv[1])
materials = load_materials(benchmark, benchmark.source_at(""))
cell = next(cell for cell in cells(benchmark, {}, materials.fingerprint) if cell.arm_name == "C-Full")
print(cell.fingerprint, flush=True)
heard = []
def die(*_):
    heard.append(1)
    if len(heard) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
run_cell(cell, materials, Path(sys.argv[2]), ActivationCache(), Listener(**{sys.argv[3]: die}))
"""


def killed_in_a_new_process(materials, folder, event, moment):
    """Run a cell in a process that kills itself at an event; return what it had printed."""
    arguments = [materials.benchmark.model_dump_json(), str(folder), event, str(moment), str(torch.get_num_threads())]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], check=False, capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("event", "moment", "steps", "batches"),
    [
        ("on_step", 5, 3, 7),  # in the second of two epochs
        ("on_predictions", 4, 0, 4),  # three of seven blocks are written
        pytest.param("on_step", 3, 6, 7, marks=pytest.mark.slow),  # the first epoch's last step, before it is kept
        pytest.param("on_epoch", 2, 0, 7, marks=pytest.mark.slow),  # trained, the checkpoint is not written
        pytest.param("on_predictions", 1, 0, 7, marks=pytest.mark.slow),
        pytest.param("on_predictions", 7, 0, 1, marks=pytest.mark.slow),
        pytest.param("on_records", 1, 0, 0, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_it_ends_in_the_same_files_and_records(
    finished, materials, tmp_path, bytes_of, event, moment, steps, batches
):
    folder, records = finished
    cell = cell_of(materials)
    printed = killed_in_a_new_process(materials, tmp_path, event, moment)
    assert printed.split() == [cell.fingerprint], "a fresh process names the cell alike"
    kept = set(tmp_path.rglob("block-*")) | set(tmp_path.rglob("last.safetensors"))
    told = []
    listener = Listener(on_step=lambda *_: told.append("step"), on_predictions=lambda *_: told.append("batch"))
    assert run_cell(cell, materials, tmp_path, ActivationCache(), listener) == records
    assert told == ["step"] * steps + ["batch"] * batches, "finished epochs and blocks are not computed again"
    assert all(path.is_file() for path in kept)
    one, other = bytes_of(folder), bytes_of(tmp_path)
    changing = f"{cell.fingerprint}/manifest.json"  # it holds seconds
    assert {**one, changing: ""} == {**other, changing: ""}


def test_a_run_that_is_being_made_is_left_alone(materials, tmp_path):
    home = tmp_path / cell_of(materials).fingerprint
    with exclusive(home), pytest.raises(StorageError, match="another process is training or scoring"):
        run_cell(cell_of(materials), materials, tmp_path, ActivationCache())
    assert [path.name for path in home.iterdir()] == ["lock"]


def test_what_a_killed_writer_left_goes(materials, finished, tmp_path):
    folder, records = finished
    home = shutil.copytree(folder, tmp_path / "runs") / cell_of(materials).fingerprint
    (home / "manifest.json").unlink()
    leftover = home / "scores" / "block-clean.parquet.77.part"
    leftover.touch()
    assert run_cell(cell_of(materials), materials, tmp_path / "runs", ActivationCache()) == records
    assert not leftover.exists()


def halved(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["manifest.json", "checkpoint.safetensors", "block-clean.parquet", "last.safetensors"])
def test_a_damaged_file_is_one_clear_line_and_deleting_it_mends_the_run(finished, materials, tmp_path, bytes_of, name):
    folder, records = finished
    runs = tmp_path / "runs"
    home = shutil.copytree(folder, runs) / cell_of(materials).fingerprint
    (damaged,) = home.rglob(name)
    halved(damaged)
    if name.endswith("safetensors"):
        (home / "manifest.json").unlink()  # a finished run does not look at its weights
    if name == "last.safetensors":
        (home / "checkpoint.safetensors").unlink()
    before = bytes_of(runs)
    with pytest.raises(DatasetError, match=name) as raised:
        run_cell(cell_of(materials), materials, runs, ActivationCache())
    assert "delete" in str(raised.value).lower()
    assert "run again" in str(raised.value)
    assert bytes_of(runs) == before, "nothing is lost"
    damaged.unlink()
    assert run_cell(cell_of(materials), materials, runs, ActivationCache()) == records
    changing = f"{home.name}/manifest.json"
    assert {**bytes_of(runs), changing: ""} == {**bytes_of(folder), changing: ""}


def test_a_run_of_another_version_is_one_clear_line_and_stays(finished, materials, tmp_path, snapshot):
    folder, _ = finished
    home = shutil.copytree(folder, tmp_path / "runs") / cell_of(materials).fingerprint
    manifest = json.loads((home / "manifest.json").read_text())
    manifest["facts"]["version"] = 0
    (home / "manifest.json").write_text(json.dumps(manifest))
    before = snapshot(tmp_path)
    with pytest.raises(DatasetError, match=r"another version of occbench or changed by hand \(other version\)"):
        run_cell(cell_of(materials), materials, tmp_path / "runs", ActivationCache())
    assert snapshot(tmp_path) == before


def test_a_promise_scores_a_part_and_the_full_run_only_the_rest(finished, materials, tmp_path, bytes_of, snapshot):
    folder, records = finished
    cell, told = cell_of(materials), []
    listener = Listener(on_predictions=lambda _, count: told.append(count))
    part = run_cell(cell, materials, tmp_path, ActivationCache(), listener, half_width=0.4)
    assert {record.part for record in part if record.group != "clean"} == {True}
    assert {record.part for record in part if record.group == "clean"} == {False}
    assert 24 < sum(told) < 7 * 24
    manifest = json.loads((tmp_path / cell.fingerprint / "manifest.json").read_text())
    assert manifest["part"]["estimate"]["half_width"] <= 0.4
    assert manifest["part"]["estimate"]["n_cells"] == sum(told) - 24
    before = snapshot(tmp_path)
    assert run_cell(cell, materials, tmp_path, ActivationCache(), listener, half_width=0.4) == part
    assert snapshot(tmp_path) == before, "a kept promise is kept again without work"
    assert run_cell(cell, materials, tmp_path, ActivationCache(), listener) == records
    assert sum(told) == 7 * 24, "every prediction of the part was used again"
    one, other = bytes_of(folder), bytes_of(tmp_path)
    changing = {f"{cell.fingerprint}/{name}": "" for name in ("manifest.json", "records.jsonl")}
    assert {**one, **changing} == {**other, **changing}
    assert [record for record in read_records(tmp_path / cell.fingerprint / "records.jsonl") if record.part]
    assert "part" not in json.loads((tmp_path / cell.fingerprint / "manifest.json").read_text())
    assert run_cell(cell, materials, tmp_path, ActivationCache(), half_width=0.4) == records, "all beats a part"


CHANGES = {
    "epochs": {"train": {"epochs": 3, "batch_size": 12}},
    "learning rate": {"train": {"epochs": 2, "batch_size": 12, "lr_head": 0.02}},
    "trainable layers": {"train": {"epochs": 2, "batch_size": 12, "trainable": "head"}},
    "method option": {"arms": {"C-Full": {"method": {"name": "dfv", "alpha": 0.8}}}},
    "pair groups": {"arms": {"C-Full": {"method": {"name": "dfv"}, "pair_groups": ["20c"]}}},
    "training seed": {"seeds": [1]},
    "split seed": {"split_seed": 1},
    "paired images": {"split": {"pair_per_class": 3}},
    "held-out images": {"split": {"validation_share": 0}},
    "test images": {"split": {"test_per_class": 1}},
    "patterns": {"occlusions": [{"name": "patterns", "ratios": [0.1], "random_positions": 1}]},
    "pair patterns": {"pair_occlusions": [{"name": "patterns", "ratios": [0.1], "random_positions": 1}]},
    "source": {"source": {"name": "toyparts", "images_per_class": 7, "size_px": 32, "split": "train"}},
    "size": {"prepare": {"rule": "direct", "size_px": 40}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_changed_setting_is_a_new_run(materials, tiny_benchmark, changes):
    benchmark = tiny_benchmark(**changes)
    other = load_materials(benchmark, benchmark.source_at(""))
    assert cell_of(other).fingerprint != cell_of(materials).fingerprint


def test_what_changes_no_number_changes_no_name(materials, tiny_materials):
    changes = {"reference_table": "none.csv", "claims": ["avg(C-Full) > avg(C)"], "seeds": [0, 1]}
    other = tiny_materials(description="words", **changes)
    assert cell_of(other).fingerprint == cell_of(materials).fingerprint


def test_names_of_cells_are_unique(tiny_benchmark):
    named = list(cells(tiny_benchmark(seeds=[0, 1]), {}, "images"))
    assert [(cell.seed, cell.arm_name) for cell in named] == [
        (seed, arm) for seed in (0, 1) for arm in ("C", "C-Full", "F")
    ]
    assert len({cell.fingerprint for cell in named}) == 6


@pytest.mark.parametrize("role", ["Method", "Head"])
def test_an_edited_file_of_the_users_is_a_new_run(tiny_benchmark, tmp_path, role):
    file = tmp_path / "mine.py"
    file.write_text(f"from occbench import {role}\n\nclass Mine({role}):\n    pass\n")
    arm = {"method": {"name": "fine_tune"}} | {role.lower(): {"name": f"{file}:Mine"}}
    benchmark = tiny_benchmark(arms={"Mine": arm})

    def name():
        return {cell.arm_name: cell.fingerprint for cell in cells(benchmark, {}, "images")}

    before = name()
    file.write_text(file.read_text() + "\n# edited\n")
    assert name()["Mine"] != before["Mine"]
    assert name()["C"] == before["C"]


def test_the_head_has_the_width_of_the_split_and_labels_mean_the_same_everywhere(tiny_materials, tmp_path):
    """Mistake 11: exclusive classes are not in the head; train, validation and test share one label map."""
    materials = tiny_materials(split={"protocol": "exclusive"})
    assert len(materials.split.classes) == 9
    names = ToyParts(images_per_class=1).classes
    for images in (materials.train, materials.validation, materials.test):
        for example, label in zip(images.examples, images.labels.tolist(), strict=True):
            assert materials.split.classes[label] == names[example.labels[0]]
    assert set(materials.pairs.labels.tolist()) == {-1}
    run_cell(cell_of(materials), materials, tmp_path, ActivationCache())
    from safetensors import safe_open

    with safe_open(tmp_path / cell_of(materials).fingerprint / "checkpoint.safetensors", framework="pt") as file:
        assert file.get_tensor("model.head.weight").shape == (9, 128)


def test_a_test_source_with_other_classes_is_refused(tiny_benchmark, tiny_images):
    """Mistake 11: label maps that differ between training and test images."""
    benchmark = tiny_benchmark(split={"test_source": {"name": "image_folder"}})
    source = benchmark.source_at(str(tiny_images))
    with pytest.raises(ConfigError, match=r"the test source image_folder has other classes .*\(3 and 12\)"):
        load_materials(benchmark, source)


@pytest.fixture
def wrong_weights(tmp_path):
    """A checkpoint of ``tiny`` in its own layout, one tensor of another shape."""
    model = load_backbone("tiny", 12)
    tensors = {name.removeprefix("trunk."): value.clone() for name, value in model.state_dict().items()}
    tensors["stages.stage1.0.weight"] = torch.zeros(16, 3, 5, 5)
    save_file(tensors, tmp_path / "wrong.safetensors")
    return tmp_path / "wrong.safetensors"


def test_weights_of_the_wrong_shape_are_one_clear_line(materials, wrong_weights, tmp_path):
    with pytest.raises(ConfigError, match=r"stages.stage1.0.weight is 16x3x5x5 instead of 16x3x3x3"):
        run_cell(cell_of(materials, weights=wrong_weights), materials, tmp_path / "runs", ActivationCache())
    assert not (tmp_path / "runs").exists()


def test_a_diverged_training_is_one_clear_line_and_no_finished_run(tiny_materials, tmp_path):
    materials = tiny_materials(train={"epochs": 2, "batch_size": 12, "lr_trunk": 1e30, "lr_head": 1e30})
    with pytest.raises(ConfigError, match="the training loss became"):
        run_cell(cell_of(materials), materials, tmp_path, ActivationCache())
    assert not list(tmp_path.rglob("manifest.json"))
    assert not list(tmp_path.rglob("checkpoint.safetensors"))
