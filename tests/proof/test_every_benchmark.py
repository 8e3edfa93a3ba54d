"""Every benchmark trains each of its arms for an epoch, scores it and reports it, with a tiny network and few images.

Splits, occlusions, methods and heads are the benchmark's. A benchmark that is added needs a line in ``BENCHMARKS``; a
test proves that none is missing.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from occbench.bench.protocol.benchmark import load_benchmark
from occbench.data.config import read_yaml

FOLDER = Path(__file__).parents[2] / "benchmarks"
#: Test images at most.
TESTED = 12
#: What every benchmark is made small by.
SMALL = {
    "backbones": "[tiny]", "pretrained": "false", "seeds": "[0]", "prepare.size_px": 32, "train.epochs": 1,
    "train.batch_size": 8, "train.trainable": "all", "train.precision": "fp32",
}  # fmt: skip
#: Methods that take the network as they find it.
NEVER_TRAIN = {"frozen", "knn", "linear_probe"}
#: One part of a rule of resizing, and of a schedule, that has to fit to the rest.
_SHORTER_SIDE, _STEPS = {"prepare.shorter_side_px": 36}, {"train.step_epochs": 1, "train.warmup_epochs": 0.5}
_MASKS = {"method.masks": 6}


@dataclass(frozen=True)
class Case:
    """What a benchmark is given.

    Attributes:
        place: that it reads, or nothing.
        changes: settings beside ``SMALL``; {SOURCE} stands for the place, {PIPELINE} for a tiny diffusion model.
        of_arms: settings of arms, by arm.
    """

    place: str = ""
    changes: dict = field(default_factory=dict)
    of_arms: dict = field(default_factory=dict)


def ilsvrc(**changes):
    """Return the case of a benchmark of ImageNet: training images in class folders, validation images flat."""
    return Case(
        "ILSVRC/train",
        {
            **_SHORTER_SIDE, "pretrained_head": "false", "split.head_classes": 8, "split.pair_classes": 2,
            "split.validation_share": 0.2, "split.test_source.path": "{SOURCE}/../val",
            "split.test_source.labels_file": "{SOURCE}/../val.txt",
        } | changes,
    )  # fmt: skip


def dfeat(changes):
    """Return the case of a benchmark of D-Feat."""
    models = {"model": "{PIPELINE}", "dtype": "fp32"}
    return Case(
        "PARTIMAGENET/parts",
        _SHORTER_SIDE | {"source.classes_file": "{SOURCE}/../words.txt", "occlusions.0.patch_px": 8} | changes,
        {
            "sd_inpaint": {f"twins.{key}": value for key, value in (models | {"size_px": 64, "steps": 1}).items()},
            "sd_features": {f"method.{key}": value for key, value in models.items()},
        },
    )


def msl(place, *arms):
    """Return the case of a benchmark of MSL; some arms draw from few masks."""
    return Case(place, _STEPS, dict.fromkeys(arms, _MASKS))


_TOYPARTS = {"source.size_px": 32, "source.images_per_class": 6}
_DRAWN_TEST = {"split.test_source.size_px": 32, "split.test_source.images_per_class": 2, "split.test_per_class": 2}
_SCENES = {"source.size_px": 32, "source.images": 24, "split.test_source.size_px": 32, "split.test_source.images": 12}
_CALTECH = {"split.train_per_class": 4, "split.test_per_class": 1, "split.pair_classes": 3}
_CALTECH_LEARN = _CALTECH | {"split.pair_classes": "all", "split.head_classes": 3}
_SOME_HELD_OUT = {"split.validation_share": 0.25}

BENCHMARKS = {
    "ar-faces": Case("AR", {"split.pair_classes": 4}),
    "caltech101-exclusive": Case("CALTECH", _CALTECH),
    "caltech101-inclusive": Case("CALTECH", _CALTECH),
    "caltech101-learn": Case("CALTECH", _CALTECH_LEARN | _SOME_HELD_OUT),
    "coco-sample-levels": Case("COCO_OBJECTS", {"split.test_per_class": 2}),
    "coco-sample-multilabel": Case("COCO_SAMPLE", {}, {"msl": _MASKS}),
    "coco-vehicles": Case("PASCAL3D", _SOME_HELD_OUT),
    "coco14-msl": msl("COCO2014", "msl", "msl-no-csra", "msl-low", "msl-patches"),
    "coco14-msl-vit": msl("COCO2014", "msl", "msl-no-csra", "msl-low"),
    "cub200": Case("CUB", {"split.pair_classes": 3, **_SOME_HELD_OUT}),
    "dfeat-patchdrop": dfeat(
        {
            "split.test_source.path": "{SOURCE}/../val", "split.test_source.only_from": "{SOURCE}",
            "split.test_source.classes_file": "{SOURCE}/../words.txt",
        }
    ),
    "dfeat-real": dfeat(
        {
            "split.test_source.path": "{SOURCE}/../real", "split.test_source.class_map": "{SOURCE}/../map.csv",
            "split.test_source.classes_file": "{SOURCE}/../classes.txt",
            "split.test_source.only": "[photos of n02000000, photos of n02001013, photos of n02002026]",
        }
    ),
    "dfeat-toy": Case(
        "",
        _TOYPARTS | _DRAWN_TEST,
        {
            "sd_inpaint": {"twins.model": "{PIPELINE}", "twins.size_px": 64, "twins.steps": 1},
            "sd_features": {"method.model": "{PIPELINE}"},
        },
    ),
    "ilsvrc-crosspattern": ilsvrc(),
    "ilsvrc-exclusive": ilsvrc(),
    "ilsvrc-inclusive": ilsvrc(),
    "ilsvrc-vgg16": ilsvrc(),
    "oxford102": Case("FLOWERS", {"split.train_per_class": 3, "split.pair_classes": 3, "split.test_per_class": 1}),
    "pascal3d-levels": Case("PASCAL3D", _SOME_HELD_OUT),
    "quickstart": Case("", _TOYPARTS | _DRAWN_TEST),
    "toyparts-levels": Case("", _TOYPARTS | _DRAWN_TEST),
    "toyparts-multilabel": Case(
        "",
        _SCENES,
        dict.fromkeys(("msl", "msl-no-rcg", "msl-no-mabr", "msl-no-laco", "msl-low", "msl-patches"), _MASKS),
    ),
    "voc07-msl": msl("VOC", "msl", "msl-no-csra", "msl-low", "msl-patches"),
    "voc07-msl-vit": msl("VOC", "msl", "msl-no-csra", "msl-low"),
    "wider-msl": msl("WIDER", "msl"),
}  # fmt: skip


def test_every_benchmark_has_its_line():
    assert set(BENCHMARKS) == {path.stem for path in FOLDER.glob("*.yaml")}


def settings_of(name, source, pipeline):
    """Return the words of ``--set`` that make a benchmark small."""
    case = BENCHMARKS[name]
    settings = SMALL | case.changes
    asked = read_yaml(FOLDER / f"{name}.yaml", "benchmark")
    settings |= {"split.pair_per_class": 1} if "pair_per_class" in asked["split"] else {}
    settings |= {"warm_up.epochs": 1, "warm_up.batch_size": 8} if asked.get("warm_up") else {}
    for arm, changes in case.of_arms.items():
        settings |= {f"arms.{arm}.{key}": value for key, value in changes.items()}
    given = {key: str(value).format(SOURCE=source, PIPELINE=pipeline) for key, value in settings.items()}
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_trains_scores_and_reports_every_arm(occbench_cli, folder_of, tiny_pipeline, tmp_path, name):
    place, runs, report = BENCHMARKS[name].place, tmp_path / "runs", tmp_path / "report"
    source = folder_of(place) if place else None
    command = ["run-benchmark", name, "--runs", runs, "--test-images", TESTED]
    command += ["--source", source] if source else []
    code, _, err = occbench_cli(*command, *settings_of(name, source, tiny_pipeline))
    assert code == 0, err
    benchmark = load_benchmark(name)
    homes = {json.loads(file.read_text())["arm"]: file.parent for file in runs.glob("*/manifest.json")}
    assert set(homes) == set(benchmark.arms)
    for arm, home in homes.items():
        if benchmark.arms[arm].method.name not in NEVER_TRAIN:
            assert (home / "train" / "curves.csv").read_text().count("\n") == 2, f"{arm}: a header and an epoch"
    code, _, err = occbench_cli("report", runs, "--out", report)
    assert code == 0, err
    with (report / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["section"] == "accuracy"]
    shown = {arm: [row for row in rows if row["row"] == arm] for arm in homes}
    columns = {row["item"] for row in rows}
    assert "avg" in columns
    for arm, own in shown.items():
        assert {row["item"] for row in own} == columns, arm
        assert all(0 <= float(row["low"]) <= float(row["value"]) <= float(row["high"]) <= 100 for row in own), arm
    assert (report / "report.html").stat().st_size > 10_000
