"""Tar shards: the same bytes at any time, readable by tarfile and webdataset, agreeing with their Parquet twin."""

import gc
import io
import json
import tarfile
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from occbench.data.datasets import StoredDataset, VirtualDataset
from occbench.data.webdataset import tar_writer
from occbench.generate.run import generate

TAR = {"layout": "materialised", "format": "webdataset"}


def test_the_bytes_do_not_depend_on_the_clock(tmp_path, monkeypatch, tiny_recipe, tiny_images, finished, bytes_of):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1e6)
    generate(tiny_recipe(**TAR), tmp_path / "later", source_path=str(tiny_images))
    assert bytes_of(tmp_path / "later") == bytes_of(finished(**TAR))


@pytest.mark.parametrize(("occluded", "suffix"), [("png", ".png"), ("jpeg", ".jpg")])
def test_tarfile_finds_every_row_of_the_parquet_twin(finished, occluded, suffix):
    twin = StoredDataset(finished(layout="materialised", occluded=occluded))
    shards = sorted((finished(**TAR, occluded=occluded) / "occluded").glob("*.tar"))
    row = 0
    for shard in shards:
        with tarfile.open(shard) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
        for name in [name for name in files if name.endswith(".json")]:
            facts, item = json.loads(files[name]), twin[row]
            assert facts == {key: value for key, value in item.items() if key != "image"}
            key = f"{facts['key']}-{facts['condition']}"
            assert name == f"{key}.json"
            assert files[f"{key}.cls"] == str(item["label"]).encode()
            pixels = np.asarray(Image.open(io.BytesIO(files[f"{key}{suffix}"])).convert("RGB"))
            assert np.array_equal(pixels, twin.sample(row).image)
            row += 1
    assert row == len(twin)


def test_webdataset_reads_it(finished):
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(str(path) for path in (finished(**TAR) / "occluded").glob("*.tar"))
    with warnings.catch_warnings():  # webdataset leaves its files to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        samples = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode("rgb8"))
        gc.collect()
    rendered = VirtualDataset(finished(**TAR))
    assert len(samples) == len(rendered)
    for row in (0, 17, 95):
        assert np.array_equal(samples[row]["png"], rendered.sample(row).image)
        assert samples[row]["cls"] == rendered[row]["label"]
        assert samples[row]["json"]["row"] == rendered[row]["row"]


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), tar_writer(tmp_path / "x.tar", ".png") as shard:
        shard.write(b"x", {})
    assert list(tmp_path.iterdir()) == []
