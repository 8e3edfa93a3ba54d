"""Cutting occluders out of annotated photographs: only usable objects, no background, the same bytes every time."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as codec

from occbench.core.errors import ConfigError, SourceError
from occbench.occlusions.banks.bank import load_bank
from occbench.occlusions.banks.cutting import CutRule
from occbench.occlusions.banks.from_coco import cut_occluders

OBJECT, BACKGROUND = (210, 40, 60), (10, 90, 30)
RULE = CutRule(min_area_px=100)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> list[int]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


class Photographs:
    """A folder of one-coloured photographs with COCO annotations."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.coco = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "traffic light"}, {"id": 3, "name": "mug"}],
        }

    def add(self, *rings: list[int], category: int = 3, **changes) -> None:
        number = len(self.coco["images"]) + 1
        pixels = np.empty((100, 120, 3), dtype=np.uint8)
        pixels[:] = BACKGROUND
        for ring in rings:
            pixels[ring[1] : ring[5], ring[0] : ring[2]] = OBJECT
        Image.fromarray(pixels).save(self.folder / f"{number}.png")
        x0, y0 = min(ring[0] for ring in rings), min(ring[1] for ring in rings)
        x1, y1 = max(ring[2] for ring in rings), max(ring[5] for ring in rings)
        self.coco["images"].append({"id": number, "file_name": f"{number}.png", "height": 100, "width": 120})
        self.coco["annotations"].append(
            {
                "id": number,
                "image_id": number,
                "category_id": category,
                "iscrowd": 0,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": [list(ring) for ring in rings],
            }
            | changes
        )

    def cut(self, out: str = "bank", **options):
        path = self.folder / "instances.json"
        path.write_text(json.dumps(self.coco))
        return cut_occluders(path, self.folder, self.folder / out, **({"rule": RULE} | options))


@pytest.fixture
def photographs(tmp_path) -> Photographs:
    return Photographs(tmp_path)


def test_the_folder_written_is_a_bank(photographs):
    photographs.add(rectangle(20, 20, 60, 60))
    photographs.add(rectangle(20, 20, 70, 70))
    photographs.add(rectangle(20, 20, 60, 60), category=2)
    report = photographs.cut()
    bank = load_bank(photographs.folder / "bank")
    assert report.written == ("mug1", "mug2", "traffic-light1")
    assert report.skipped == {}
    assert [(o.name, o.category, o.look) for o in bank.occluders] == [
        ("mug1", "mug", 1),
        ("mug2", "mug", 2),
        ("traffic-light1", "traffic-light", 1),
    ]
    assert [occluder.rgba.shape[0] for occluder in bank.occluders] == [50, 40, 40]  # the larger mug comes first


def test_a_cut_out_shows_the_object_and_nothing_of_the_background(photographs):
    photographs.add(rectangle(20, 30, 80, 70))
    photographs.cut()
    (occluder,) = load_bank(photographs.folder / "bank").occluders
    rgba = occluder.rgba
    assert rgba.shape == (40, 60, 4)
    assert (rgba[rgba[..., 3] > 0, :3] == OBJECT).all()
    assert (rgba[1:-1, 1:-1, 3] == 255).all()
    assert set(np.unique(rgba[[0, -1], :, 3])) == {128}  # half covered: feathered by one pixel


@pytest.mark.parametrize(
    ("rings", "changes", "reason"),
    [
        ([rectangle(20, 20, 60, 60)], {"category_id": 1}, "excluded category"),
        ([rectangle(20, 20, 60, 60)], {"iscrowd": 1}, "crowd"),
        ([rectangle(1, 20, 60, 60)], {}, "touches the image border"),
        ([rectangle(20, 20, 60, 99)], {}, "touches the image border"),
        ([rectangle(20, 20, 28, 28)], {}, "too small"),
        ([rectangle(20, 20, 28, 28)], {"bbox": [20, 20, 40, 40]}, "too small"),
        ([rectangle(20, 20, 40, 40), rectangle(60, 60, 80, 80)], {}, "in several pieces"),
        ([rectangle(10, 20, 90, 30)], {}, "too thin for its box"),
        ([rectangle(10, 10, 20, 90), rectangle(10, 80, 90, 90)], {}, "too thin for its box"),
        ([rectangle(10, 10, 25, 70), rectangle(10, 55, 70, 70)], {}, "too jagged"),
        ([rectangle(20, 20, 60, 60)], {"segmentation": None}, "broken segmentation"),
        ([rectangle(20, 20, 60, 60)], {"segmentation": []}, "broken segmentation"),
        ([rectangle(20, 20, 60, 60)], {"segmentation": [[20, 20, 60, 60]]}, "broken segmentation"),
        ([rectangle(20, 20, 60, 60)], {"segmentation": [[20, 20, 60, "x", 60, 60]]}, "broken segmentation"),
        (
            [rectangle(20, 20, 60, 60)],
            {"segmentation": {"size": [100, 120], "counts": [5, 7]}},
            "broken segmentation",
        ),
        (
            [rectangle(20, 20, 60, 60)],
            {"segmentation": {"size": [9, 9], "counts": [81]}},
            "broken segmentation",
        ),
        ([rectangle(20, 20, 60, 60)], {"bbox": None}, "incomplete annotation"),
        ([rectangle(20, 20, 60, 60)], {"bbox": [20, 20, "4", 40]}, "incomplete annotation"),
        ([rectangle(20, 20, 60, 60)], {"image_id": 99}, "incomplete annotation"),
    ],
)
def test_an_unusable_object_is_skipped_and_counted(photographs, rings, changes, reason):
    photographs.add(rectangle(20, 20, 60, 60))
    photographs.add(*rings, **changes)
    report = photographs.cut()
    assert report.written == ("mug1",)
    assert report.skipped == {reason: 1}


