import json
import shutil

import numpy as np
import pytest
import torch

from occbench.bench.measures.metrics import accuracy_by_class, avg_over_occlusion, macro_accuracy, nauc
from occbench.bench.measures.outcomes import Outcomes
from occbench.bench.measures.resampling import paired_difference
from occbench.bench.measures.statistics import clustered_interval, seed_spread
from occbench.bench.scoring.predictions import block_file, write_block
from occbench.bench.tables.table import build_results
from occbench.core.canonical import fingerprint
from occbench.core.errors import DatasetError
from occbench.core.files import write_json
from occbench.core.seeding import stream
from occbench.core.types import CLEAN, Condition
from occbench.occlusions.levels import Levels

IMAGES, CLASSES, DRAWS = 60, 6, 400
CONDITIONS = (
    CLEAN,
    *(
        Condition(
            f"{occluder}_{ratio}_{position}",
            "patterns",
            f"{ratio}{position[0]}",
            {"occluder": occluder, "occluder_sha256": f"{occluder}-hash", "ratio": ratio / 100, "position": position},
        )
        for occluder in ("leaf", "mug")
        for ratio in (10, 20)
        for position in ("c", "r1", "r2", "r3")
    ),
)
LABELS = np.arange(IMAGES, dtype=np.int32) % CLASSES
ARMS = {
    "C": {"method": {"name": "fine_tune"}, "add_occluded": False},
    "F": {"method": {"name": "fine_tune"}, "add_occluded": True},
    "C-Full": {"method": {"name": "dfv"}, "add_occluded": False},
    "F-Full": {"method": {"name": "dfv"}, "add_occluded": True},
    "none": {"method": {"name": "fine_tune"}, "add_occluded": False},
}


def make_run(
    runs,
    arm,
    seed=0,
    *,
    share=128,
    benchmark="made-up",
    backbone="tiny",
    test_set="set-a",
    arm_options=None,
    train=None,
    facts_more=None,
    **manifest,
):
    """Write a finished run as the harness does; return its directory and which cells are right."""
    facts = {
        "version": 1,
        "backbone": backbone,
        "weights": None,
        "arm": ARMS[arm] | (arm_options or {}),
        "train": {"epochs": 3} | (train or {}),
        "seed": seed,
        "images": test_set,
    } | (facts_more or {})
    name = fingerprint([benchmark, arm, facts])
    random = stream(seed, "test", arm, backbone).integers(256, IMAGES * len(CONDITIONS))
    correct = (random < share).reshape(IMAGES, len(CONDITIONS))
    labels = torch.from_numpy(LABELS)
    for column, condition in enumerate(CONDITIONS):
        right = torch.from_numpy(correct[:, column])
        top1 = torch.where(right, labels, (labels + 1) % CLASSES)
        found = [top1, torch.ones(IMAGES, dtype=torch.bool), torch.rand(IMAGES), torch.rand(IMAGES)]
        write_block(block_file(runs / name / "scores" / test_set, condition), condition, labels, found)
    content = {
        "fingerprint": name,
        "benchmark": benchmark,
        "arm": arm,
        "facts": facts,
        "test_set": test_set,
        "test_images": IMAGES,
        "backbone_weights": {"weights": f"random, seed {seed}"},
        "device": "cpu",
        "versions": {"torch": "2.9"},
        "train_s": 10.0 + seed,
        "score_s": 2.0,
        "images_per_s": 500.0,
    }
    write_json(runs / name / "manifest.json", content | manifest)
    return runs / name, correct


def outcomes(correct):
    return Outcomes(correct, LABELS, CONDITIONS)


def only(runs):
    (found,) = build_results(runs, draws=DRAWS)
    return found


def row_of(results, label):
    return next(row for row in results.rows if row.label == label)


