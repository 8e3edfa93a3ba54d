"""The D-Feat benchmarks end to end, on made trees in the layouts of PartImageNet and ImageNet and a tiny pipeline."""

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from occbench.bench.tables.table import build_results
from occbench.sources.toyparts import ToyParts

SYNSETS = [f"n{2000000 + 1013 * number:08d}" for number in range(6)]
OTHER = "n09999999"  # a class of ImageNet's that PartImageNet does not have
TRAIN, TEST = 4, 2
PAGE = Path(__file__).parents[2] / "docs" / "reproduce" / "dfeat.md"
ARMS = ["none", "part_blackout", "cutmix", "part_replace", "sd_inpaint", "sd_features"]


def photograph(label, number, split):
    return Image.fromarray(ToyParts(images_per_class=TRAIN, size_px=48, split=split)[number * 12 + label].image).resize(
        (60, 48)
    )


def annotated(names):
    """Return COCO annotations: every image has two parts, rectangles of different sizes."""
    boxes = [(4, 4, 30, 20), (10, 30, 20, 12)]
    return {
        "images": [{"id": place, "file_name": name, "width": 60, "height": 48} for place, name in enumerate(names)],
        "categories": [{"id": part, "name": f"Part {part}", "supercategory": "Thing"} for part in range(2)],
        "annotations": [
            {
                "id": 2 * place + part,
                "image_id": place,
                "category_id": part,
                "segmentation": [[x, y, x + width, y, x + width, y + height, x, y + height]],
                "area": width * height,
                "bbox": [x, y, width, height],
                "iscrowd": 0,
            }
            for place in range(len(names))
            for part, (x, y, width, height) in enumerate(boxes)
        ],
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """``parts`` (PartImageNet_Seg), ``val`` (ImageNet), ``real`` with its class map and classes, ``words.txt``."""
    root = tmp_path_factory.mktemp("dfeat")
    for place, split in enumerate(("train", "val", "test")):
        names = []
        for label, synset in enumerate(SYNSETS):
            numbers = range(TRAIN)[place : place + 1] if split != "train" else (0, TRAIN - 1)
            for number in numbers:
                names.append(f"{synset}_{place * TRAIN + number}.JPEG")
                file = root / "parts" / "images" / split / names[-1]
                file.parent.mkdir(parents=True, exist_ok=True)
                photograph(label, number, "train").save(file, "JPEG", quality=90)
        folder = root / "parts" / "annotations" / split
        folder.mkdir(parents=True)
        (folder / f"{split}.json").write_text(json.dumps(annotated(names)))
    for label, synset in enumerate([*SYNSETS, OTHER]):
        for number in range(TEST):
            for file in (
                root / "val" / synset / f"{number}.JPEG",
                root / "real" / f"photos of {synset}" / f"{number}.png",
            ):
                file.parent.mkdir(parents=True, exist_ok=True)
                photograph(label, number, "test").save(file)
    (root / "words.txt").write_text("".join(f"{synset} thing {synset[-3:]}, item\n" for synset in [*SYNSETS, OTHER]))
    classes = [f"thing {synset[-3:]}" for synset in SYNSETS]
    (root / "classes.txt").write_text("\n".join(classes) + "\n")
    shown = zip(SYNSETS[:4], classes, strict=False)  # as in the paper, not every class has photographs
    (root / "map.csv").write_text("".join(f"photos of {synset},{name}\n" for synset, name in shown))
    return root


def run(occbench_cli, data, runs, name, pipeline, arms, **changes):
    settings = {
        "source.classes_file": data / "words.txt",
        "backbones": "[tiny]",
        "pretrained": "false",
        "prepare.size_px": 32,
        "prepare.shorter_side_px": 36,
        "occlusions.0.patch_px": 8,
        "train.epochs": 1,
        "train.batch_size": 8,
        "train.precision": "fp32",
        "seeds": "[0]",
        **changes,
    }
    for arm, part in (("sd_inpaint", "twins"), ("sd_features", "method")):
        settings |= {f"arms.{arm}.{part}.model": pipeline, f"arms.{arm}.{part}.dtype": "fp32"}
    settings |= {"arms.sd_inpaint.twins.size_px": 64, "arms.sd_inpaint.twins.steps": 1}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = ("run-benchmark", name, "--source", data / "parts", "--runs", runs, "--arms", ",".join(arms), *sets)
    code, out, err = occbench_cli(*command)
    assert code == 0, err
    return out


@pytest.fixture
def of_imagenet(data):
    return {
        "split.test_source.path": data / "val",
        "split.test_source.only_from": data / "parts",
        "split.test_source.classes_file": data / "words.txt",
    }


def test_patchdrop_trains_all_arms_and_judges_the_papers_claims(
    occbench_cli, data, of_imagenet, tiny_pipeline, tmp_path
):
    out = run(occbench_cli, data, tmp_path, "dfeat-patchdrop", tiny_pipeline, ARMS, **of_imagenet)
    assert f"{TRAIN * len(SYNSETS)} training, 0 validation" in out
    assert f"{TEST * len(SYNSETS)} test images x 5 conditions" in out
    (results,) = build_results(tmp_path, draws=50)
    assert [row.arm for row in results.rows] == ARMS
    assert results.columns == ("clean", "patchdrop-20", "patchdrop-40", "patchdrop-60", "patchdrop-80", "avg")
    judged = [item for item in results.verdicts if item.statement]
    assert len(judged) == 6
    assert all(item.verdict in ("holds", "fails", "undecided") for item in judged)
    assert all(dict(row.summaries)["top-5, occluded"] > 0 for row in results.rows)
    split = json.loads(next(tmp_path.glob("*/split.json")).read_text())
    assert split["classes"] == [f"thing {synset[-3:]}" for synset in SYNSETS]
    assert len(split["train"]) == TRAIN * len(SYNSETS)


@pytest.mark.slow
def test_inpainted_twins_may_be_made_once_beforehand(occbench_cli, data, of_imagenet, tiny_pipeline, tmp_path):
    made = tmp_path / "inpaint"
    settings = {
        "source": "{name: part_imagenet}",
        "source.classes_file": data / "words.txt",
        "prepare": "{rule: shorter_side, size_px: 32, shorter_side_px: 36}",
        "occlusions.0.model": tiny_pipeline,
        "occlusions.0.dtype": "fp32",
        "occlusions.0.size_px": 64,
        "occlusions.0.steps": 1,
    }
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    code, _, err = occbench_cli("generate", "part-inpaint", "--source", data / "parts", "--out", made, *sets)
    assert code == 0, err
    twins = {"arms.sd_inpaint.twins": f"{{name: dataset, path: {made}}}"}
    settings = {**of_imagenet, **twins}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    small = [
        "backbones=[tiny]", "pretrained=false", "prepare.size_px=32", "prepare.shorter_side_px=36", "seeds=[0]",
        "train.epochs=1", "train.batch_size=8", "train.precision=fp32", f"source.classes_file={data / 'words.txt'}",
    ]  # fmt: skip
    sets += [part for change in small for part in ("--set", change)]
    command = ("run-benchmark", "dfeat-patchdrop", "--source", data / "parts", "--runs", tmp_path / "runs")
    code, out, err = occbench_cli(*command, "--arms", "sd_inpaint", *sets)
    assert code == 0, err
    assert "sd_inpaint" in out


def test_real_photographs_stand_in_the_column_clean(occbench_cli, data, tiny_pipeline, tmp_path):
    of_real = {
        "split.test_source.path": data / "real",
        "split.test_source.class_map": data / "map.csv",
        "split.test_source.classes_file": data / "classes.txt",
        "split.test_source.only": f"[{', '.join(f'photos of {synset}' for synset in SYNSETS[:4])}]",
    }
    out = run(
        occbench_cli, data, tmp_path, "dfeat-real", tiny_pipeline, ["none", "part_blackout", "sd_features"], **of_real
    )
    assert f"{TEST * 4} test images x 2 conditions" in out
    (results,) = build_results(tmp_path, draws=50)
    assert results.columns == ("clean", "patchdrop-20", "avg")
    (gain,) = (item for item in results.verdicts if item.title == "gain of diffusion features")
    assert gain.verdict in ("holds", "fails", "undecided")
    assert gain.printed == "8.03 points with ConvNeXt-Base"


def dry_runs():
    """Return the page's commands that end in --dry-run, as lists of words."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.endswith("--dry-run")]


#: What makes the page's commands small enough: other networks, smaller images, one step.
SMALL = {
    "part-inpaint": {"prepare.size_px": 32, "occlusions.0.size_px": 64, "occlusions.0.steps": 1},
    "dfeat": {
        "backbones": "[tiny]", "pretrained": "false", "prepare.size_px": 32, "prepare.shorter_side_px": 36,
        "occlusions.0.patch_px": 8, "train.batch_size": 8, "train.precision": "fp32",
        "arms.sd_inpaint.twins.size_px": 64, "arms.sd_inpaint.twins.steps": 1,
    },
}  # fmt: skip
#: Where they name a diffusion model.
MODELS = {"part-inpaint": ("occlusions.0",), "dfeat": ("arms.sd_inpaint.twins", "arms.sd_features.method")}


def test_the_page_has_its_commands():
    assert [words[:2] for words in dry_runs()] == [
        ["generate", "partimagenet-blackout"],
        ["generate", "part-inpaint"],
        ["run-benchmark", "dfeat-patchdrop"],
        ["run-benchmark", "dfeat-real"],
    ]


@pytest.mark.parametrize("words", dry_runs(), ids=lambda words: words[1])
def test_the_pages_commands_are_tried(words, occbench_cli, data, tiny_pipeline, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {
        "PARTIMAGENET": "parts", "VAL": "val", "PHOTOGRAPHS": "real", "synset_words.txt": "words.txt",
        "classes.txt": "classes.txt", "class_map.csv": "map.csv",
    }  # fmt: skip
    given = [re.sub("|".join(places), lambda found: str(data / places[found[0]]), word) for word in words]
    kind = "dfeat" if words[1].startswith("dfeat") else words[1]
    settings = dict(SMALL.get(kind, {}))
    if words[1] == "dfeat-real":  # the map knows no more of the made folders
        settings["split.test_source.only"] = f"[{', '.join(f'photos of {synset}' for synset in SYNSETS[:4])}]"
    for place in MODELS.get(kind, ()):
        settings |= {f"{place}.model": tiny_pipeline, f"{place}.dtype": "fp32"}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    code, out, err = occbench_cli(*given, *sets)
    assert code == 0, err
    assert "nothing was written" in out
    assert not any(tmp_path.iterdir())
