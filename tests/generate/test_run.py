"""From a recipe to a directory: the same bytes whatever the workers, their order or their deaths; nothing half done."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from occbench.core.errors import BrokenImageError, DatasetError, SourceError, StorageError
from occbench.core.files import PART_SUFFIX
from occbench.core.interfaces import Executor
from occbench.core.seeding import stream
from occbench.data.datasets import load
from occbench.data.layout import MANIFEST_FILE, WORK_FOLDER
from occbench.data.manifest import read_manifest
from occbench.data.recipe import parse_recipe
from occbench.data.verify import verify
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

STORAGES = {
    "virtual": {},
    "png": {"layout": "materialised"},
    "jpeg": {"layout": "materialised", "occluded": "jpeg"},
    "tar": {"layout": "materialised", "format": "webdataset"},
}
PNG = STORAGES["png"]


@dataclass(frozen=True)
class Shuffled(Executor):
    """Runs the items in a random order, and stops after some of them as if the process had ended."""

    seed: int
    stop_after: int | None = None

    def map(self, job, items):
        for done, at in enumerate(stream(self.seed, "order").permutation(len(items))):
            if done == self.stop_after:
                raise InterruptedError
            yield items[at], job(items[at])


@pytest.fixture
def make(tmp_path, tiny_recipe, tiny_images):
    """Return a function that generates the tiny dataset into ``tmp_path/<name>``."""

    def run(name, storage=PNG, **options):
        generate(tiny_recipe(**storage), tmp_path / name, source_path=str(tiny_images), **options)
        return tmp_path / name

    return run


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", [1, 2])
def test_the_order_of_shards_does_not_matter(make, finished, bytes_of, storage, order):
    out = make("out", STORAGES[storage], executor=Shuffled(order))
    assert bytes_of(out) == bytes_of(finished(**STORAGES[storage]))


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_make_the_same_bytes(make, finished, bytes_of, workers):
    assert bytes_of(make("out", executor=LocalExecutor(workers))) == bytes_of(finished(**PNG))


@pytest.mark.parametrize("storage", STORAGES)
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, make, finished, bytes_of, snapshot, storage):
    with pytest.raises(InterruptedError):
        make("out", STORAGES[storage], executor=Shuffled(3, stop_after=4))
    out = tmp_path / "out"
    assert not (out / MANIFEST_FILE).exists()
    before = {name: state for name, state in snapshot(out).items() if not name.startswith(".")}
    (out / "clean" / f"shard-00009.parquet.1{PART_SUFFIX}").write_bytes(b"half")
    progress = []
    make("out", STORAGES[storage], on_progress=progress.append)
    assert progress[0].resumed == progress[0].images_done == 8
    assert progress[-1].images_done == progress[-1].images == 12
    after = snapshot(out)
    assert {name: after[name] for name in before} == before, "finished shards are not written again"
    assert bytes_of(out) == bytes_of(finished(**STORAGES[storage]))


@pytest.mark.parametrize("damage", ["truncated shard", "missing shard", "broken report", "empty report"])
def test_what_cannot_be_believed_is_made_again(tmp_path, make, finished, bytes_of, damage):
    with pytest.raises(InterruptedError):
        make("out", executor=Shuffled(3, stop_after=5))
    out = tmp_path / "out"
    shard = sorted((out / "occluded").iterdir())[1]
    report = out / WORK_FOLDER / f"{shard.stem}.json"
    if damage == "truncated shard":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "missing shard":
        (out / "clean" / shard.name).unlink()
    else:
        report.write_text('{"images": 2' if damage == "broken report" else "")
    make("out")
    assert bytes_of(out) == bytes_of(finished(**PNG))


def test_the_same_command_again_changes_nothing(make, snapshot):
    out = make("out")
    before = snapshot(out)
    (out / WORK_FOLDER).mkdir()  # as left by a run that died between manifest and clean-up
    make("out")
    assert snapshot(out) == before
    assert not (out / WORK_FOLDER).exists()


@pytest.mark.parametrize("stop_after", [None, 2], ids=["finished", "unfinished"])
@pytest.mark.parametrize("change", ["recipe", "storage", "limit", "source"])
def test_another_dataset_in_the_directory_is_refused_and_left_alone(
    tmp_path, make, tiny_content, tiny_images, snapshot, change, stop_after
):
    if stop_after is None:
        make("out")
    else:
        with pytest.raises(InterruptedError):
            make("out", executor=Shuffled(1, stop_after))
    before = snapshot(tmp_path / "out")
    content, source, limit = tiny_content(**PNG), tiny_images, None
    if change == "recipe":
        content["seed"] = 99
    elif change == "storage":
        content["storage"]["occluded"] = "jpeg"
    elif change == "limit":
        limit = 6
    else:
        source = shutil.copytree(tiny_images, tmp_path / "images")
        (source / "apple/0.jpg").rename(source / "apple/9.jpg")
    with pytest.raises(DatasetError, match=r"of another recipe, source or limit .*Choose another --out"):
        generate(parse_recipe(content, "x"), tmp_path / "out", source_path=str(source), limit=limit)
    assert snapshot(tmp_path / "out") == before


def test_a_run_that_failed_before_its_first_shard_keeps_nobody_out(make, finished, bytes_of, tmp_path):
    with pytest.raises(InterruptedError):
        make("out", STORAGES["jpeg"], executor=Shuffled(1, stop_after=0))
    (tmp_path / "out/clean").mkdir()
    (tmp_path / f"out/clean/shard-00007.parquet.1{PART_SUFFIX}").touch()
    assert bytes_of(make("out")) == bytes_of(finished(**PNG))


def test_foreign_files_are_left_alone(tmp_path, make, snapshot):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    before = snapshot(tmp_path)
    with pytest.raises(StorageError, match=r"it has 1 entries, thesis.txt among them.*nothing in it was touched"):
        make("out")
    assert snapshot(tmp_path) == before


def test_two_runs_do_not_share_a_directory(tmp_path, make, finished, bytes_of):
    refusals = []

    def intrude(progress):
        if progress.images_done == 4:
            with pytest.raises(StorageError, match=r"another process is making .* right now"):
                make("out")
            refusals.append(progress)

    out = make("out", on_progress=intrude)
    assert refusals
    assert bytes_of(out) == bytes_of(finished(**PNG))


def test_a_limit_is_spread_over_the_classes(make):
    dataset = load(make("out", limit=6))
    keys = [dataset[row]["key"] for row in range(0, len(dataset), 8)]
    assert [key.partition("-")[0] for key in keys] == ["apple", "apple", "bee", "bee", "cup", "cup"]
    assert len(set(keys)) == len(keys)


def broken_images(folder):
    """Spoil some images; return {key: a part of the reason}."""
    jpeg = (folder / "apple/0.jpg").read_bytes()
    (folder / "apple/0.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "apple/1.png").write_bytes(b"")
    (folder / "bee/0.jpg").write_text("<html>not found</html>")
    (folder / "bee/1.png").unlink()
    (folder / "bee/1.png").symlink_to("nowhere.png")
    Image.new("RGB", (1, 1)).save(folder / "cup/0.jpg", format="GIF")  # a name may lie: this one can be read
    (folder / os.fsdecode(b"cup/\xff.jpg")).write_bytes(b"no name, no content")
    return {"apple-0": "truncated", "apple-1": "zero bytes", "bee-0": "starts with", "bee-1": "broken link"}


def test_broken_images_are_set_aside_with_their_reasons(tmp_path, tiny_recipe, tiny_images, finished):
    source = shutil.copytree(tiny_images, tmp_path / "images")
    reasons = broken_images(source)
    out = tmp_path / "out"
    manifest = generate(tiny_recipe(**PNG), out, source_path=str(source))
    lines = [json.loads(line) for line in (out / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()]
    assert manifest.quarantined == len(lines) == 5
    assert manifest.images == 13 - 5
    by_key = {line["key"]: line["reason"] for line in lines}
    assert all(part in by_key.pop(key) for key, part in reasons.items())
    assert "cup/\\udcff.jpg" in next(iter(by_key.values())), "a name that is not UTF-8 is told all the same"
    whole, left = load(finished(**PNG)), load(out)
    expected = {whole[row]["key"]: whole[row]["image"] for row in range(0, len(whole), 8)}
    intact = [left[row] for row in range(0, len(left), 8) if left[row]["key"] != "cup-0"]
    assert len(intact) == 7
    assert all(torch.equal(item["image"], expected[item["key"]]) for item in intact)
    assert verify(out).problems == ()


def test_a_shard_without_a_usable_image_is_empty(tmp_path, tiny_recipe, tiny_images):
    source = shutil.copytree(tiny_images, tmp_path / "images")
    for name in ("apple/0.jpg", "apple/1.png"):
        (source / name).write_bytes(b"")
    out = tmp_path / "out"
    for storage in (PNG, STORAGES["tar"], {}):
        shutil.rmtree(out, ignore_errors=True)
        assert generate(tiny_recipe(**storage), out, source_path=str(source)).images == 10
        assert verify(out).problems == ()
        assert load(out)[0]["key"] == "apple-2"


def test_strict_stops_at_the_first_broken_image(tmp_path, tiny_recipe, tiny_images):
    source = shutil.copytree(tiny_images, tmp_path / "images")
    (source / "bee/0.jpg").write_bytes(b"")
    with pytest.raises(BrokenImageError, match=r"bee-0: .*zero bytes.*Without --strict it would be set aside"):
        generate(tiny_recipe(), tmp_path / "out", source_path=str(source), strict=True)
    assert generate(tiny_recipe(), tmp_path / "out", source_path=str(source)).quarantined == 1


def test_a_source_that_changes_is_not_taken_for_the_old_one(tmp_path, tiny_recipe, tiny_images):
    source = shutil.copytree(tiny_images, tmp_path / "images")
    generate(tiny_recipe(), tmp_path / "before", source_path=str(source))
    shutil.copy(source / "bee/0.jpg", source / "apple/00.jpg")
    assert generate(tiny_recipe(), tmp_path / "after", source_path=str(source)).images == 13

    def change(progress):
        (source / "cup/9.jpg").write_bytes(b"late")

    with pytest.raises(SourceError, match="changed while it was read"):
        generate(
            tiny_recipe(),
            tmp_path / "during",
            source_path=str(source),
            executor=LocalExecutor(1),
            on_progress=change,
        )


PLUGINS = '''
"""A source and an occlusion as a user writes them."""
from dataclasses import dataclass

import numpy as np

from occbench import Condition, Example, Occlusion, Overlay, Source, stream


@dataclass(frozen=True)
class Squares(Source):
    """Images with any number of labels and an object mask."""

    count: int = 5

    classes = ("red", "green", "blue")
    fingerprint = "squares-1"
    multi_label = True

    def __len__(self):
        return self.count

    def key(self, index):
        return f"square-{index}"

    def __getitem__(self, index):
        image = stream(0, "square", index).integers(256, 40 * 40 * 3).reshape(40, 40, 3).astype(np.uint8)
        mask = np.zeros((40, 40), dtype=bool)
        mask[5 : 20 + index] = True
        labels = tuple(label for label in range(3) if index >> label & 1)
        ignored = (2,) if index == 1 else ()
        return Example(self.key(index), image, labels, object_mask=mask, parts={"top": ~mask}, ignored=ignored)


@dataclass(frozen=True)
class HideObject(Occlusion):
    """Paints the object over."""

    colour: int = 200

    per_image = True
    conditions = (Condition("object", "hide_object", "all"),)

    def overlay(self, example, condition, seed):
        rgba = np.full((*example.image.shape[:2], 4), self.colour, dtype=np.uint8)
        rgba[..., 3] = example.object_mask * np.uint8(255)
        return Overlay(rgba, 0, 0, float(example.object_mask.mean()))
'''


@pytest.mark.parametrize(("storage", "workers"), [*((storage, 0) for storage in STORAGES), ("png", 1)])
def test_a_users_own_source_and_occlusion_work_end_to_end(tmp_path, tiny_content, storage, workers):
    file = tmp_path / "mine.py"
    file.write_text(PLUGINS)
    content = {
        **tiny_content(**STORAGES[storage]),
        "source": {"name": f"{file}:Squares", "count": 4},
        "occlusions": [{"name": f"{file}:HideObject", "colour": 99}, {"name": "patch_drop", "losses": [0.5]}],
    }
    out = tmp_path / "out"
    manifest = generate(parse_recipe(content, "mine"), out, executor=LocalExecutor(workers))
    assert (manifest.images, manifest.conditions, manifest.multi_label) == (4, 2, True)
    assert verify(out).problems == ()
    dataset = load(out)
    assert [dataset[2 * image]["labels"].tolist() for image in range(4)] == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert [dataset[2 * image + 1]["ignored"].tolist() for image in range(4)] == [[False] * 3, [False, False, True]] + [
        [False] * 3
    ] * 2
    hidden = dataset[0]["image"].permute(1, 2, 0).numpy()
    assert abs((hidden == 99).all(-1).mean() - dataset[0]["achieved"]) < (0.02 if storage != "jpeg" else 0.1)
    masks = pq.read_table(out / "clean/shard-00000.parquet")["masks"].to_pylist()
    assert [[item["name"] for item in row] for row in masks] == [["", "top"]] * 4
    assert np.isclose(read_manifest(out).achieved["all"]["mean"], np.mean([0.375, 0.4, 0.425, 0.45]), atol=0.01)


def command(recipe, source, out, *more):
    return [
        *(sys.executable, "-c", "from occbench.cli import main; main()", "generate", str(recipe)),
        *("--source", str(source), "--out", str(out), "--workers", "2", *more),
    ]


def reports(out):
    return len(list((out / WORK_FOLDER).glob("shard-*.json")))


def wait_for(process, ready):
    while process.poll() is None and not ready():
        time.sleep(0.002)


def wait_until(true, what, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def many(tmp_path, tiny_images, recipe_file, tiny_recipe):
    """A command of 12 shards and the directory that an uninterrupted run of it makes."""
    generate(tiny_recipe(rows_per_shard=1, **PNG), tmp_path / "whole", source_path=str(tiny_images))
    return command(recipe_file(rows_per_shard=1, **PNG), tiny_images, tmp_path / "out"), tmp_path / "whole"


def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tmp_path, many, bytes_of):
    arguments, whole = many
    out = tmp_path / "out"
    for shards in (1, 5):
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wait_for(process, lambda least=shards: reports(out) >= least)
        workers = children(process.pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "the run must not be over before it is killed"
        assert workers
        wait_until(lambda pids=workers: not any(is_running(pid) for pid in pids), "workers outlive their driver")
        assert not (out / MANIFEST_FILE).exists()
    subprocess.run(arguments, check=True, capture_output=True)
    assert bytes_of(out) == bytes_of(whole)


def test_control_c_stops_at_once_and_can_be_resumed(tmp_path, many, bytes_of):
    arguments, whole = many
    out = tmp_path / "out"
    # whoever started the tests in the background has SIGINT ignored, and a child would inherit that
    process = subprocess.Popen(
        arguments,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(process, lambda: reports(out) >= 1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    subprocess.run(arguments, check=True, capture_output=True)
    assert bytes_of(out) == bytes_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_random_moments(tmp_path, many, bytes_of, seed):
    arguments, whole = many
    out = tmp_path / "out"
    draws = stream(seed, "kills")
    for _ in range(12):
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        start = reports(out)
        if draws.uniform() < 0.5:
            wait_for(process, lambda least=start: reports(out) > least)
        time.sleep(draws.uniform(0, 3.0))
        process.kill()
        process.wait()
    subprocess.run(arguments, check=True, capture_output=True)
    assert bytes_of(out) == bytes_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("delay_s", [0.0, 0.003, 0.01, 0.03, 0.1])
def test_killed_between_the_last_shard_and_the_end(tmp_path, many, bytes_of, delay_s):
    arguments, whole = many
    out = tmp_path / "out"
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(process, lambda: reports(out) == 12)
    time.sleep(delay_s)
    process.kill()
    process.wait()
    subprocess.run(arguments, check=True, capture_output=True)
    assert bytes_of(out) == bytes_of(whole)
