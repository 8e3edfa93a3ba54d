"""The benchmarks of LEARN on made trees in the released layouts, and every command of the page that reproduces it."""

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from occbench.bench.protocol.benchmark import load_benchmark
from occbench.bench.tables.table import build_results
from occbench.sources.pascal3d_layouts import CLASSES, TYPES, VEHICLES
from occbench.sources.toyparts import ToyParts

PAGE = Path(__file__).parents[2] / "docs" / "reproduce" / "learn.md"
TRAIN, TEST = 6, 2
SMALL = (
    "backbones=[tiny]", "pretrained=false", "prepare.size_px=32", "warm_up.epochs=1", "warm_up.batch_size=12",
    "train.epochs=1", "train.batch_size=12", "train.trainable=all", "seeds=[0]",
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn():
    """Return a function: (class label, number, split) -> a picture."""
    sources = {split: ToyParts(images_per_class=TRAIN, size_px=48, split=split) for split in ("train", "test")}
    return lambda label, number, split: Image.fromarray(sources[split][number * 12 + label].image)


def save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "JPEG", quality=95)


@pytest.fixture(scope="module")
def data(tmp_path_factory, drawn):
    """The folder DATA of the page: classification set and vehicles of COCO as they were released."""
    root = tmp_path_factory.mktemp("released")
    for label, name in enumerate(CLASSES):
        files = [f"n{label:04d}_{number}" for number in range(TRAIN)]
        occluded = root / "pascal3d+_occ"
        for number, file in enumerate(files):
            picture = drawn(label, number, "train")
            save(picture, occluded / "TRAINING_DATA" / f"{name}_imagenet" / f"{file}.JPEG")
        (occluded / f"{name}_imagenet_train.txt").write_text("\n".join(files))
        if name in VEHICLES:
            write_test(root, name, [drawn(label, number, "test") for number in range(TEST)])
            write_coco(root / "coco_occ", name, [drawn(label, number, "train") for number in range(TRAIN)])
    return root


def write_test(root, name, pictures):
    folder = root / "pascal3d+_occ"
    listed = [f"m{number}_0" for number in range(len(pictures))]
    (folder / f"{name}_imagenet_occ.txt").write_text("\n".join(listed))
    for file, picture in zip(listed, pictures, strict=True):
        save(picture, folder / f"{name}LEVELZERO" / f"{file[:-2]}.JPEG")
        for hidden, level in ((14, "ONE"), (24, "FIVE"), (34, "NINE")):
            for suffix in TYPES.values():
                occluded = picture.copy()
                occluded.paste((255, 255, 255), (0, 0, 48, hidden))
                save(occluded, folder / f"{name}LEVEL{level}{suffix}" / f"{file}.JPEG")


def write_coco(folder, name, pictures):
    folder.mkdir(exist_ok=True)
    for level in ("ZERO_train", "ZERO_test", "ONE", "FIVE", "NINE"):
        listed = [f"{level}_{number}" for number in range(len(pictures))]
        (folder / f"{name}_{level}.txt").write_text("\n".join(listed))
        for file, picture in zip(listed, pictures, strict=True):
            save(picture, folder / f"{name}_{'zero' if 'ZERO' in level else 'occ'}" / f"{file}.jpg")


