"""The page on reproducing MSL: its commands on made trees of the published shapes, and its benchmarks end to end.

The networks are exchanged for a tiny one, and images are small; everything else is what the page says.
"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occbench.bench.tables.table import build_results
from occbench.sources.toyparts_scenes import ToyPartsScenes
from occbench.sources.voc_files import CLASSES

PAGE = Path(__file__).parents[2] / "docs" / "reproduce" / "msl.md"
COUNT = {"trainval": 18, "test": 8}


def photograph(number, split):
    made = ToyPartsScenes(images=20, size_px=64, split="train" if split == "trainval" else "test")[number]
    return Image.fromarray(made.image), made.labels


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "JPEG", quality=90)


def lay_out_voc(root):
    """VOCdevkit/VOC2007 with both splits; in every third image one more class has difficult objects alone."""
    home = root / "VOCdevkit" / "VOC2007"
    (home / "ImageSets" / "Main").mkdir(parents=True)
    (home / "Annotations").mkdir()
    for split, count in COUNT.items():
        flags = {name: [] for name in CLASSES}
        for number in range(count):
            image, labels = photograph(number, split)
            name = f"{number + (1000 if split == 'test' else 0):06d}"
            save(image, home / "JPEGImages" / f"{name}.jpg")
            difficult = [19] if number % 3 == 0 else []
            objects = [
                f"<object><name>{CLASSES[label]}</name><difficult>{int(label in difficult)}</difficult><bndbox>"
                "<xmin>3</xmin><ymin>3</ymin><xmax>40</xmax><ymax>44</ymax></bndbox></object>"
                for label in [*labels, *difficult]
            ]
            (home / "Annotations" / f"{name}.xml").write_text(f"<annotation>{''.join(objects)}</annotation>")
            for label, own in enumerate(flags.values()):
                own.append(f"{name} {1 if label in labels else 0 if label in difficult else -1:2d}\n")
        for name, lines in flags.items():
            (home / "ImageSets" / "Main" / f"{name}_{split}.txt").write_text("".join(lines))
    return root / "VOCdevkit"


def lay_out_coco(root):
    """COCO's own layout of 2014: 80 categories whose ids have gaps, a crowd, and an image of which nothing is said."""
    ids = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
    categories = [{"id": number, "name": f"category {number}"} for number in ids]
    for split, folder in (("trainval", "train2014"), ("test", "val2014")):
        images, annotations = [], []
        for number in range(COUNT[split]):
            image, labels = photograph(number, split)
            name = f"COCO_{folder}_{number:012d}.jpg"
            save(image, root / folder / name)
            images.append({"id": number, "file_name": name, "width": 64, "height": 64})
            for label in labels if number != 5 else ():
                side = 20 + 3 * label
                annotations.append({
                    "id": len(annotations) + 1, "image_id": number, "category_id": ids[label], "iscrowd": 0,
                    "area": side * side, "bbox": [1, 1, side, side],
                    "segmentation": [[1, 1, 1 + side, 1, 1 + side, 1 + side, 1, 1 + side]],
                })  # fmt: skip
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{folder}.json").write_text(json.dumps(content))
    return root


def lay_out_wider(root):
    """Two persons a photograph, 14 attributes of 1, -1 and 0 (unspecified)."""
    (root / "wider_attribute_annotation").mkdir(parents=True)
    for split, count in COUNT.items():
        images = []
        for number in range(count // 2):
            image, labels = photograph(number, split)
            name = f"{'train' if split == 'trainval' else split}/0--Parade/{number}.jpg"
            save(image, root / "Image" / name)
            attributes = [1 if label in labels else -1 for label in range(13)] + [0]
            persons = [{"bbox": box, "attribute": attributes} for box in ([0, 0, 40, 64], [20, 4, 44, 58])]
            images.append({"file_name": name, "targets": persons, "scene_id": 0})
        content = json.dumps({"images": images, "attribute_id_map": {}, "scene_id_map": {}})
        (root / "wider_attribute_annotation" / f"wider_attribute_{split}.json").write_text(content)
    return root


def lay_out_masks(root):
    """Mask files of few and of many hidden pixels."""
    root.mkdir()
    for number, rows in enumerate((2, 5, 33, 37)):
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[:rows] = 255
        Image.fromarray(mask).save(root / f"{number:05d}.png")
    return root


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("msl")
    return {
        "VOCDEVKIT": lay_out_voc(root / "voc"),
        "COCO": lay_out_coco(root / "coco"),
        "WIDER": lay_out_wider(root / "wider"),
        "MASKS": lay_out_masks(root / "masks"),
    }


SMALL = (
    "backbones=[tiny]", "pretrained=false", "prepare.size_px=32", "train.batch_size=8",
    *(f"arms.{arm}.method.masks=6" for arm in ("msl", "msl-no-csra", "msl-low", "msl-patches")),
)  # fmt: skip


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("occbench run-benchmark")]


