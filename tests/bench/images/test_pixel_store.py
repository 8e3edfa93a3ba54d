"""Decoded images in files: the same as in memory, whole or absent, made once."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.images import load_images
from occbench.bench.images.materials import load_materials
from occbench.bench.images.memory import memory_bytes
from occbench.bench.images.pixel_store import PixelStore
from occbench.bench.protocol.cell import cells
from occbench.bench.running.run import run_cell
from occbench.core.errors import BrokenImageError, StorageError
from occbench.core.files import hash_file
from occbench.core.prepare import Prepare
from occbench.sources.image_folder import ImageFolder
from occbench.sources.toyparts import ToyParts

RULE = Prepare(rule="direct", size_px=32)
IMAGE_BYTES = 32 * 32 * 3


@pytest.fixture(scope="module")
def source(tiny_images):
    return ImageFolder(str(tiny_images))


def on_disk(folder, source, images_per_part=5, indices=None, rule=RULE, **options):
    """A set whose 12 images must go to files of 5, 5 and 2."""
    store = PixelStore(folder, budget_bytes=0, part_bytes=images_per_part * IMAGE_BYTES, **options)
    return load_images(source, indices or range(len(source)), rule, {0: 0, 1: 1, 2: 2}, store)


def parts_of(folder):
    return sorted(path for path in folder.rglob("part-?????.npy"))


def test_files_hold_what_memory_holds(tmp_path, source):
    mapped, plain = on_disk(tmp_path, source), load_images(source, range(12), RULE, {0: 0, 1: 1, 2: 2})
    assert torch.equal(mapped.images[:], plain.images[:])
    assert torch.equal(mapped.labels, plain.labels)
    assert [np.load(path).shape for path in parts_of(tmp_path)] == [(5, 32, 32, 3), (5, 32, 32, 3), (2, 32, 32, 3)]
    assert all(isinstance(array, np.memmap) for array in mapped.images.arrays)
    for one, other in zip(mapped.examples, plain.examples, strict=True):
        assert (one.key, one.labels, one.class_names) == (other.key, other.labels, other.class_names)
        assert np.array_equal(one.image, other.image)


def test_masks_are_found_again_whose_pixels_are_in_files(tmp_path):
    drawn = ToyParts(images_per_class=1, size_px=48)
    mapped = on_disk(tmp_path, drawn, indices=[2, 0, 9])
    for one, index in zip(mapped.examples, (2, 0, 9), strict=True):
        plain = load_images(drawn, [index], RULE, {}).examples[0]
        assert np.array_equal(one.image, plain.image)
        assert np.array_equal(one.object_mask, plain.object_mask)
        assert list(one.parts) == list(plain.parts) != []
        assert all(np.array_equal(one.parts[name], mask) for name, mask in plain.parts.items())


def test_a_set_that_fits_makes_no_file_and_sets_share_the_budget(tmp_path, source):
    store = PixelStore(tmp_path, budget_bytes=20 * IMAGE_BYTES)
    first, second = (load_images(source, range(12), RULE, {}, store) for _ in range(2))
    assert not isinstance(first.images.arrays[0], np.memmap)
    assert not list(tmp_path.iterdir())
    assert isinstance(second.images.arrays[0], np.memmap)
    assert torch.equal(first.images[:], second.images[:])


def test_decoded_once(tmp_path, source, snapshot):
    told = []
    first = on_disk(tmp_path, source, on_decoded=lambda more, total: told.append((more, total)))
    first.images[:1]
    assert sorted(told) == [(2, 12), (5, 12), (5, 12)], "in an order that depends on the process"
    before = snapshot(tmp_path)
    again = on_disk(tmp_path, source, on_decoded=lambda *_: pytest.fail("decoded again"))
    assert torch.equal(again.images[:], first.images[:])
    assert snapshot(tmp_path) == before


def test_another_order_rule_or_source_is_another_set(tmp_path, source, tiny_images):
    moved = shutil.copytree(tiny_images, tmp_path / "moved")
    (moved / "apple" / "0.jpg").rename(moved / "apple" / "9.jpg")
    for changes in (
        {},
        {"indices": [1, 0, *range(2, 12)]},
        {"rule": Prepare(rule="shorter_side", size_px=32)},
        {"source": ImageFolder(str(moved))},
        {"images_per_part": 6},
    ):
        on_disk(tmp_path / "cache", **{"source": source, **changes}).images[:1]
    assert len(list((tmp_path / "cache").iterdir())) == 5


def test_a_missing_part_is_made_again_and_the_others_are_kept(tmp_path, source, snapshot):
    first = on_disk(tmp_path, source).images[:].clone()
    before = snapshot(tmp_path)
    parts_of(tmp_path)[1].unlink()
    assert torch.equal(on_disk(tmp_path, source).images[:], first)
    after = snapshot(tmp_path)
    made = {name for name in after if after[name] != before.get(name)}
    assert {name.rpartition("/")[2] for name in made} <= {"part-00001.npy", "part-00001.more.npy", "about.json"}
    assert {name: found[0] for name, found in after.items()} == {name: found[0] for name, found in before.items()}


def test_a_broken_image_leaves_whole_parts_or_none(tmp_path, tiny_images):
    folder = shutil.copytree(tiny_images, tmp_path / "images")
    (folder / "cup" / "1.png").write_bytes(b"no picture")
    for _ in range(2):
        with pytest.raises(BrokenImageError, match=r"cup/1\.png"):
            on_disk(tmp_path / "cache", ImageFolder(str(folder))).images[:1]
    sizes = {path.name: len(np.load(path)) for path in parts_of(tmp_path / "cache")}
    assert sizes.items() <= {"part-00000.npy": 5, "part-00002.npy": 2}.items(), "the broken one is in the second part"
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_too_small_a_disk_is_one_clear_line_before_anything_is_written(tmp_path, source, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=30_000))
    with pytest.raises(StorageError, match=r"12 decoded images .* needs 0\.0 GB more where 0\.0 GB are free.*--cache"):
        on_disk(tmp_path / "cache", source).images[:1]
    assert not (tmp_path / "cache").exists()


def test_what_a_killed_process_left_is_cleared_away(tmp_path, source):
    on_disk(tmp_path, source).images[:1]
    part = parts_of(tmp_path)[0]
    part.unlink()
    old, young = (part.with_name(f"{part.name}.{number}.part") for number in (1, 2))
    for leftover in (old, young):
        leftover.write_bytes(b"half a file")
    os.utime(old, (time.time() - 7200,) * 2)
    on_disk(tmp_path, source).images[:1]
    assert not old.exists()
    assert young.exists(), "another process may be at work on it"


DECODE = """
import os, signal, sys
from pathlib import Path
from occbench.bench.images.images import load_images
from occbench.bench.images.pixel_store import PixelStore
from occbench.core.prepare import Prepare
from occbench.sources.image_folder import ImageFolder

