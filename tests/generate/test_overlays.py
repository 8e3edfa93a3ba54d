"""Overlays that are stored: made once, batch by batch, read back by everything, whatever interrupts the run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from occbench.core.errors import BrokenImageError, ConfigError, DatasetError
from occbench.data.datasets import VirtualDataset, load
from occbench.data.layout import WORK_FOLDER
from occbench.data.manifest import read_manifest
from occbench.data.recipe import parse_recipe
from occbench.data.schema import OVERLAYS
from occbench.data.verify import verify
from occbench.engine.local import LocalExecutor
from occbench.generate.estimate import default_workers, estimate
from occbench.generate.plan import plan
from occbench.generate.run import generate

STORAGES = {
    "virtual": {},
    "png": {"layout": "materialised"},
    "jpeg": {"layout": "materialised", "occluded": "jpeg"},
    "tar": {"layout": "materialised", "format": "webdataset"},
}

FAMILY = '''
"""A family whose overlays are stored: what it paints comes from a counter that no reader has."""
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occbench import Condition, Occlusion, Overlay
from occbench.core.errors import BrokenImageError


@dataclass(frozen=True)
class Painted(Occlusion):
    """Paints a square; says in a file what it was asked for."""

    log: str
    model: str = "first"
    wait_s: float = 0.0
    refused: str = ""

    per_image = True
    recomputable = False
    batch_size = 3
    conditions = (Condition("painted-1", "painted", "painted"), Condition("painted-2", "painted", "painted"))

    def overlay(self, example, condition, seed):
        raise AssertionError("it is asked for batches, and by readers not at all")

    def overlays(self, examples, condition, seed):
        with Path(self.log).open("a") as log:
            log.write(" ".join([condition.name, *(example.key for example in examples)]) + chr(10))
        time.sleep(self.wait_s)
        return [self._one(example, condition, seed) for example in examples]

    def hidden(self, example, condition, seed):
        mask = np.zeros(example.image.shape[:2], dtype=np.bool_)
        side = 8 if condition.name == "painted-1" else 12
        mask[4 : 4 + side, 6 : 6 + side] = True
        return mask

    def provenance(self):
        return {"model": self.model}

    def _one(self, example, condition, seed):
        if example.key == self.refused:
            return BrokenImageError("it shows nothing to paint on")
        hidden = self.hidden(example, condition, seed)
        side = int(hidden.sum() ** 0.5)
        colour = (len(self.model) * 7 + sum(map(ord, example.key + example.class_names[0])) + seed) % 256
        rgba = np.full((side, side, 4), (colour, 3, 200, 255), dtype=np.uint8)
        return Overlay(rgba, 6, 4, float(hidden.mean()))
'''


@pytest.fixture
def content(tmp_path, tiny_content):
    """Return a function that makes a recipe of a stored family beside a rendered one."""
    family = tmp_path / "painted.py"
    family.write_text(FAMILY)

    def make(storage="png", **options):
        occlusions = [
            {"name": "patch_drop", "losses": [0.5]},
            {"name": f"{family}:Painted", "log": str(tmp_path / "log.txt"), **options},
        ]
        return {**tiny_content(rows_per_shard=15, **STORAGES[storage]), "occlusions": occlusions}

    return make


@pytest.fixture
def make(tmp_path, tiny_images, content):
    """Return a function that generates into ``tmp_path/<name>``; shards of 5 images, batches of 3."""

    def run(name, storage="png", source=tiny_images, limit=None, strict=False, executor=None, **options):
        recipe = parse_recipe(content(storage, **options), "painted")
        generate(recipe, tmp_path / name, source_path=str(source), limit=limit, strict=strict, executor=executor)
        return tmp_path / name

    return run


@pytest.fixture
def asked(tmp_path):
    """Return a function that tells what the family was asked for, a list a batch, and forgets it."""

    def read():
        log = tmp_path / "log.txt"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split() for line in lines]

    return read


@pytest.mark.parametrize("storage", STORAGES)
def test_every_reader_sees_the_stored_overlays_and_asks_the_family_nothing(make, asked, storage):
    out = make("out", storage)
    assert sum(len(batch) - 1 for batch in asked()) == 2 * 12
    report = verify(out)
    assert report.problems == ()
    assert report.rows == 12 * 3
    virtual = VirtualDataset(out)
    if storage == "png":
        stored = load(out)
        assert all(torch.equal(stored[row]["image"], virtual[row]["image"]) for row in range(len(stored)))
    for row in (1, 2, 34, 35):
        item = virtual[row]
        assert (item["image"][2] == 200).sum() >= 64
        assert item["achieved"] == (64 if item["condition"] == "painted-1" else 144) / 48**2
    assert asked() == []
    manifest = read_manifest(out)
    assert [dict(item) for item in manifest.made_by] == [
        {"family": manifest.recipe.occlusions[1].name, "model": "first"}
    ]
    assert manifest.achieved["painted"]["least"] == 64 / 48**2


def test_overlay_shards_are_what_the_specification_says(make):
    out = make("out")
    files = sorted((out / "overlays").iterdir())
    assert [file.name for file in files] == [f"shard-{number:05d}.parquet" for number in range(3)]
    rows = []
    for number, file in enumerate(files):
        table = pq.ParquetFile(file)
        assert table.schema_arrow.names == OVERLAYS.names
        assert {table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)} == {2}
        rows += table.read().to_pylist()
        clean = pq.read_table(out / "clean" / file.name)["key"].to_pylist()
        assert [row["key"] for row in rows[10 * number :: 2]] == clean
    assert [row["row"] for row in rows] == [3 * image + place for image in range(12) for place in (1, 2)]
    assert {row["condition"] for row in rows} == {"painted-1", "painted-2"}
    assert all('"model":"first"' in row["made_by"] for row in rows)
    assert [file.path for file in read_manifest(out).files if file.path.startswith("overlays/")] == [
        f"overlays/{file.name}" for file in files
    ]


def test_worker_processes_make_the_same_bytes(make, bytes_of):
    assert bytes_of(make("one", executor=LocalExecutor(2))) == bytes_of(make("other"))


class StoppedError(Exception):
    """Stands for the end of the process."""


def test_an_interrupted_run_makes_no_batch_twice(make, tmp_path, asked, bytes_of, monkeypatch):
    expected = make("whole")
    batches = asked()
    from occbench.generate import overlays

    write, written = overlays.parquet_writer, []

    def stop_after_five(path, *arguments, **options):
        if len(written) == 5:
            raise StoppedError
        written.append(path)
        return write(path, *arguments, **options)

    monkeypatch.setattr(overlays, "parquet_writer", stop_after_five)
    with pytest.raises(StoppedError):
        make("out")
    assert asked() == batches[:6], "the sixth was made and lost"
    monkeypatch.undo()
    out = make("out")
    assert asked() == batches[5:]
    assert bytes_of(out) == bytes_of(expected)
    assert not (out / WORK_FOLDER).exists()


def test_a_batch_that_waits_is_not_given_to_another_model(make, tmp_path, snapshot):
    with pytest.raises(BrokenImageError, match=r"bee-0: it shows nothing to paint on\. Without --strict"):
        make("out", strict=True, refused="bee-0")
    before = snapshot(tmp_path / "out")
    assert any(name.startswith(f"{WORK_FOLDER}/overlays/shard-00000/painted-1-") for name in before)
    with pytest.raises(DatasetError, match="an unfinished run of another recipe, source, limit or model"):
        make("out", refused="bee-0", model="second")
    assert snapshot(tmp_path / "out") == before


def test_another_model_is_another_dataset(make):
    one, other = (read_manifest(make(model, model=model)) for model in ("first", "second"))
    assert one.pixels_fingerprint != other.pixels_fingerprint
    assert one.dataset_fingerprint != other.dataset_fingerprint


def test_images_that_the_family_refuses_are_set_aside(make, asked, bytes_of):
    out = make("out", refused="bee-1")
    manifest = read_manifest(out)
    assert (manifest.images, manifest.quarantined) == (11, 1)
    assert "it shows nothing to paint on" in (out / "quarantine.jsonl").read_text()
    assert verify(out).problems == ()
    assert "bee-1" not in {load(out)[row]["key"] for row in range(33)}


def test_images_that_cannot_be_decoded_are_set_aside(make, tiny_images, tmp_path, asked):
    source = shutil.copytree(tiny_images, tmp_path / "images")
    (source / "apple/1.png").write_bytes(b"")
    out = make("out", source=source)
    assert read_manifest(out).quarantined == 1
    assert not any("apple-1" in batch for batch in asked())
    assert verify(out).problems == ()
    with pytest.raises(BrokenImageError, match=r"apple-1: .*zero bytes.*Without --strict"):
        make("strict", source=source, strict=True)


def test_a_plan_keeps_shards_of_stored_overlays_short(content, tiny_images):
    recipe = parse_recipe(content(), "x")
    recipe = recipe.model_copy(update={"storage": recipe.storage.model_copy(update={"rows_per_shard": 10**6})})
    assert plan(recipe, recipe.open_source(str(tiny_images)), str(tiny_images)).images_per_shard == 256
    drawn = recipe.model_copy(update={"occlusions": recipe.occlusions[:1]})
    assert plan(drawn, drawn.open_source(str(tiny_images)), str(tiny_images)).images_per_shard == 10**6


@pytest.fixture
def inpainting(tiny_pipeline):
    """A recipe of twins: parts of toyparts blacked out and inpainted by the tiny pipeline."""
    inpaint = {"name": "inpaint", "model": str(tiny_pipeline), "steps": 2, "size_px": 64, "dtype": "fp32"}
    return {
        "name": "twins",
        "source": {"name": "toyparts", "images_per_class": 1, "size_px": 64},
        "prepare": {"rule": "direct", "size_px": 64},
        "occlusions": [{"name": "part_blackout"}, {**inpaint, "batch_size": 4}],
        "storage": {"layout": "materialised"},
    }


def test_a_blackout_and_its_inpainting_of_a_dataset_hide_the_same_pixels(tmp_path, inpainting):
    recipe = parse_recipe(inpainting, "twins")
    manifest = generate(recipe, tmp_path / "out", limit=5)
    assert verify(tmp_path / "out").problems == ()
    assert manifest.made_by[0]["revision"].startswith("sha256:")
    dataset = load(tmp_path / "out")
    for image in range(5):
        black, filled = dataset[2 * image]["image"], dataset[2 * image + 1]["image"]
        assert dataset[2 * image]["achieved"] == dataset[2 * image + 1]["achieved"]
        differ = (black != filled).any(0)
        assert (black[:, differ] == 0).all(), "only what is black in the one is painted in the other"
        assert 0.9 < differ.float().mean() / dataset[2 * image]["achieved"] <= 1


def test_a_dry_run_says_hours_of_the_device(inpainting):
    recipe = parse_recipe(inpainting, "twins")
    found = estimate(plan(recipe, recipe.open_source(), ""), images=24_095)
    assert (found.images, found.devices) == (24_095, 1)
    assert found.sampled_images == 1, "without a GPU an image takes as long alone as in a batch"
    assert "processor" in found.device
    assert found.core_s > 0
    assert found.wall_s(8) == found.core_s
    assert replace(found, devices=4).wall_s(8) == found.core_s / 4
    assert default_workers(recipe) == 1
    drawn = recipe.model_copy(update={"occlusions": recipe.occlusions[:1]})
    assert default_workers(drawn) == os.cpu_count()


def test_a_missing_model_is_told_before_anything_is_written(tmp_path, inpainting):
    inpainting["occlusions"][1]["model"] = "sd2-community/stable-diffusion-2-inpainting"
    recipe = parse_recipe(inpainting, "twins")
    with pytest.raises(ConfigError, match="hf download sd2-community/stable-diffusion-2-inpainting"):
        generate(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_reader_needs_no_model(tmp_path, inpainting, tiny_pipeline):
    model = shutil.copytree(tiny_pipeline, tmp_path / "model")
    inpainting["occlusions"][1]["model"] = str(model)
    inpainting["storage"]["layout"] = "virtual"
    generate(parse_recipe(inpainting, "twins"), tmp_path / "out", limit=3)
    shutil.rmtree(model)
    assert verify(tmp_path / "out").problems == ()
    assert np.isfinite(load(tmp_path / "out")[1]["achieved"])


def kill_when(process, ready):
    end = time.monotonic() + 120
    while process.poll() is None and not ready():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the run must not be over before it is killed"


def command(recipe, out, *more):
    start = "from occbench.cli import main; main()"
    return [sys.executable, "-c", start, "generate", str(recipe), "--out", str(out), "--workers", "0", *more]


def test_killed_again_and_again_it_loses_a_batch_each_time(make, content, recipe_file, tiny_images, tmp_path, asked):
    expected = make("whole", wait_s=0.05)
    batches = asked()
    arguments = command(recipe_file(content(wait_s=0.05)), tmp_path / "out", "--source", str(tiny_images))
    log = tmp_path / "log.txt"
    for count in (2, 4):
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        kill_when(process, lambda least=count: log.exists() and len(log.read_text().splitlines()) >= least)
    subprocess.run(arguments, check=True, capture_output=True)
    made = asked()
    assert len(batches) < len(made) <= len(batches) + 2
    assert {tuple(batch) for batch in made} == {tuple(batch) for batch in batches}
    whole, resumed = read_manifest(expected), read_manifest(tmp_path / "out")
    assert resumed.files == whole.files


@pytest.mark.slow
def test_inpainting_killed_in_the_middle_gives_the_same_dataset(tmp_path, inpainting, recipe_file, bytes_of):
    inpainting["occlusions"][1] |= {"batch_size": 2, "steps": 20}
    generate(parse_recipe(inpainting, "twins"), tmp_path / "whole")
    arguments = command(recipe_file(inpainting), tmp_path / "out")
    batches = tmp_path / "out" / WORK_FOLDER / "overlays"
    for count in (1, 3):
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        kill_when(process, lambda least=count: len(list(batches.rglob("*.parquet"))) >= least)
    subprocess.run(arguments, check=True, capture_output=True)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")
