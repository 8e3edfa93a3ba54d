"""Stored and rendered datasets give the same items, in any order and process; Hugging Face reads the files alone."""

import json
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from occbench.core.compose import composite
from occbench.core.errors import DatasetError
from occbench.data.clean import CleanImages
from occbench.data.datasets import StoredDataset, VirtualDataset, load
from occbench.data.encode import decode, encode_jpeg
from occbench.data.render import Renderer
from occbench.data.shards import RowGroupReader
from occbench.generate.plan import plan
from occbench.generate.run import generate

PNG = {"layout": "materialised"}
JPEG = {"layout": "materialised", "occluded": "jpeg"}


def differences(one, other):
    assert one.keys() == other.keys()
    same = {name: torch.equal(one[name], other[name]) if name == "image" else one[name] == other[name] for name in one}
    return [name for name, equal in same.items() if not equal]


def overlays(dataset):
    """Yield (row, clean image, overlay at the image's size) of every row."""
    recipe = dataset.manifest.recipe
    renderer = Renderer(recipe.build_occlusions(), recipe.seed)
    clean = CleanImages(dataset.directory, dataset.manifest)
    for row in range(len(dataset)):
        position, number = dataset.locate(row)
        example = clean.example(position)
        overlay = renderer.overlay(example, renderer.conditions[number]).overlay
        full = np.zeros((*example.image.shape[:2], 4), dtype=np.uint8)
        height, width = overlay.rgba.shape[:2]
        full[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.rgba
        yield row, example.image, full, overlay


def test_every_stored_png_row_equals_the_rendered_one(finished):
    stored, virtual, over = StoredDataset(finished(**PNG)), VirtualDataset(finished()), VirtualDataset(finished(**PNG))
    assert len(stored) == len(virtual) == 12 * 8
    for row in range(len(stored)):
        assert differences(stored[row], virtual[row]) == []
        assert differences(stored[row], over[row]) == []


def test_only_what_the_overlay_covers_changes_and_ratios_are_met(finished):
    dataset = StoredDataset(finished(**PNG))
    for row, clean, full, overlay in overlays(dataset):
        sample = dataset.sample(row)
        assert np.array_equal(sample.image[full[..., 3] == 0], clean[full[..., 3] == 0])
        assert np.array_equal(sample.image[full[..., 3] == 255], full[full[..., 3] == 255][:, :3])
        asked = dataset.conditions[row % 8].parameters["ratio"]
        assert abs(sample.achieved - asked) <= 0.005
        assert sample.achieved == overlay.achieved == pytest.approx(full[..., 3].sum() / 255 / full[..., 3].size)


def test_jpeg_rows_are_near_and_equal_the_clean_jpeg_where_nothing_is_put(finished):
    dataset = StoredDataset(finished(**JPEG))
    for row, clean, full, overlay in overlays(dataset):
        found = dataset.sample(row).image
        exact = composite(clean, overlay)
        assert np.abs(found.astype(int) - exact).mean() < 4, "grey levels, at quality 95"
        untouched = ~full[..., 3].reshape(6, 8, 6, 8).any(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
        assert untouched.any()
        assert np.array_equal(found[untouched], decode(encode_jpeg(clean, 95))[untouched])


@pytest.mark.parametrize("storage", [PNG, {}], ids=["stored", "virtual"])
def test_worker_processes_give_the_same_rows(finished, storage):
    dataset = load(finished(**storage))
    alone = list(DataLoader(dataset, batch_size=32))
    spawned = list(DataLoader(dataset, batch_size=32, num_workers=2, multiprocessing_context="spawn"))
    assert sum(len(batch["row"]) for batch in alone) == len(dataset)
    for one, other in zip(alone, spawned, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            assert torch.equal(one[name], other[name]) if torch.is_tensor(one[name]) else one[name] == other[name]


@pytest.mark.parametrize("storage", [PNG, {}], ids=["stored", "virtual"])
def test_rows_in_any_order_and_from_the_end(finished, storage):
    dataset = load(finished(**storage))
    forward = [dataset[row] for row in range(len(dataset))]
    for row in reversed(range(len(dataset))):
        assert differences(dataset[row - len(dataset)], forward[row]) == []
    for row in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=f"no row {row} among 96"):
            dataset[row]


@pytest.mark.parametrize("storage", [PNG, {}], ids=["stored", "virtual"])
def test_a_pickled_dataset_is_the_same(finished, storage):
    dataset = load(finished(**storage))
    dataset[5]  # files are open now
    assert differences(pickle.loads(pickle.dumps(dataset))[9], dataset[9]) == []


def test_items_carry_everything_known(finished):
    dataset = load(finished(**PNG))
    item = dataset[3 * 8 + 5]
    assert item["image"].shape == (3, 48, 48)
    assert item["image"].dtype == torch.uint8
    assert {name: item[name] for name in ("key", "label", "condition", "group", "row")} == {
        "key": "apple-3",
        "label": 0,
        "condition": "disc_10_r1",
        "group": "10r",
        "row": 29,
    }
    assert dataset.classes == ("apple", "bee", "cup")


def test_the_transform_is_applied_to_the_image_alone(finished):
    plain, doubled = load(finished(**PNG)), load(finished(**PNG), transform=lambda image: image.float() * 2)
    assert torch.equal(doubled[7]["image"], plain[7]["image"].float() * 2)
    assert differences(doubled[7], plain[7]) == ["image"]


def test_row_ids_count_images_of_the_source(tmp_path, tiny_recipe, tiny_images):
    for storage in ({}, PNG):
        out = tmp_path / (storage.get("layout") or "virtual")
        recipe = tiny_recipe(**storage)
        generate(recipe, out, source_path=str(tiny_images), limit=4)
        used = plan(recipe, recipe.open_source(str(tiny_images)), str(tiny_images), limit=4).indices
        dataset = load(out)
        rows = [dataset[row]["row"] for row in range(len(dataset))]
        assert rows == [image * 8 + number for image in used for number in range(8)]
        whole = VirtualDataset(tmp_path / "virtual") if storage else dataset
        assert differences(whole[9], dataset[9]) == []


def test_opening_what_is_not_there_says_why(tmp_path, finished):
    with pytest.raises(DatasetError, match="does not exist; `occbench generate RECIPE --out"):
        load(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="is not an occbench dataset"):
        load(tmp_path)
    with pytest.raises(DatasetError, match=r"stores no occluded Parquet shards \(virtual, parquet\)"):
        StoredDataset(finished())


def test_a_missing_or_broken_shard_is_named(copy_of):
    directory = copy_of(**PNG)
    (directory / "occluded/shard-00002.parquet").unlink()
    with pytest.raises(DatasetError, match=r"shard-00002\.parquet cannot be read: .*occbench verify"):
        load(directory)[2 * 16]
    (directory / "clean/shard-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"clean/shard-00000\.parquet cannot be read"):
        VirtualDataset(directory)[0]


def test_a_reader_keeps_few_groups(finished):
    reader = RowGroupReader(sorted((finished(**PNG) / "occluded").iterdir()), cached_groups=1)
    assert reader.group(0, 0) is reader.group(0, 0)
    first = reader.group(0, 0)
    reader.group(0, 1)
    assert reader.group(0, 0) is not first


@pytest.mark.parametrize("storage", [PNG, JPEG], ids=["png", "jpeg"])
def test_hugging_face_opens_the_files_alone(finished, tmp_path, monkeypatch, storage):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    directory = finished(**storage)

    def opened(files):
        return datasets.load_dataset(
            "parquet", data_files=str(directory / files), split="train", cache_dir=str(tmp_path)
        )

    rows, ours = opened("occluded/*.parquet"), load(directory)
    assert rows.features["label"].names == ["apple", "bee", "cup"]
    assert isinstance(rows.features["image"], datasets.Image)
    assert rows.num_rows == len(ours)
    for row in (0, 37, 95):
        assert np.array_equal(np.asarray(rows[row]["image"].convert("RGB")), ours.sample(row).image)
        assert {name: rows[row][name] for name in ("key", "condition", "group", "achieved", "row", "label")} == {
            name: value for name, value in ours[row].items() if name != "image"
        }
    assert opened("clean/*.parquet")[4]["masks"] == []
    patterns = opened("patterns.parquet")
    assert patterns["condition"] == [condition.name for condition in ours.conditions]
    assert json.loads(patterns[0]["parameters"])["ratio"] == 0.1