def test_run_lengths_and_polygons_give_the_same_cut(photographs):
    photographs.add(rectangle(20, 30, 60, 80))
    photographs.cut("polygon")
    counts = [20 * 100 + 30, 50, *[50] * (2 * 39), 20 + 60 * 100]  # column by column
    runs = {"size": [100, 120], "counts": counts}
    compressed = codec.frPyObjects(runs, 100, 120)
    for out, segmentation in (("runs", runs), ("text", compressed | {"counts": compressed["counts"].decode()})):
        photographs.coco["annotations"][0]["segmentation"] = segmentation
        photographs.cut(out)
    assert len({load_bank(photographs.folder / out).fingerprint for out in ("polygon", "runs", "text")}) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"broken")])
def test_an_unreadable_photograph_costs_only_its_own_objects(photographs, spoil):
    photographs.add(rectangle(20, 20, 60, 60))
    photographs.add(rectangle(20, 20, 70, 70))
    spoil(photographs.folder / "2.png")
    report = photographs.cut()
    assert report.written == ("mug1",)
    assert report.skipped == {"unreadable image": 1}


def test_count_and_looks_are_limits(photographs):
    for category in (3, 3, 3, 2, 2):
        photographs.add(rectangle(20, 20, 60, 60), category=category)
    two = CutRule(per_category=2, min_area_px=100)
    assert photographs.cut("a", rule=two).written == ("mug1", "mug2", "traffic-light1", "traffic-light2")
    assert photographs.cut("b", rule=two, count=3).written == ("mug1", "mug2", "traffic-light1")


def test_the_same_input_gives_the_same_bytes(photographs):
    photographs.add(rectangle(20, 20, 60, 60))
    photographs.cut()
    before = {path.name: path.read_bytes() for path in (photographs.folder / "bank").iterdir()}
    photographs.cut()
    assert {path.name: path.read_bytes() for path in (photographs.folder / "bank").iterdir()} == before


def test_a_folder_of_something_else_is_left_alone(photographs):
    photographs.add(rectangle(20, 20, 60, 60))
    (photographs.folder / "bank").mkdir()
    (photographs.folder / "bank" / "mug1.png").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="not a bank"):
        photographs.cut()
    assert (photographs.folder / "bank" / "mug1.png").read_bytes() == b"mine"


def test_annotations_that_cannot_serve_are_named(photographs, tmp_path):
    photographs.add(rectangle(20, 20, 60, 60), category=1)
    with pytest.raises(SourceError, match="1 excluded category"):
        photographs.cut()
    with pytest.raises(SourceError, match="no annotation file"):
        cut_occluders(tmp_path / "gone.json", tmp_path, tmp_path / "out")
    for text, message in (("no JSON", "not JSON"), ('{"images": []}', "needs annotations"), ("[]", "needs images")):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(SourceError, match=message):
            cut_occluders(tmp_path / "odd.json", tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match="count of 1 or more"):
        photographs.cut(count=0)


@pytest.mark.parametrize("options", [{"per_category": 0}, {"min_area_px": 0}, {"fill": 0.0}, {"solidity": 1.5}])
def test_a_rule_that_makes_no_sense_is_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        CutRule(**options)


@pytest.mark.slow
def test_real_photographs_give_usable_occluders(real_data, tmp_path):
    report = cut_occluders(
        real_data / "coco_sample" / "instances.json", real_data / "coco_sample" / "images", tmp_path / "bank", count=12
    )
    bank = load_bank(tmp_path / "bank")
    assert [occluder.name for occluder in bank.occluders] == list(report.written)
    assert len(bank.occluders) == 12
    assert not any(occluder.category == "person" for occluder in bank.occluders)
    assert all(occluder.alpha_mass > 0.2 * max(occluder.rgba.shape[:2]) ** 2 for occluder in bank.occluders)
