"""A plan knows everything before a run: spread, shards, fingerprint, and an estimate that is near the truth."""

import os

import pytest

from occbench.core.errors import ConfigError, SourceError
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe
from occbench.generate.estimate import Estimate, estimate
from occbench.generate.plan import plan


@pytest.fixture
def lay_out(tiny_recipe, tiny_images):
    def make(limit=None, **storage):
        recipe = tiny_recipe(**storage)
        return plan(recipe, recipe.open_source(str(tiny_images)), str(tiny_images), limit)

    return make


@pytest.mark.parametrize("limit", [None, 1, 5, 12, 13, 1000])
def test_a_limit_is_spread_evenly(lay_out, limit):
    indices = lay_out(limit).indices
    assert len(indices) == min(limit or 12, 12)
    assert indices == tuple(sorted(set(indices)))
    count = len(indices)
    assert all(number * 12 // count <= index < (number + 1) * 12 // count for number, index in enumerate(indices))


def test_a_limit_meets_every_class_of_a_source_that_interleaves_them():
    recipe = load_recipe("quickstart")
    source = recipe.open_source()
    labels = {source.labels_of(index)[0] for index in plan(recipe, source, "", 60).indices}
    assert len(labels) == len(source.classes)


@pytest.mark.parametrize(("rows_per_shard", "images"), [(1, 1), (8, 1), (15, 1), (16, 2), (40, 5), (10_000, 12)])
def test_shards_hold_whole_images_and_every_image_once(lay_out, tmp_path, rows_per_shard, images):
    planned = lay_out(rows_per_shard=rows_per_shard)
    shards = planned.shards(tmp_path)
    assert [index for shard in shards for index in shard.indices] == list(range(12))
    assert {len(shard.indices) for shard in shards[:-1]} <= {images}
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_follows_everything_that_decides_a_byte(lay_out):
    prints = [
        planned.dataset_fingerprint
        for planned in (
            lay_out(),
            lay_out(limit=6),
            lay_out(layout="materialised"),
            lay_out(layout="materialised", occluded="jpeg"),
            lay_out(rows_per_shard=8),
        )
    ]
    assert len(set(prints)) == len(prints)
    assert lay_out().dataset_fingerprint == prints[0]


def test_an_estimate_is_near_what_a_run_makes(lay_out, finished):
    storage = {"layout": "materialised"}
    found = estimate(lay_out(**storage))
    made = sum(file.bytes for file in read_manifest(finished(**storage)).files if "/" in file.path)
    assert (found.images, found.rows, found.shards) == (12, 96, 6)
    assert 0.5 < found.total_bytes / made < 1.5
    assert found.core_s > 0


def test_an_estimate_scales_to_an_assumed_number_of_images(lay_out):
    found = estimate(lay_out(), images=12_000)
    assert (found.images, found.rows, found.shards, found.sampled_images) == (12_000, 96_000, 6_000, 12)


def test_time_is_shared_by_the_cores_there_are():
    found = Estimate(images=1, rows=1, shards=1, total_bytes=1, core_s=100.0, sampled_images=1)
    assert found.wall_s(0) == found.wall_s(1) == 100.0
    assert found.wall_s(10**6) == pytest.approx(100.0 / os.cpu_count())


def test_what_cannot_be_planned_is_refused(lay_out, tmp_path, tiny_recipe):
    with pytest.raises(ConfigError, match="--limit needs 1 image or more, found 0"):
        lay_out(limit=0)
    with pytest.raises(ConfigError, match="--assume-images needs 1 image or more, found 0"):
        estimate(lay_out(), images=0)
    (tmp_path / "apple").mkdir()
    (tmp_path / "apple/1.jpg").write_bytes(b"")
    recipe = tiny_recipe()
    planned = plan(recipe, recipe.open_source(str(tmp_path)), str(tmp_path))
    with pytest.raises(SourceError, match=r"none of 1 sampled images can be used: apple-1: .*zero bytes"):
        estimate(planned)
