"""Object-level datasets end to end: what is measured stands in every row, and pycocotools measures the same."""

import json
import math
import tarfile
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from occbench.core.files import hash_file
from occbench.data.clean import CleanImages
from occbench.data.datasets import load
from occbench.data.manifest import read_manifest
from occbench.data.recipe import load_recipe
from occbench.data.render import Renderer
from occbench.data.verify import verify
from occbench.engine.local import LocalExecutor
from occbench.generate.run import generate

MEASURES = ("object_share", "background_share")
SMALL = ("source.images_per_class=1", "source.size_px=48", "prepare.size_px=48", "storage.rows_per_shard=48")


@pytest.fixture(scope="module")
def make(tmp_path_factory, tiny_bank):
    """Return a function that makes toyparts-levels of 12 images of 48 px: 144 rows, 3 shards; made once."""
    made = {}

    def make(*overrides, executor=None):
        key = (*overrides, executor)
        if key not in made:
            recipe = load_recipe("toyparts-levels", (*SMALL, f"occlusions.0.bank={tiny_bank}", *overrides))
            made[key] = tmp_path_factory.mktemp("levels") / "dataset"
            generate(recipe, made[key], executor=executor)
        return made[key]

    return make


def rows_of(directory):
    files = sorted((directory / "occluded").glob("*.parquet"))
    columns = ["key", "condition", "achieved", *MEASURES, "row"]
    return [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]


def in_band(share, asked):
    low, high = (Fraction(str(end)) for end in asked)
    return low <= share < high


def hidden_share(overlay, mask):
    """The share of a mask that an overlay hides, exactly."""
    alpha = np.zeros(mask.shape, dtype=np.int64)
    height, width = overlay.alpha.shape
    alpha[overlay.y0 : overlay.y0 + height, overlay.x0 : overlay.x0 + width] = overlay.alpha
    return Fraction(int(alpha[mask].sum()), 255 * int(mask.sum()))


def test_every_row_says_what_is_hidden_and_it_is_true(make):
    directory = make("storage.layout=materialised")
    recipe, clean = read_manifest(directory).recipe, CleanImages(directory, read_manifest(directory))
    renderer = Renderer(recipe.build_occlusions(), recipe.seed)
    rows = iter(rows_of(directory))
    for position in range(len(clean)):
        example = clean.example(position)
        for condition in renderer.conditions:
            row, overlay = next(rows), renderer.bare_overlay(example, condition)
            assert (row["key"], row["condition"]) == (example.key, condition.name)
            share = hidden_share(overlay, example.object_mask)
            assert row["object_share"] == float(share)
            assert row["background_share"] == float(hidden_share(overlay, ~example.object_mask))
            assert in_band(share, condition.parameters["object_share"])
    assert next(rows, None) is None
    assert verify(directory).problems == ()


def test_virtual_stored_and_tar_rows_agree(make):
    stored, virtual = load(make("storage.layout=materialised")), load(make())
    assert stored.measures == virtual.measures == MEASURES
    for index in (0, 7, 143):
        one, other = stored[index], virtual[index]
        assert {name: one[name] for name in (*MEASURES, "achieved")} == {
            name: other[name] for name in (*MEASURES, "achieved")
        }
        assert np.array_equal(one["image"], other["image"])
    tar = make("storage.layout=materialised", "storage.format=webdataset")
    assert verify(tar).problems == ()
    with tarfile.open(tar / "occluded" / "shard-00000.tar") as archive:
        found = [json.load(archive.extractfile(name)) for name in archive.getnames() if name.endswith(".json")]
    assert [row["object_share"] for row in found] == [stored[index]["object_share"] for index in range(len(found))]


def test_workers_make_the_same_bytes(make, bytes_of):
    here, there = make("storage.layout=materialised"), make("storage.layout=materialised", executor=LocalExecutor(2))
    assert bytes_of(here) == bytes_of(there)