def killed(more, total):
    if len(list(Path(sys.argv[2]).rglob("part-?????.npy"))) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

store = PixelStore(Path(sys.argv[2]), 0, killed, part_bytes=5 * 32 * 32 * 3)
source = ImageFolder(sys.argv[1])
load_images(source, range(12), Prepare(rule="direct", size_px=32), {}, store).images[:1]
"""


def test_killed_and_started_again_gives_the_same_files(tmp_path, source, tiny_images):
    on_disk(tmp_path / "whole", source).images[:1]
    command = [sys.executable, "-c", DECODE, str(tiny_images), str(tmp_path / "killed"), "1"]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    assert len(parts_of(tmp_path / "killed")) == 1
    on_disk(tmp_path / "killed", source).images[:1]

    def contents(folder):
        return [hash_file(path) for path in parts_of(folder)]

    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.parametrize("arm", ["C-Full", "F"])
def test_a_cell_comes_out_the_same_bit_for_bit(tmp_path, tiny_benchmark, bytes_of, arm):
    """Trained, validated, paired and scored from files as from memory."""
    benchmark = tiny_benchmark()
    found = []
    for name, store in (("memory", None), ("files", PixelStore(tmp_path / "decoded", 0, part_bytes=7 * IMAGE_BYTES))):
        materials = load_materials(benchmark, benchmark.source_at(""), store=store)
        cell = next(one for one in cells(benchmark, {}, materials.fingerprint) if one.arm_name == arm)
        run_cell(cell, materials, tmp_path / name, ActivationCache())
        assert isinstance(materials.train.images.arrays[0], np.memmap) == (name == "files")
        home = tmp_path / name / cell.fingerprint
        found.append((hash_file(home / "checkpoint.safetensors"), bytes_of(home / "scores"), bytes_of(home / "train")))
    assert found[0] == found[1]


def test_nothing_is_decoded_where_everything_is_finished(tmp_path, tiny_benchmark):
    benchmark = tiny_benchmark()
    for again in (False, True):
        store = PixelStore(tmp_path / "decoded", 0)
        materials = load_materials(benchmark, benchmark.source_at(""), store=store)
        if again:
            store.decode = lambda *_: pytest.fail("decoded again")
        cell = next(cells(benchmark, {}, materials.fingerprint))
        run_cell(cell, materials, tmp_path / "runs", ActivationCache())


def test_the_default_budget_is_half_of_the_machine():
    assert 2**20 < memory_bytes() < 2**50
    assert PixelStore()._left_bytes == memory_bytes() // 2