def test_every_cell_equals_the_metric_computed_directly(tmp_path):
    _, correct = make_run(tmp_path, "C")
    results, direct = only(tmp_path), outcomes(correct)
    assert results.columns == ("clean", "10c", "10r", "20c", "20r", "avg")
    assert results.conditions == (1, 2, 6, 2, 6, 16)
    for column, cell in zip(results.columns, results.rows[0].cells, strict=True):
        expected = clustered_interval(direct, column)
        assert cell.number.value == pytest.approx(100 * expected.value)
        assert (cell.number.low, cell.number.high) == pytest.approx((100 * expected.low, 100 * expected.high))
        assert cell.between_seeds is None
    summaries = dict(results.rows[0].summaries)
    assert summaries["mean over classes, occluded"] == pytest.approx(100 * macro_accuracy(direct))
    assert summaries["area under accuracy vs ratio"] == pytest.approx(100 * nauc(direct))
    assert summaries["top-5, occluded"] == 100


def test_several_seeds_have_the_combined_interval_and_their_spread_beside_it(tmp_path):
    made = [make_run(tmp_path, "C", seed)[1] for seed in (0, 1, 2)]
    row = only(tmp_path).rows[0]
    expected = seed_spread([outcomes(correct) for correct in made])
    assert row.seeds == (0, 1, 2)
    assert row.cells[-1].number.value == pytest.approx(100 * expected.combined.value)
    assert row.cells[-1].number.high == pytest.approx(100 * expected.combined.high)
    assert row.cells[-1].between_seeds == pytest.approx(100 * expected.between_seeds)


