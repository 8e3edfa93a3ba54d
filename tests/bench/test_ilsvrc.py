"""The four ILSVRC benchmarks end to end, on a made stand-in in ImageNet's folder layout, under all their patterns."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from occbench.sources.toyparts import ToyParts

SYNSETS = [f"n{10000000 + 1013 * number:08d}" for number in range(12)]
TRAIN, VALIDATION = 6, 1
#: What makes a benchmark of a thousand classes small: 8 classes to tell apart, 2 to pair, a network of seconds.
SMALL = {
    "split.head_classes": 8,
    "split.pair_classes": 2,
    "split.pair_per_class": 2,
    "split.validation_share": 0.2,
    "prepare.size_px": 32,
    "prepare.shorter_side_px": 36,
    "seeds": "[0]",
    "train.epochs": 1,
    "train.batch_size": 16,
}
#: benchmark -> (arms, occluded columns, occluders that test images show)
EXPECTED = {
    "ilsvrc-exclusive": (["C", "C-Full"], 240, 30),
    "ilsvrc-inclusive": (["F", "C-Full", "F-Full"], 240, 30),
    "ilsvrc-crosspattern": (["F", "F-Full"], 160, 20),
    "ilsvrc-vgg16": (["C", "F", "C-Full", "F-Full"], 240, 30),
}


@pytest.fixture(scope="module")
def ilsvrc(tmp_path_factory):
    """``train`` with a folder of JPEG files for each synset, and ``val`` flat with the labels in a file beside it."""
    root = tmp_path_factory.mktemp("ilsvrc")
    drawn = {
        "train": ToyParts(images_per_class=TRAIN, size_px=48, split="train"),
        "test": ToyParts(images_per_class=VALIDATION, size_px=48, split="test"),
    }
    labels = []
    (root / "val").mkdir()
    for part, source in drawn.items():
        for index in range(len(source)):
            synset = SYNSETS[source.labels_of(index)[0]]
            image = Image.fromarray(source[index].image).resize((60, 48))
            if part == "train":
                (root / "train" / synset).mkdir(parents=True, exist_ok=True)
                image.save(root / "train" / synset / f"{synset}_{index}.JPEG", "JPEG", quality=90)
            else:
                labels.append(f"ILSVRC2012_val_{index + 1:08d}.JPEG {synset}")
                image.save(root / "val" / f"ILSVRC2012_val_{index + 1:08d}.JPEG", "JPEG", quality=90)
    (root / "val.txt").write_text("\n".join(labels) + "\n")
    return root


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory):
    """Weights of a tiny network whose head has all synsets: a benchmark takes the rows of its own classes."""
    from occbench.models.tiny import Tiny

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(Tiny().build(len(SYNSETS)).state_dict(), path)
    return path


def run(occbench_cli, ilsvrc, runs, name, changes, *options):
    settings = {
        **SMALL,
        "split.test_source.path": ilsvrc / "val",
        "split.test_source.labels_file": ilsvrc / "val.txt",
        **changes,
    }
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = ("run-benchmark", name, "--source", ilsvrc / "train", "--runs", runs, *sets, *options)
    code, out, err = occbench_cli(*command)
    assert code == 0, err
    return out


def check(occbench_cli, runs, report, name, arms=()):
    """The report has every arm and column and the paper's table; every claim whose arms there are has a verdict."""
    known, columns, occluders = EXPECTED[name]
    arms = arms or known
    code, _, err = occbench_cli("report", runs, "--out", report)
    assert code == 0, err
    text = (report / "report.md").read_text()
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if "seeds" in line)
    shown = [cell.strip() for cell in lines[start].split("|")[3:-1]]
    assert (shown[0], shown[-1]) == ("clean", "avg")
    assert sorted(shown[1:-1]) == ["10c", "10r", "20c", "20r"], "in the paper's order, where it prints them"
    rows = lines[start + 2 : lines.index("", start)]
    assert [row.split("|")[1].strip().replace("\\", "") for row in rows] == arms
    heat_map = lines.index("## Occluders: " + arms[0]) + 2
    assert lines.index("", heat_map) - heat_map - 2 == occluders
    assert "arXiv 2011.00768" in text
    assert ("not judged" in text) == (arms != known)
    manifests = [json.loads(path.read_text()) for path in runs.glob("*/manifest.json")]
    assert sorted(found["arm"] for found in manifests) == sorted(arms)
    for home in [path.parent for path in runs.glob("*/manifest.json")]:
        assert len(list(home.glob("scores/*/block-*.parquet"))) == 1 + columns
    return manifests


def test_exclusive_runs_to_a_report(occbench_cli, ilsvrc, tiny_weights, tmp_path):
    changes = {"backbones": "[tiny]", "train.trainable": "all"}
    out = run(occbench_cli, ilsvrc, tmp_path / "runs", "ilsvrc-exclusive", changes, "--weights", f"tiny={tiny_weights}")
    assert "2 cells" in out
    manifests = check(occbench_cli, tmp_path / "runs", tmp_path / "report", "ilsvrc-exclusive")
    for manifest in manifests:
        assert len(manifest["classes"]) == 8
        assert manifest["backbone_weights"]["head"] == "rows of 12"
        assert manifest["backbone_weights"]["head_rows"] == [SYNSETS.index(name) for name in manifest["classes"]]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", EXPECTED)
def test_all_four_run_to_a_report_with_networks_of_the_papers_kind(occbench_cli, ilsvrc, tmp_path, name):
    backbone = "torchvision/vgg16" if name == "ilsvrc-vgg16" else "torchvision/resnet18"
    changes = {
        "backbones": f"[{backbone}]",
        "pretrained": "false",
        "pretrained_head": "false",
        "split.pair_per_class": 1,
        # a hundred million weights before the feature vector: frozen, so that all arms share what they make of an image
        **({"train.trainable": "head"} if name == "ilsvrc-vgg16" else {}),
    }
    run(occbench_cli, ilsvrc, tmp_path / "runs", name, changes)
    check(occbench_cli, tmp_path / "runs", tmp_path / "report", name)
