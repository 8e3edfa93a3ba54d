"""``patterns.parquet``, the card and the manifest: what a reader without occbench learns about a dataset."""

import io
import json
from hashlib import sha256

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from occbench.core.compose import composite
from occbench.core.errors import DatasetError
from occbench.core.files import hash_file
from occbench.core.types import Overlay
from occbench.data.clean import CleanImages
from occbench.data.datasets import VirtualDataset
from occbench.data.layout import MANIFEST_FILE
from occbench.data.manifest import made_with, read_manifest
from occbench.data.masks import decode_mask
from occbench.data.pattern_table import pattern_rows
from occbench.data.readme import write_readme
from occbench.data.recipe import parse_recipe


def test_the_table_alone_is_enough_to_make_every_row(finished):
    directory = finished()
    dataset = VirtualDataset(directory)
    clean = CleanImages(directory, dataset.manifest)
    patterns = pq.read_table(directory / "patterns.parquet").to_pylist()
    for row in range(len(dataset)):
        position, number = dataset.locate(row)
        pattern = patterns[number]
        rgba = np.asarray(Image.open(io.BytesIO(pattern["overlay"]["bytes"])))
        overlay = Overlay(rgba, pattern["x0"], pattern["y0"], pattern["achieved"])
        sample = dataset.sample(row)
        assert sample.condition == pattern["condition"]
        assert sample.achieved == pattern["achieved"]
        assert np.array_equal(composite(clean.example(position).image, overlay), sample.image)


def test_every_column_says_what_the_overlay_is(finished):
    for pattern in pq.read_table(finished() / "patterns.parquet").to_pylist():
        rgba = np.asarray(Image.open(io.BytesIO(pattern["overlay"]["bytes"])))
        assert (pattern["height"], pattern["width"], pattern["per_image"]) == (48, 48, False)
        assert pattern["sha256"] == sha256(rgba.tobytes()).hexdigest()
        mask = decode_mask(pattern["mask_rle"])
        assert mask.shape == (48, 48)
        assert mask.sum() == (rgba[..., 3] > 0).sum()
        assert pattern["achieved"] == pytest.approx(rgba[..., 3].sum() / 255 / 48**2)
        assert json.loads(pattern["parameters"])["ratio"] == pytest.approx(pattern["achieved"], abs=0.005)


@pytest.mark.parametrize(
    "change",
    [{"prepare": {"rule": "none"}}, {"occlusions": [{"name": "patch_drop", "patch_px": 8}]}],
    ids=["images of any size", "depends on the image"],
)
def test_overlays_that_are_not_shared_are_null(tiny_content, change):
    for row in pattern_rows(parse_recipe({**tiny_content(), **change}, "tiny.yaml")):
        assert row["condition"]
        assert {row[name] for name in ("height", "x0", "achieved", "overlay", "mask_rle", "sha256")} == {None}


def test_the_manifest_names_every_file(finished):
    directory = finished(layout="materialised")
    manifest = read_manifest(directory)
    found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert {entry.path for entry in manifest.files} == found - {MANIFEST_FILE}
    for entry in manifest.files:
        assert entry.bytes == (directory / entry.path).stat().st_size
        assert entry.sha256 == hash_file(directory / entry.path)
    assert sum(entry.rows for entry in manifest.files_in("clean")) == manifest.images == 12
    assert sum(entry.rows for entry in manifest.files_in("occluded")) == manifest.rows == 96
    assert manifest.made_with == made_with()
    assert manifest.sealed() == manifest
    assert not any("/" in version for version in manifest.made_with.values()), "no path of the machine that made it"


def test_the_manifest_sums_up_achieved_ratios(finished):
    manifest = read_manifest(finished(layout="materialised"))
    for group in ("10c", "10r", "20c", "20r"):
        found = manifest.achieved[group]
        assert found["least"] <= found["mean"] <= found["greatest"]
        assert found["mean"] == pytest.approx(int(group[:2]) / 100, abs=0.005)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not a manifest"),
        ("[]", "is not a manifest"),
        ("{}", "format version None, this occbench reads 1"),
        ('{"format_version": 2}', "format version 2, this occbench reads 1"),
        ('{"format_version": 1}', "is not a manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, content, message):
    (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(DatasetError, match=message):
        read_manifest(tmp_path)


def test_an_unfinished_dataset_says_how_far_it_is(tmp_path):
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work/shard-00000.json").touch()
    with pytest.raises(DatasetError, match=r"1 finished shards and no manifest.*Run the same"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("storage", [{}, {"layout": "materialised"}], ids=["virtual", "stored"])
def test_the_card_has_a_header_that_names_files_which_are_there(finished, storage):
    directory = finished(**storage)
    _, header, body = (directory / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    configs = yaml.safe_load(header)["configs"]
    assert [config["config_name"] for config in configs if config.get("default")] == [
        "occluded" if storage else "clean"
    ]
    for config in configs:
        assert list(directory.glob(config["data_files"]))
    assert "| occluded images | 96, " in body
    assert read_manifest(directory).pixels_fingerprint in body


def test_what_users_write_cannot_break_the_card(finished, tmp_path):
    manifest = read_manifest(finished())
    nasty = manifest.recipe.model_copy(update={"description": "<script>\n| a & b"})
    write_readme(tmp_path / "README.md", manifest.model_copy(update={"recipe": nasty}))
    card = (tmp_path / "README.md").read_text()
    assert "&lt;script> &#124; a &amp; b\n" in card
    assert "<script" not in card