def made_small(command, places, runs):
    """Return a command on the made trees, with a tiny network and small images; weights of other networks left out."""
    words = []
    for word in command[1:]:
        key, equals, value = word.rpartition("=")
        words.append(f"{key}{equals}{places.get(value, value)}")
    if "--weights" in words:
        place = words.index("--weights")
        assert words[place + 1].startswith("torchvision/resnet101=")
        del words[place : place + 2]
    words[words.index("--runs") + 1] = str(runs)
    name = words[1]
    known = (PAGE.parents[2] / "benchmarks" / f"{name}.yaml").read_text()
    small = [
        setting for setting in SMALL if not setting.startswith("arms.") or f"\n  {setting.split('.')[1]}:" in known
    ]
    return [*words, *(part for setting in small for part in ("--set", setting))]


def test_the_page_has_the_commands_of_every_benchmark_of_the_paper():
    names = [command[2] for command in commands()]
    assert set(names) == {path.stem for path in (PAGE.parents[2] / "benchmarks").glob("*-msl*.yaml")}
    assert all(command[-1] == "--dry-run" for command in commands())


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(commands())))
def test_every_command_of_the_page_plans_a_run(occbench_cli, places, tmp_path, number):
    command = made_small(commands()[number], places, tmp_path / "runs")
    code, out, err = occbench_cli(*command)
    assert code == 0, err
    assert "nothing was written" in out
    assert not (tmp_path / "runs").exists()
    training = {"voc": 18, "coc": 17, "wid": 18}[command[1][:3]]
    held_out = 0 if "split.validation_share=0" in command else 2
    assert f"{training - held_out} training, {held_out} validation" in out
    tested = {"voc": 8, "coc": 7, "wid": 8}[command[1][:3]]
    assert f"{tested} test images x 3 conditions" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place", "columns"),
    [
        ("voc07-msl", "VOCDEVKIT", {"clean", "clean/cf1", "irregular-high/cr"}),
        ("coco14-msl", "COCO", {"clean", "clean/op", "irregular-high/cf1"}),
        ("wider-msl", "WIDER", {"clean", "clean/of1"}),
    ],
)
def test_a_benchmark_of_the_paper_trains_scores_and_stands_beside_its_table(
    occbench_cli, places, tmp_path, name, place, columns
):
    command = ["occbench", "run-benchmark", name, "--source", place, "--runs", "runs"]
    words = made_small(command, places, tmp_path)
    code, _, err = occbench_cli(
        *words, "--arms", "csra,msl", "--seeds", "0", "--set", "train.epochs=2", "--set", "train.step_epochs=1",
        "--set", "train.warmup_epochs=0.5",
    )  # fmt: skip
    assert code == 0, err
    (results,) = build_results(tmp_path, draws=50)
    assert columns <= set(results.columns)
    assert [row.arm for row in results.rows] == ["csra", "msl"]
    published = {column: cell.published for column, cell in zip(results.columns, results.rows[1].cells, strict=True)}
    assert published["clean"] == {"voc07-msl": 96.1, "coco14-msl": 86.4, "wider-msl": 90.6}[name]
    judged = [item for item in results.verdicts if item.verdict != "not judged"]
    assert {item.statement for item in judged} >= {"clean(msl) > clean(csra)"}
    quoted = {"voc07-msl": "SST w/ MSL", "coco14-msl": "SSGRL", "wider-msl": "VAC"}[name]
    assert quoted in {row.arm for row in results.published_only}
    titles = [table.title for table in results.metric_tables]
    assert ("By size of the object" in titles) == (name != "wider-msl")
