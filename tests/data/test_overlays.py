"""Stored overlays come back as they were written, and `occbench verify` finds what is wrong with them."""

import io
import pickle
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from occbench.core.errors import DatasetError
from occbench.core.files import hash_file
from occbench.core.seeding import stream
from occbench.core.types import Overlay
from occbench.data.clean import CleanImages
from occbench.data.datasets import load
from occbench.data.manifest import read_manifest
from occbench.data.overlays import open_overlays, overlay_columns, to_overlay
from occbench.data.recipe import parse_recipe
from occbench.data.verify import verify
from occbench.generate.run import generate

CONTENT = {
    "name": "replaced",
    "source": {"name": "toyparts", "images_per_class": 1, "size_px": 48},
    "prepare": {"rule": "direct", "size_px": 48},
    "occlusions": [{"name": "part_blackout"}, {"name": "part_replace"}],
    "storage": {"rows_per_shard": 6},
}
FILE = "overlays/shard-00000.parquet"


@pytest.fixture(scope="module")
def replaced(tmp_path_factory):
    """A virtual dataset of 7 images, 3 a shard, under a rendered and a stored condition; copy it to change it."""
    out = tmp_path_factory.mktemp("replaced") / "dataset"
    generate(parse_recipe(CONTENT, "replaced"), out, limit=7)
    return out


@pytest.fixture
def directory(replaced, tmp_path):
    return shutil.copytree(replaced, tmp_path / "copy")


def rewrite(directory, change, file=FILE):
    """Change the rows of an overlay shard and make the manifest agree, so that only a closer look can tell."""
    path = directory / file
    schema, rows = pq.read_schema(path), change(pq.read_table(path).to_pylist())
    with pq.ParquetWriter(path, schema) as writer:
        for row in rows:
            writer.write_table(pa.Table.from_pylist([row], schema=schema))
    manifest = read_manifest(directory)
    update = {"bytes": path.stat().st_size, "sha256": hash_file(path)}
    files = tuple(entry.model_copy(update=update) if entry.path == file else entry for entry in manifest.files)
    manifest.model_copy(update={"files": files}).sealed().write(directory)


def test_an_overlay_comes_back_as_it_was_written():
    rgba = stream(0, "overlay").integers(256, 5 * 7 * 4).reshape(5, 7, 4).astype(np.uint8)
    columns = overlay_columns(Overlay(rgba, 3, 2, 0.25), "car-1-gone")
    back = to_overlay(columns)
    assert np.array_equal(back.rgba, rgba), "colours under alpha 0 as well"
    assert (back.x0, back.y0, back.achieved) == (3, 2, 0.25)
    assert columns["overlay"]["path"] == "car-1-gone.png"
    assert Image.open(io.BytesIO(columns["overlay"]["bytes"])).mode == "RGBA"


def test_every_image_has_its_overlay_and_others_are_told(replaced):
    manifest = read_manifest(replaced)
    overlays = pickle.loads(pickle.dumps(open_overlays(replaced, manifest)))
    clean = CleanImages(replaced, manifest)
    family = manifest.recipe.build_occlusions()[1]
    (condition,) = family.conditions
    for position in (6, 0, 3):
        example = clean.example(position)
        assert overlays.row(example.key, condition.name)["key"] == example.key
        hidden = family.hidden(example, condition, manifest.recipe.seed)
        assert overlays(example.key, condition.name).achieved == hidden.mean()
        assert example.class_names == (manifest.classes[example.labels[0]],)
    for key, name in (("nobody", condition.name), (clean.example(0).key, "part-blackout-50")):
        with pytest.raises(DatasetError, match=f"no overlay of {key} under {name} is stored"):
            overlays(key, name)


def test_datasets_without_stored_overlays_have_no_such_folder(finished):
    directory = finished()
    assert open_overlays(directory, read_manifest(directory)) is None
    assert not (directory / "overlays").exists()
    assert "made_by" not in (directory / "manifest.json").read_text()


def test_a_sound_dataset_passes(directory):
    report = verify(directory)
    assert report.problems == ()
    assert report.rows == 7 * 2


def repaint(rows):
    rgba = np.array(Image.open(io.BytesIO(rows[1]["overlay"]["bytes"])))
    rgba[rgba[..., 3] == 255] ^= np.array([1, 0, 0, 0], dtype=np.uint8)
    return [rows[0], {**rows[1], "overlay": {**rows[1]["overlay"], **picture(rgba)}}, *rows[2:]]


def picture(rgba):
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "png")
    return {"bytes": file.getvalue()}


def uncover(rows):
    rgba = to_overlay(rows[1]).rgba.copy()
    y, x = np.argwhere(rgba[..., 3] == 255)[0]
    rgba[y, x] = 0
    achieved = int((rgba[..., 3] == 255).sum()) / 48**2
    overlay = Overlay(rgba, rows[1]["x0"], rows[1]["y0"], achieved)
    return [rows[0], {**rows[1], **overlay_columns(overlay, "x")}, *rows[2:]]


def change(**columns):
    return lambda rows: [rows[0], {**rows[1], **columns}, *rows[2:]]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (repaint, "its pixels have another hash than its row says"),
        (uncover, "1 pixels are hidden that should not be, or the other way round"),
        (change(x0=40), r"the overlay's box \(.* at 40, .*\) reaches out of the 48 x 48 px image"),
        (change(achieved=0.5), "achieved is 0.5, measured again"),
        (change(row=4), "row is 4, and should be"),
        (change(made_by="{}"), "made_by is '{}', and should be"),
        (lambda rows: [rows[0], *rows[2:]], "no overlay of .* is stored"),
        (change(overlay={"bytes": b"\x89PNG", "path": "x.png"}), "an encoded image of 4 bytes cannot be read"),
    ],
    ids=["repainted", "uncovered", "moved", "overstated", "renumbered", "made by nobody", "dropped", "damaged"],
)
def test_what_is_wrong_with_a_stored_overlay_is_found(directory, damage, found):
    rewrite(directory, damage)
    problems = verify(directory).problems
    assert len(problems) == 1
    assert re.search(f"under part-replace-50: the stored overlay is wrong: .*{found}", problems[0])


def test_a_shard_that_cannot_be_read_is_told(directory):
    (directory / FILE).write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=r"shard-00000.parquet cannot be read"):
        load(directory)[1]