def test_rows_of_families_that_measure_nothing_are_empty(make):
    more = "occlusions=[{name: levels, types: [white], levels: [[l1, 0.2, 0.4]]}, {name: patch_drop, losses: [0.5]}]"
    directory = make("storage.layout=materialised", more)
    rows = rows_of(directory)
    assert {row["condition"]: row["object_share"] is None for row in rows} == {"l1-white": False, "patchdrop-50": True}
    items = load(directory)
    assert math.isnan(items[1]["object_share"])
    assert items.sample(1).measured == {}
    assert 0.2 <= items[0]["object_share"] < 0.4
    assert verify(directory).problems == ()


@pytest.mark.parametrize("column", MEASURES)
def test_verify_finds_a_changed_measure(make, tmp_path, column):
    import shutil

    directory = shutil.copytree(make("storage.layout=materialised"), tmp_path / "copy")
    file = directory / "occluded" / "shard-00000.parquet"
    table = pq.read_table(file)
    rows = table.to_pylist()
    rows[3][column] = 0.125
    groups = len(rows) // 12
    with pq.ParquetWriter(file, table.schema) as writer:
        for group in range(groups):
            writer.write_table(pa.Table.from_pylist(rows[12 * group : 12 * group + 12], schema=table.schema))
    manifest = read_manifest(directory)
    update = {"bytes": file.stat().st_size, "sha256": hash_file(file)}
    files = tuple(
        entry.model_copy(update=update) if entry.path == "occluded/shard-00000.parquet" else entry
        for entry in manifest.files
    )
    manifest.model_copy(update={"files": files}).sealed().write(directory)
    (problem,) = verify(directory).problems
    assert f"{column} is 0.125, and should be" in problem


def test_an_image_whose_band_cannot_be_reached_is_set_aside_with_the_reason(make):
    directory = make("occlusions.0.tries=1")
    manifest = read_manifest(directory)
    lines = [json.loads(line) for line in (directory / "quarantine.jsonl").read_text().splitlines()]
    assert manifest.quarantined == len(lines) > 6
    for line in lines:
        assert f"image {line['key']}: none of 1 placements of " in line["reason"]
        assert "widen the band, or allow more occluders or tries" in line["reason"]


@pytest.fixture(scope="module")
def sample(real_data):
    return real_data / "coco_sample"


# pycocotools 2.0.11 still offers numpy the __array__ of numpy 1; the pixels are right
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("limit", [16, pytest.param(None, marks=pytest.mark.slow)])
def test_real_objects_are_hidden_as_asked_measured_by_pycocotools(sample, tmp_path, limit):
    from pycocotools import mask as codec

    recipe = load_recipe("coco-levels", ("storage.layout=materialised",))
    directory = tmp_path / "dataset"
    manifest = generate(recipe, directory, source_path=str(sample), limit=limit)
    assert manifest.quarantined == 0
    content = json.loads((sample / "instances.json").read_text())
    annotated = {annotation["id"]: annotation for annotation in content["annotations"]}
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    clean, renderer = CleanImages(directory, manifest), Renderer(recipe.build_occlusions(), recipe.seed)
    rows = iter(rows_of(directory))
    for position in range(manifest.images):
        example = clean.example(position)
        annotation = annotated[int(example.key.rpartition("-")[2])]
        height, width = sizes[annotation["image_id"]]
        whole = codec.decode(codec.merge(codec.frPyObjects(annotation["segmentation"], height, width)))
        xs, ys = (np.concatenate(annotation["segmentation"])[start::2] for start in (0, 1))
        region = (
            max(np.floor(xs.min()), 0),
            max(np.floor(ys.min()), 0),
            min(np.ceil(xs.max()), width),
            min(np.ceil(ys.max()), height),
        )
        resized = Image.fromarray(whole.astype(bool)).resize((224, 224), Image.Resampling.NEAREST, box=region)
        mask = np.asarray(resized)
        assert mask.any()
        for condition in renderer.conditions:
            row = next(rows)
            share = hidden_share(renderer.bare_overlay(example, condition), mask)
            assert in_band(share, condition.parameters["object_share"]), (row["key"], condition.name)
            assert row["object_share"] == float(share)
            assert row["condition"] == condition.name
    assert next(rows, None) is None