@pytest.fixture(scope="module")
def coco(tmp_path_factory, drawn):
    """The folder COCO of the page: eight categories, six objects of each, a photograph each."""
    root = tmp_path_factory.mktemp("coco")
    names = load_benchmark("coco-sample-levels").source.options["categories"]
    images, annotations = [], []
    for number in range(8 * 7):
        label = number % 8
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 140, "height": 140})
        save(drawn(label, number // 8 % TRAIN, "train").resize((140, 140)), root / "images" / f"{number}.jpg")
        annotations.append(
            {
                "id": number, "image_id": number, "category_id": label, "iscrowd": 0, "area": 10000,
                "bbox": [20, 20, 100, 100], "segmentation": [[70, 20, 120, 70, 70, 120, 20, 70]],
            }
        )  # fmt: skip
    categories = [{"id": label, "name": name} for label, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def caltech(tmp_path_factory, drawn):
    """The folder CALTECH of the page, in which five classes are left."""
    root = tmp_path_factory.mktemp("caltech")
    for number, name in enumerate(("accordion", "Faces", "umbrella", "watch", "yin_yang")):
        for image in range(TRAIN + 2):
            picture = drawn(number, image % TRAIN, "train")
            save(picture, root / "101_ObjectCategories" / name / f"image_{image:04d}.jpg")
    return root


def run(occbench_cli, *command, sets=()):
    code, out, err = occbench_cli(*command, *[part for item in sets for part in ("--set", item)])
    assert code == 0, err
    return out


def commands():
    """Every command of the page, as a list of words."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.startswith("occbench")
    ]
    return [shlex.split(line)[1:] for line in lines]


def test_the_page_has_the_commands_of_every_benchmark():
    named = {words[1] for words in commands() if words[0] == "run-benchmark"}
    assert named == {
        "pascal3d-levels", "coco-vehicles", "toyparts-levels", "caltech101-learn", "coco-sample-levels",
    }  # fmt: skip
    levels = {word for words in commands() for word in words if "test_source.level" in word}
    assert levels == {f"split.test_source.level={level}" for level in ("zero", "one", "five", "nine")}


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for words in commands() if "--dry-run" in words], ids=" ".join)
def test_every_command_of_the_page_plans_on_a_tree_in_the_released_layout(
    occbench_cli, data, coco, caltech, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    folders = {"DATA": data, "COCO": coco, "CALTECH": caltech}
    given = [str(folders.get(word, word)) for word in words]
    if words[0] == "generate":
        out = run(occbench_cli, *given)
        assert "56 clean images" in out
        return
    sets = [*SMALL, "split.pair_per_class=2"]
    if words[1] == "caltech101-learn":
        sets += ["split.train_per_class=5", "split.head_classes=3"]
    out = run(occbench_cli, *given, "--arms", "frozen,plain,learn,sdbe", sets=sets)
    assert "4 cells (0 finished)" in out
    assert re.search(r"\d+ (s|min|h)", out)
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/manifest.json"))


def test_pascal3d_levels_is_scored_in_thirteen_columns_and_its_claims_are_judged(occbench_cli, data, tmp_path):
    arms = "frozen,learn,learn-no-intra,learn-no-inter,learn-no-cls,knn"
    command = ("run-benchmark", "pascal3d-levels", "--source", data, "--runs", tmp_path, "--arms", arms)
    out = run(occbench_cli, *command, sets=[*SMALL, "split.validation_share=0.2"])
    assert f"{12 * (TRAIN - 1)} training, 12 validation" in out
    assert f"{TEST * 6} test images x 13 conditions" in out
    (results,) = build_results(tmp_path, draws=50)
    assert results.rows[0].arm == "frozen"
    assert results.columns[0] == "clean"
    assert set(results.columns[1:]) == {
        *(f"l{level}-{kind}" for level in (1, 2, 3) for kind in (*TYPES, "all")), "avg",
    }  # fmt: skip
    judged = {item.title or item.statement: item.verdict for item in results.verdicts if item.statement}
    assert len(judged) == 1 + 6
    assert "gain at 60 to 80 % hidden" in judged
    assert "not judged" not in judged.values()
    assert results.published_source == "arXiv 2402.06936 (figures quoted from its text)" + (
        ", arXiv 2402.06936 (figures quoted from its text; clean is given as about 100 %)"
    )


def test_answers_are_twelve_way_where_six_classes_are_tested(occbench_cli, data, tmp_path):
    command = ("run-benchmark", "pascal3d-levels", "--source", data, "--runs", tmp_path, "--arms", "frozen")
    run(occbench_cli, *command, sets=SMALL)
    (folder,) = [path.parent for path in tmp_path.glob("*/manifest.json")]
    split = json.loads((folder / "split.json").read_text())
    assert split["classes"] == list(CLASSES)
    assert {key.partition("-")[0] for key in split["test"]} == set(VEHICLES)
    assert {key.partition("-")[0] for key in split["train"]} == set(CLASSES)


@pytest.mark.parametrize("trained_on", ["classification", "coco"])
def test_coco_vehicles_is_tested_on_one_level_of_real_occlusion(occbench_cli, data, tmp_path, trained_on):
    command = ("run-benchmark", "coco-vehicles", "--source", data, "--runs", tmp_path, "--arms", "frozen,learn")
    changes = [f"source.data={trained_on}", "split.test_source.level=five"]
    if trained_on == "coco":
        changes += ["source.vehicles_only=true", "split.test_source.vehicles_only=true"]
    run(occbench_cli, *command, sets=[*SMALL, *changes])
    (results,) = build_results(tmp_path, draws=50)
    assert results.images == 6 * TRAIN
    folder = next(path.parent for path in tmp_path.glob("*/manifest.json"))
    split = json.loads((folder / "split.json").read_text())
    assert all("five" in key for key in split["test"])
    assert len({key.partition("-")[0] for key in split["train"]}) == (12 if trained_on == "classification" else 6)
    assert [item.verdict for item in results.verdicts if item.statement] != []


def test_levels_of_coco_vehicles_have_tables_of_their_own(occbench_cli, data, tmp_path):
    for level in ("one", "nine"):
        command = ("run-benchmark", "coco-vehicles", "--source", data, "--runs", tmp_path, "--arms", "frozen")
        run(occbench_cli, *command, sets=[*SMALL, f"split.test_source.level={level}"])
    assert len(build_results(tmp_path, draws=50)) == 2