def test_differences_are_those_of_the_paired_bootstrap_against_the_first_arm(tmp_path):
    _, base = make_run(tmp_path, "C", share=90)
    _, other = make_run(tmp_path, "C-Full", share=150)
    results = only(tmp_path)
    assert [row.label for row in results.rows] == ["C", "C-Full"]
    found = next(item for item in results.comparisons if item.column == "avg")
    expected = paired_difference(outcomes(other), outcomes(base), draws=DRAWS)
    assert (found.label, found.baseline) == ("C-Full", "C")
    assert found.difference.value == pytest.approx(100 * expected.value)
    assert (found.difference.low, found.difference.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert found.p_value == pytest.approx(expected.p_value)
    assert all(item.p_corrected >= item.p_value for item in results.comparisons)


def test_breakdowns_are_means_over_the_conditions_they_name(tmp_path):
    _, correct = make_run(tmp_path, "C")
    results = only(tmp_path)
    names = [condition.name for condition in CONDITIONS]
    (heat_map,) = results.heat_maps
    assert heat_map.occluders == ("leaf", "mug")
    assert heat_map.places[:2] == ("10 % c", "10 % r1")
    assert heat_map.values[1][7] == pytest.approx(100 * correct[:, names.index("mug_20_r3")].mean())
    (curve,) = results.curves
    assert [ratio for ratio, _ in curve.points] == [0, 0.1, 0.2]
    at_20 = [column for column, condition in enumerate(CONDITIONS) if condition.parameters.get("ratio") == 0.2]
    assert curve.points[2][1].value == pytest.approx(100 * correct[:, at_20].mean())
    expected = accuracy_by_class(outcomes(correct))
    assert {row.name: row.values[0] for row in results.classes} == pytest.approx(
        {f"class {label}": 100 * value for label, value in expected.items()}
    )
    assert [row.values[0] for row in results.classes] == sorted(100 * value for value in expected.values())
    assert {row.images for row in results.classes} == {IMAGES // CLASSES}


def test_classes_and_occluders_are_named_where_the_runs_name_them(tmp_path):
    names = [f"species {label}" for label in range(CLASSES)]
    make_run(tmp_path, "C", classes=names, pair_occluders={"leaf": "leaf-hash", "cup": "cup-hash"})
    results = only(tmp_path)
    assert sorted(row.name for row in results.classes) == names
    assert "1 of 2" in dict(results.provenance)["Train and test occluders"]


def test_provenance_names_every_rule_that_rows_were_trained_by(tmp_path):
    make_run(tmp_path, "C", facts_more={"warm_up": {"epochs": 20, "batch_size": 64}})
    facts = dict(only(tmp_path).provenance)
    assert facts["Warm-up of all rows"] == "batch_size 64, epochs 20"
    assert facts["Training"] == "epochs 3"


def test_provenance_has_no_warm_up_where_there_was_none(tmp_path):
    make_run(tmp_path, "C", facts_more={"warm_up": None})
    assert not any("Warm-up" in name for name, _ in only(tmp_path).provenance)


def test_cost_is_held_against_the_network_alone_where_every_run_measured_it(tmp_path):
    make_run(tmp_path, "C", seed=0, bare_images_per_s=1000.0)
    make_run(tmp_path, "C", seed=1, bare_images_per_s=250.0)
    make_run(tmp_path, "F", seed=0, bare_images_per_s=1000.0)
    make_run(tmp_path, "F", seed=1)
    found = {cost.label: cost.of_bare for cost in only(tmp_path).costs}
    assert found == {"C": pytest.approx((0.5 + 2.0) / 2), "F": None}


def test_two_test_sets_never_share_a_table(tmp_path):
    make_run(tmp_path, "C")
    make_run(tmp_path, "C-Full", test_set="set-b")
    results = build_results(tmp_path, draws=DRAWS)
    assert [(item.test_set, [row.label for row in item.rows]) for item in results] == [
        ("set-a", ["C"]),
        ("set-b", ["C-Full"]),
    ]
    for item in results:
        assert any("2 test sets" in warning and "must not be compared" in warning for warning in item.warnings)


def test_a_changed_training_rule_is_another_table_named_by_what_changed(tmp_path):
    make_run(tmp_path, "C")
    make_run(tmp_path, "C", train={"epochs": 9})
    assert sorted(item.setting for item in build_results(tmp_path, draws=DRAWS)) == ["train.epochs 3", "train.epochs 9"]


def test_a_method_from_a_file_stands_beside_the_built_in_ones(tmp_path):
    make_run(tmp_path, "C")
    make_run(tmp_path, "C-Full", facts_more={"mine.py:Mine": "ab" * 32})
    assert [row.label for row in only(tmp_path).rows] == ["C", "C-Full"]


def test_runs_trained_on_another_split_are_not_taken_for_seeds(tmp_path):
    make_run(tmp_path, "C")
    make_run(tmp_path, "C", facts_more={"images": "another split, same test images"})
    assert [len(item.runs) for item in build_results(tmp_path, draws=DRAWS)] == [1, 1]


def test_two_settings_of_one_arm_are_two_rows_and_no_claim_is_judged_on_either(tmp_path):
    make_run(tmp_path, "C", benchmark="oxford102")
    for alpha in (0.8, 0.9):
        make_run(tmp_path, "C-Full", benchmark="oxford102", arm_options={"alpha": alpha})
    results = only(tmp_path)
    assert [row.label for row in results.rows] == ["C", "C-Full, arm.alpha 0.8", "C-Full, arm.alpha 0.9"]
    first = results.verdicts[0]
    assert first.statement == "avg(C-Full) > avg(C)"
    assert (first.verdict, first.margin) == ("not judged", None)
    assert "2 settings" in first.reason


def test_missing_seeds_arms_and_unfinished_runs_are_reported(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, "C", seed, benchmark="caltech101-inclusive")
    make_run(tmp_path, "F", 0, benchmark="caltech101-inclusive")
    (tmp_path / "0123" / "train").mkdir(parents=True)
    (tmp_path / "4567" / "train").mkdir(parents=True)
    (tmp_path / "4567" / "checkpoint.safetensors").touch()  # a warm-up: trained, and never meant to be scored
    warnings = " ".join(only(tmp_path).warnings)
    assert "F has no finished run of seed 1" in warnings
    assert "without a finished run: C-Full, F-Full" in warnings
    assert "not finished, and left out: 0123." in warnings


def test_the_papers_numbers_stand_beside_ours_and_its_claims_are_judged(tmp_path):
    for arm, share in (("C", 60), ("F", 110), ("C-Full", 160), ("F-Full", 210)):
        make_run(tmp_path, arm, benchmark="caltech101-inclusive", backbone="torchvision/resnet18", share=share)
    results = only(tmp_path)
    assert results.columns == ("clean", "20c", "20r", "10c", "10r", "avg")
    cell = row_of(results, "C-Full").cells[-1]
    assert cell.published == 62.52
    assert cell.difference == pytest.approx(cell.number.value - 62.52)
    (verdict,) = (item for item in results.verdicts if item.title == "order of the arms")
    values = [row_of(results, arm).cells[-1].number.value for arm in ("F-Full", "C-Full", "F", "C")]
    assert verdict.verdict == "holds"
    assert verdict.margin.value == pytest.approx(-np.diff(values).max())
    assert not any("the paper's row" in warning for warning in results.warnings)


def test_a_column_of_the_papers_that_averages_ours_stands_behind_them(tmp_path):
    """CUB-200's table has 20 and 10, each the mean of centre and random positions."""
    _, correct = make_run(tmp_path, "C", benchmark="cub200", backbone="torchvision/resnet50")
    make_run(tmp_path, "C-Full", benchmark="cub200", backbone="torchvision/resnet50", share=160)
    (table,) = build_results(tmp_path, draws=DRAWS)
    assert table.columns == ("clean", "20c", "20r", "20", "10c", "10r", "10", "avg")
    cells = dict(zip(table.columns, table.rows[0].cells, strict=True))
    assert [cells[name].published for name in table.columns] == [81.86, None, None, 35.75, None, None, 61.09, 48.42]
    twenty = [column for column, condition in enumerate(CONDITIONS) if condition.group in ("20c", "20r")]
    assert cells["20"].number.value == pytest.approx(100 * correct[:, twenty].mean())
    assert cells["20"].difference == pytest.approx(cells["20"].number.value - 35.75)
    quoted = {row.arm: row.values for row in table.published_only}
    assert quoted["A3M"] == (86.12, None, None, 37.16, None, None, 62.73, 49.94)
    (verdict,) = table.verdicts
    assert verdict.statement == "min(20(C-Full) - 20(C), 10(C-Full) - 10(C)) > 0"
    assert verdict.verdict == "holds"


def test_beside_each_backbone_stands_the_papers_row_of_it(tmp_path):
    backbones = {"timm/convnext_base.fb_in1k": 87.68, "timm/swin_base_patch4_window7_224.ms_in1k": 88.65}
    for backbone in backbones:
        make_run(tmp_path, "none", benchmark="dfeat-patchdrop", backbone=backbone)
    results = only(tmp_path)
    assert {row.backbone: row.cells[0].published for row in results.rows} == backbones
    assert not any("the paper's row" in warning for warning in results.warnings)
    left = [row.arm for row in results.published_only]
    assert len(left) == 10
    assert "cutmix, ConvNeXt-Base" in left
    assert not any(name.startswith("none") for name in left)


def test_arms_that_differ_in_their_twins_share_a_table(tmp_path):
    make_run(tmp_path, "C")
    for number, arm in enumerate(("F", "C-Full")):
        make_run(tmp_path, arm, facts_more={"twins": f"twins-{number}"})
    assert {row.label for row in only(tmp_path).rows} == {"C", "F", "C-Full"}


def test_another_backbone_than_the_papers_is_said(tmp_path):
    make_run(tmp_path, "C", benchmark="caltech101-inclusive")
    assert "C is tiny; the paper's row beside it is ResNet18." in only(tmp_path).warnings


def test_each_backbone_has_its_own_baseline(tmp_path):
    for backbone in ("tiny", "torchvision/resnet18"):
        for arm in ("C-Full", "C"):
            make_run(tmp_path, arm, backbone=backbone)
    pairs = {(item.label, item.baseline) for item in only(tmp_path).comparisons}
    assert pairs == {
        ("C-Full, tiny", "C, tiny"),
        ("C-Full, torchvision/resnet18", "C, torchvision/resnet18"),
    }


def test_a_model_that_is_always_right_has_no_interval_of_zero_width(tmp_path):
    make_run(tmp_path, "C", share=256)
    clean = only(tmp_path).rows[0].cells[0].number
    assert (clean.value, clean.high) == (100, 100)
    assert clean.low < 97


def test_the_average_is_the_papers(tmp_path):
    _, correct = make_run(tmp_path, "C")
    assert only(tmp_path).rows[0].cells[-1].number.value == pytest.approx(100 * avg_over_occlusion(outcomes(correct)))


def test_nothing_finished_says_what_to_run(tmp_path):
    (tmp_path / "abc" / "train").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"found 1 unfinished.*run-benchmark"):
        build_results(tmp_path)
    with pytest.raises(DatasetError, match="found none"):
        build_results(tmp_path / "nowhere")


def test_a_manifest_of_another_version_is_one_line(tmp_path):
    home, _ = make_run(tmp_path, "C")
    content = json.loads((home / "manifest.json").read_text())
    del content["facts"]
    write_json(home / "manifest.json", content)
    with pytest.raises(DatasetError, match="lacks facts"):
        build_results(tmp_path)
    (home / "manifest.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged"):
        build_results(tmp_path)


def test_lost_predictions_are_one_line(tmp_path):
    home, _ = make_run(tmp_path, "C")
    shutil.rmtree(home / "scores")
    with pytest.raises(DatasetError, match="holds no predictions"):
        build_results(tmp_path)
    make_run(tmp_path, "C")
    make_run(tmp_path, "F")
    block_file(home / "scores" / "set-a", CONDITIONS[3]).unlink()
    with pytest.raises(DatasetError, match="different images, conditions or cells"):
        build_results(tmp_path)


def test_claims_of_a_benchmark_that_is_not_packaged_come_from_its_file(tmp_path):
    make_run(tmp_path / "runs", "C", benchmark="mine", share=60)
    make_run(tmp_path / "runs", "C-Full", benchmark="mine", share=200)
    content = {
        "name": "mine",
        "source": {"name": "toyparts"},
        "occlusions": [{"name": "patterns"}],
        "split": {"train_per_class": 5},
        "backbones": ["tiny"],
        "arms": {name: ARMS[name] for name in ("C-Full", "C", "F")},
        "claims": ["avg(C-Full) < avg(C)"],
    }
    (tmp_path / "mine.yaml").write_text(json.dumps(content))
    (results,) = build_results(tmp_path / "runs", str(tmp_path / "mine.yaml"), draws=DRAWS)
    assert [(item.statement, item.verdict) for item in results.verdicts] == [("avg(C-Full) < avg(C)", "fails")]
    assert [row.label for row in results.rows] == ["C-Full", "C"], "in the order of the file"
    assert "The benchmark has arms without a finished run: F." in results.warnings


def test_accuracy_over_the_level_is_a_curve_where_shares_of_the_object_are_hidden(tmp_path, monkeypatch):
    conditions = (CLEAN, *Levels(types=("white", "object")).conditions)
    monkeypatch.setitem(globals(), "CONDITIONS", conditions)
    _, correct = make_run(tmp_path, "C")
    results = only(tmp_path)
    (curve,) = results.curves
    assert curve.of == "object"
    assert [share for share, _ in curve.points] == pytest.approx([0, 0.3, 0.5, 0.7])
    assert curve.points[3][1].value == pytest.approx(100 * correct[:, 5:7].mean())
    assert results.heat_maps == ()
    assert "area under accuracy vs level" in dict(results.rows[0].summaries)


def test_shares_of_the_image_and_of_the_object_are_not_drawn_on_one_axis(tmp_path, monkeypatch):
    patch = Condition("patchdrop-20", "patch_drop", "patchdrop-20", {"loss": 0.2})
    monkeypatch.setitem(globals(), "CONDITIONS", (CLEAN, *Levels(types=("white",)).conditions, patch))
    make_run(tmp_path, "C")
    assert only(tmp_path).curves == ()
