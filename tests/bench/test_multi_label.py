"""Images with several labels, end to end: trained, resumed, scored, reported; and one label stays as it was."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import average_precision_score

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.materials import load_materials
from occbench.bench.measures.records import read_records
from occbench.bench.protocol.benchmark import Benchmark, load_benchmark
from occbench.bench.protocol.cell import cells
from occbench.bench.running.listener import Listener
from occbench.bench.running.run import run_cell
from occbench.bench.scoring.label_predictions import read_label_outcomes
from occbench.bench.scoring.test_set import test_set
from occbench.bench.tables.examples import example_predictions
from occbench.bench.tables.table import build_results
from occbench.bench.training.train import Epoch
from occbench.bench.training.untrained import untrained
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.tasks import MULTI_LABEL
from occbench.data.config import validate
from occbench.models.tiny import Tiny
from occbench.report.csv_tables import csv_of
from occbench.report.latex import latex_of
from occbench.report.markdown import markdown_of

ARMS = {
    "bce": {"method": {"name": "fine_tune"}},
    "msl": {
        "method": {"name": "msl", "masks": 5},
        "head": {"name": "csra", "heads": 2},
        "pair_groups": ["irregular-high"],
    },
}
CLAIMS = (
    "irregular-high/cf1(msl) > irregular-high/cf1(bce)",
    "clean(msl) - clean(bce) <= 100",
    "clean(msl) > 100 + clean(bce)",
)


def content(**changes):
    scenes = {"name": "toyparts_scenes", "size_px": 64, "objects": [3, 7]}
    made = {
        "name": "scenes",
        "source": {**scenes, "images": 36, "split": "train"},
        "prepare": {"rule": "direct", "size_px": 32},
        "occlusions": [{"name": "irregular"}],
        "split": {
            "train_per_class": "all", "validation_share": 0.25,
            "test_source": {**scenes, "images": 30, "split": "test"},
        },
        "backbones": ["tiny"],
        "pretrained": False,
        "train": {"epochs": 2, "batch_size": 9, "augment": "flip_crop"},
        "arms": ARMS,
        "seeds": [0, 1],
        "claims": list(CLAIMS),
    }  # fmt: skip
    return {
        **made,
        **{key: {**made.get(key, {}), **value} if isinstance(value, dict) else value for key, value in changes.items()},
    }


def benchmark(**changes):
    return validate(Benchmark, content(**changes), "scenes")


def opened(**changes):
    made = benchmark(**changes)
    return load_materials(made, made.source_at(""))


def run(materials, folder, listener=None):
    found = {}
    for cell in cells(materials.benchmark, {}, materials.fingerprint):
        found[cell.arm_name, cell.seed] = run_cell(cell, materials, folder, ActivationCache(), listener)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    materials = opened()
    return materials, folder, run(materials, folder)


def test_materials_have_targets_ignored_entries_and_sizes(finished):
    materials = finished[0]
    assert materials.task is MULTI_LABEL
    assert [len(part) for part in (materials.train, materials.validation, materials.test)] == [27, 9, 30]
    source = materials.benchmark.source_at("")
    row = next(row for row, index in enumerate(materials.split.train) if source.ignored_of(index))
    index = materials.split.train[row]
    assert set(materials.train.labels[row].isnan().nonzero()[:, 0].tolist()) == set(source.ignored_of(index))
    assert set((materials.train.labels[row] == 1).nonzero()[:, 0].tolist()) == set(source.labels_of(index))
    assert set(materials.test.sizes.unique().tolist()) <= {0, 1, 2, 3}
    assert ((materials.test.sizes > 0) == (materials.test.labels == 1)).all()


def test_predictions_on_disk_are_enough_for_scikit_learn(finished):
    materials, folder, records = finished
    test = test_set(materials)
    for (_, _), made in records.items():
        home = folder / made[0].run
        outcomes = read_label_outcomes(home / "scores" / test.fingerprint, test.conditions)
        assert np.array_equal(outcomes.labels, materials.test.labels.nan_to_num(-1).numpy().astype(np.int8))
        for place, condition in enumerate(test.conditions):
            precisions = []
            for label in range(12):
                known = outcomes.labels[:, label] >= 0
                if (outcomes.labels[:, label] == 1).any():
                    truth = outcomes.labels[known, label]
                    precisions.append(average_precision_score(truth, outcomes.logits[place][known, label]))
            (record,) = [item for item in made if (item.metric, item.group) == ("map", condition.group)]
            assert record.value == pytest.approx(100 * np.mean(precisions), abs=1e-4)
            assert record.low < record.value < record.high
            classes = [item.value for item in made if item.metric.startswith("ap/") and item.group == condition.group]
            assert np.mean(classes) == pytest.approx(record.value, abs=1e-4)


def test_records_have_every_metric_of_every_group(finished):
    made = next(iter(finished[2].values()))
    metrics = {
        "map",
        "cp",
        "cr",
        "cf1",
        "op",
        "or",
        "of1",
        "cp_top3",
        "cr_top3",
        "cf1_top3",
        "op_top3",
        "or_top3",
        "of1_top3",
    }
    for group in ("clean", "irregular-low", "irregular-high", "avg"):
        found = {record.metric for record in made if record.group == group}
        assert metrics <= found
        assert {"map_small", "cr_small", "or_small"} <= found
    average = {record.group: record.value for record in made if record.metric == "of1"}
    assert average["avg"] == pytest.approx((average["irregular-low"] + average["irregular-high"]) / 2, abs=1e-5)


def test_a_repeated_command_does_nothing_and_one_that_lost_a_block_makes_it_again(finished, snapshot):
    materials, folder, records = finished
    before = snapshot(folder)
    assert run(materials, folder) == records
    assert snapshot(folder) == before
    block = next(folder.glob("*/scores/*/block-irregular-high.parquet"))
    content_before = block.read_bytes()
    block.unlink()
    assert run(materials, folder) == records
    assert block.read_bytes() == content_before


def test_a_run_that_was_killed_after_an_epoch_ends_like_one_that_was_not(finished, tmp_path):
    materials, _, records = finished
    cell = next(cell for cell in cells(materials.benchmark, {}, materials.fingerprint) if cell.arm_name == "msl")

    def kill(_cell, epoch):
        if epoch.epoch == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, materials, tmp_path, ActivationCache(), Listener(on_epoch=kill))
    again = run_cell(cell, materials, tmp_path, ActivationCache())
    assert again == records["msl", 0]


def test_the_report_has_metrics_claims_and_sizes(finished, tmp_path):
    _, folder, records = finished
    file = tmp_path / "scenes.yaml"
    file.write_text(json.dumps(content()), encoding="utf-8")
    (results,) = build_results(folder, str(file), draws=300)
    assert (results.metric, results.columns) == ("map", ("clean", "irregular-high", "irregular-low", "avg"))
    assert [table.title for table in results.metric_tables] == [
        "Precision and recall", "Precision and recall of at most 3 classes an image", "By size of the object",
    ]  # fmt: skip
    verdicts = {item.statement: item for item in results.verdicts}
    assert [verdicts[text].verdict for text in CLAIMS[1:]] == ["holds", "fails"]
    assert verdicts[CLAIMS[0]].margin is not None
    row = results.rows[1]
    by_seed = [
        item.value for seed in (0, 1) for item in records["msl", seed] if (item.metric, item.group) == ("map", "clean")
    ]
    assert row.cells[0].number.value == pytest.approx(np.mean(by_seed), abs=1e-5)
    assert row.cells[0].between_seeds == pytest.approx(np.std(by_seed, ddof=1), abs=1e-5)
    assert row.cells[0].number.low < row.cells[0].number.value < row.cells[0].number.high
    label, group, numbers = results.metric_tables[0].rows[0]
    assert (label, group) == ("bce", "clean")
    cf1 = [
        item.value for seed in (0, 1) for item in records["bce", seed] if (item.metric, item.group) == ("cf1", "clean")
    ]
    assert numbers[2].value == pytest.approx(np.mean(cf1), abs=1e-5)
    markdown, latex, table = (write([results]) for write in (markdown_of, latex_of, csv_of))
    assert "Mean average precision in percent" in markdown
    assert "## By size of the object" in markdown
    assert "mean average precision in" in latex.replace("\\", "")
    assert "top-1" not in (markdown + latex).lower()
    assert ",metric,bce,clean: Precision and recall,CF1," in table
    assert ",accuracy,bce,clean,map," in table


def test_examples_name_all_classes_and_are_right_where_every_known_one_is(finished):
    materials, folder, _ = finished
    (results,) = build_results(folder, draws=50)
    test = test_set(materials)
    classes = materials.split.classes
    for example in example_predictions(results, folder, materials, 6):
        row = materials.test.keys.index(example.key)
        target = materials.test.labels[row]
        there = [name for name, value in zip(classes, target.tolist(), strict=True) if value == 1]
        assert example.class_name == (", ".join(there) or "nothing")
        place = [condition.name for condition in test.conditions].index(example.condition)
        runs = {run.label: run.fingerprint for run in reversed(results.runs)}
        for told in example.answers:
            outcomes = read_label_outcomes(folder / runs[told.label] / "scores" / test.fingerprint, test.conditions)
            predicted = outcomes.logits[place][row] >= 0
            names = [name for name, value in zip(classes, predicted, strict=True) if value]
            assert told.class_name == (", ".join(names) or "nothing")
            known = outcomes.labels[row] >= 0
            assert told.right == (predicted[known] == (outcomes.labels[row][known] == 1)).all()


def test_differences_are_paired_over_images(finished):
    (results,) = build_results(finished[1], draws=300)
    found = {(item.label, item.column): item.difference for item in results.comparisons}
    cells_of = {row.label: row.cells for row in results.rows}
    difference = cells_of["msl"][0].number.value - cells_of["bce"][0].number.value
    assert found["msl", "clean"].value == pytest.approx(difference)
    assert found["msl", "clean"].low < difference < found["msl", "clean"].high


def test_ignored_entries_are_trained_on_as_absent_where_the_benchmark_says_so():
    materials = opened(labels={"training": "absent", "counting": "absent"})
    assert not materials.train.labels.isnan().any()
    assert materials.test.labels.isnan().any()
    plain, changed = (next(cells(one.benchmark, {}, "images")).facts for one in (opened(), materials))
    assert "labels" not in plain
    assert changed["labels"] == {"training": "absent", "counting": "absent"}


def test_the_papers_selection_looks_at_the_test_images_and_says_so(tmp_path):
    materials = opened(
        seeds=[0], arms={"msl": ARMS["msl"], "bce": ARMS["bce"]}, train={"paper_selection": True, "epochs": 3}
    )
    epochs = []
    found = run(materials, tmp_path, Listener(on_epoch=lambda cell, epoch: epochs.append((cell.arm_name, epoch))))
    for arm in ("bce", "msl"):
        scores = [epoch.clean for name, epoch in epochs if name == arm]
        assert all(math.isnan(epoch.occluded) for _, epoch in epochs)
        (clean,) = [item.value for item in found[arm, 0] if (item.metric, item.group) == ("map", "clean")]
        assert clean == pytest.approx(100 * max(scores), abs=1e-4)
    (results,) = build_results(tmp_path, draws=50)
    assert any("paper_selection" in warning for warning in results.warnings)


def test_an_epoch_without_occluded_images_is_chosen_by_the_clean_ones():
    assert Epoch(0, 2, 1.0, 0.5, math.nan).score == 0.5
    assert Epoch(0, 2, 1.0, 0.5, 0.7).score == pytest.approx(0.6)
    assert math.isnan(Epoch(0, 2, 1.0, math.nan, math.nan).score)


def test_steps_come_every_so_many_epochs_from_the_start_and_the_warm_up_hides_none(monkeypatch, tmp_path):
    """METHODS 4.4: StepLR(2), one epoch of warm-up: full rate in epoch 2 alone, a tenth in 3, 4, a hundredth in 5."""
    rule = {"epochs": 5, "schedule": "step", "step_epochs": 2, "warmup_epochs": 1, "lr_trunk": 0.01, "lr_head": 0.1}
    materials = opened(train=rule)
    rates = []
    step = torch.optim.SGD.step

    def watched(self, *arguments, **options):
        rates.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    run_cell(next(cells(materials.benchmark, {}, "images")), materials, tmp_path, ActivationCache())
    assert len(rates) == 15  # three steps an epoch
    assert all(head == pytest.approx(10 * trunk) for trunk, head in rates)
    trunk = [rate for rate, _ in rates]
    assert trunk[:3] == pytest.approx([0, 0.01 / 3, 0.02 / 3])
    assert trunk[3:] == pytest.approx([0.01] * 3 + [0.001] * 6 + [0.0001] * 3)


@pytest.mark.parametrize(("normalisation", "black", "grey"), [("unit", 0.0, 128 / 255), ("half", -1.0, 1 / 255)])
def test_pixels_are_normalised_as_the_benchmark_says(normalisation, black, grey):
    materials = opened(train={"normalisation": normalisation})
    pipeline = untrained(next(cells(materials.benchmark, {}, "images")), materials, torch.device("cpu"))
    images = torch.tensor([0, 128], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    assert pipeline.inputs(images)[:, 0, 0, 0].tolist() == pytest.approx([black, grey], abs=1e-6)


def test_a_method_for_one_label_is_refused_in_one_line(occbench_cli, tmp_path):
    file = tmp_path / "scenes.yaml"
    file.write_text(json.dumps(content(arms={"learn": {"method": {"name": "learn"}}}, claims=[])), encoding="utf-8")
    code, _, err = occbench_cli("run-benchmark", file, "--runs", tmp_path / "runs")
    assert code == 2
    assert "learn does not train on multi-label images" in " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"split": {"test_share": 0.3, "test_source": None, "train_per_class": 4}}, "train_per_class"),
        ({"source": {"name": "toyparts", "images": None, "objects": None}}, "several labels"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(changes, found):
    changed = content(**changes)
    changed["source"] = {key: value for key, value in changed["source"].items() if value is not None}
    made = validate(Benchmark, changed, "scenes")
    with pytest.raises(ConfigError, match=found):
        load_materials(made, made.source_at(""))


def test_a_ready_model_is_scored_on_a_generated_dataset(occbench_cli, tmp_path):
    code, _, err = occbench_cli(
        "generate", "toyparts-scenes", "--out", tmp_path / "data", "--limit", "20", "--workers", "0",
        "--set", "prepare.size_px=64",
    )  # fmt: skip
    assert code == 0, err
    save_file(Tiny().build(12).state_dict(), tmp_path / "tiny.safetensors")
    model = ("--model", "tiny", "--weights", tmp_path / "tiny.safetensors")
    score = ("score", *model, tmp_path / "data", "--out", tmp_path / "scores")
    code, out, err = occbench_cli(*score)
    assert code == 0, err
    assert "mAP" in out
    records = read_records(tmp_path / "scores" / "records.jsonl")
    assert {"map", "cf1", "of1_top3"} <= {record.metric for record in records}
    assert json.loads((tmp_path / "scores" / "manifest.json").read_text())["task"] == "multi-label"
    code, out, err = occbench_cli(*score)
    assert code == 0, err
    assert "nothing was left to do" in out
    code, _, err = occbench_cli(*score[:-1], tmp_path / "other", "--half-width", "5")
    assert code == 2
    assert "mAP" in err


#: Computed before an image could have several labels: what is run with one label must keep its name.
PINNED = {
    "caltech101-inclusive": ("683934b91c65f163", "1181274ade5db9a2"),
    "cub200": ("45148a8f68c20ef2", "3da8859fd1ec4b9e"),
    "quickstart": ("2aae41d02e1d7bf4", "c88ceda155df3b7d"),
}


@pytest.mark.parametrize("name", PINNED)
def test_the_fingerprints_of_images_with_one_label_are_what_they_were(name):
    made = load_benchmark(name)
    names = fingerprint([cell.fingerprint for cell in cells(made, {}, "images")])
    tested = fingerprint([made.split.facts, made.split_seed, made.test_recipe().pixels_fingerprint(), "source"])
    assert (names, tested) == PINNED[name]


def test_a_later_setting_changes_the_fingerprint_where_it_is_not_its_default():
    made = load_benchmark("quickstart")
    cell = next(cells(made, {}, "images"))
    for change in ({"normalisation": "unit"}, {"paper_selection": True}, {"step_epochs": 3}):
        rule = made.train.model_copy(update=change)
        assert replace(cell, benchmark=made.model_copy(update={"train": rule})).fingerprint != cell.fingerprint
