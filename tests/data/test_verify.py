"""`occbench verify` passes a sound dataset and finds and names every kind of damage."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import hash_file
from occbench.data.layout import MANIFEST_FILE
from occbench.data.manifest import Manifest, read_manifest
from occbench.data.verify import verify

PNG = {"layout": "materialised"}
JPEG = {"layout": "materialised", "occluded": "jpeg"}
TAR = {"layout": "materialised", "format": "webdataset"}
STORAGES = {"virtual": {}, "png": PNG, "jpeg": JPEG, "tar": TAR}


def rewrite(directory, path, change):
    """Change a Parquet shard's rows and make the manifest agree, so that only rendering again can tell."""
    file = directory / path
    table = pq.read_table(file)
    rows = change(table.to_pylist())
    groups = [len(rows)] if path.startswith("clean/") else Counter(row["key"] for row in rows).values()
    with pq.ParquetWriter(file, table.schema) as writer:
        for count in groups:
            writer.write_table(pa.Table.from_pylist(rows[:count], schema=table.schema))
            rows = rows[count:]
    agree(directory, path)


def agree(directory, path):
    manifest, file = read_manifest(directory), directory / path
    update = {"bytes": file.stat().st_size, "sha256": hash_file(file)}
    files = tuple(entry.model_copy(update=update) if entry.path == path else entry for entry in manifest.files)
    manifest.model_copy(update={"files": files}).sealed().write(directory)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_sound_dataset_passes(finished, storage):
    report = verify(finished(**STORAGES[storage]))
    assert report.problems == ()
    assert report.rows == 12 * 8
    assert report.bytes_compared == (storage != "virtual")
    assert report.files == len(read_manifest(finished(**STORAGES[storage])).files)


def test_a_sample_is_rendered_again_and_told(finished):
    told = []
    report = verify(finished(**PNG), sample_images=3, on_progress=told.append)
    assert report.rows == 3 * 8
    assert "occluded/shard-00005.parquet" in told
    assert "rows of image 3 of 3" in told
    assert verify(finished(**PNG), sample_images=0).rows == 0
    with pytest.raises(ConfigError, match="--sample needs 0 images or more, found -1"):
        verify(finished(**PNG), sample_images=-1)


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0], ids=["first byte", "middle", "last byte"])
@pytest.mark.parametrize("storage", [PNG, TAR], ids=["parquet", "tar"])
def test_one_flipped_byte_is_found_and_named(copy_of, storage, at):
    directory = copy_of(**storage)
    (directory / "quarantine.jsonl").write_bytes(b"{}\n")
    agree(directory, "quarantine.jsonl")  # so that it, too, has a byte to flip
    for path in ("clean/shard-00003.parquet", "occluded/shard-00001.*", "patterns.parquet", "README.md", "*.jsonl"):
        (file,) = directory.glob(path)
        sound = file.read_bytes()
        damaged = bytearray(sound)
        damaged[round(at * (len(sound) - 1))] ^= 1
        file.write_bytes(damaged)
        name = file.relative_to(directory).as_posix()
        (problem,) = verify(directory).problems
        assert problem.startswith(f"{name} has changed: its SHA-256 is ")
        file.write_bytes(sound)
    assert verify(directory).problems == ()


def test_a_flipped_byte_of_the_manifest_is_found(copy_of):
    directory = copy_of(**PNG)
    file = directory / MANIFEST_FILE
    sound = file.read_bytes()
    for at in range(0, len(sound), 97):
        damaged = bytearray(sound)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        try:
            problems = verify(directory, sample_images=0).problems
        except DatasetError as error:
            problems = (str(error),)
        assert any(MANIFEST_FILE in problem for problem in problems), f"byte {at}: {sound[at - 20 : at + 20]!r}"


@pytest.mark.parametrize(
    "change",
    [
        {"classes": ["apple", "bee", "dog"]},
        {"images": 11},
        {"achieved": {}},
        {"files": []},
        {"recipe": {"seed": 6}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edited_manifest_is_found(copy_of, change):
    directory = copy_of(**PNG)
    content = json.loads((directory / MANIFEST_FILE).read_text())
    for name, value in change.items():
        content[name] = {**content[name], **value} if name == "recipe" else value
    (directory / MANIFEST_FILE).write_text(json.dumps(content))
    assert verify(directory).problems[0].startswith("manifest.json has changed")


def test_a_recipe_that_no_longer_renders_the_same_is_found(copy_of):
    directory = copy_of(**PNG)
    content = json.loads((directory / MANIFEST_FILE).read_text())
    content["recipe"]["seed"] = 6
    Manifest.model_validate(content).sealed().write(directory)
    problems = verify(directory).problems
    assert problems[0].startswith("manifest.json: the recipe's fingerprint is ")
    assert any("differ from a new encoding" in problem or "achieved is" in problem for problem in problems[1:])


def test_missing_short_and_foreign_files_are_named(copy_of):
    directory = copy_of(**PNG)
    (directory / "clean/shard-00001.parquet").unlink()
    shard = directory / "occluded/shard-00002.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    (directory / "occluded/extra.parquet").write_bytes(b"PAR1")
    size = shard.stat().st_size
    assert verify(directory).problems == (
        "clean/shard-00001.parquet is missing.",
        f"occluded/shard-00002.parquet has {size} bytes, the manifest says {size + 1}.",
        "occluded/extra.parquet is not in the manifest.",
    )


def swap_images(rows):
    rows[2]["image"], rows[3]["image"] = rows[3]["image"], rows[2]["image"]
    return rows


def swap_rows(rows):
    return [*rows[:2], rows[3], rows[2], *rows[4:]]


def relabel(rows):
    rows[5]["label"] = 2
    return rows


def overstate(rows):
    rows[5]["achieved"] += 0.001
    return rows


def drop(rows):
    return rows[:-1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (swap_images, "apple-2 under bar_20_c: the stored bytes differ"),
        (swap_rows, "apple-2 under bar_20_c: achieved is|apple-2 under bar_20_c: condition is 'bar_20_r1'"),
        (relabel, "apple-2 under disc_10_r1: label is 2, and should be 0"),
        (overstate, "apple-2 under disc_10_r1: achieved is"),
        (drop, "apple-3 under disc_20_r1: the row is missing"),
    ],
)
def test_rows_that_only_rendering_again_can_judge(copy_of, change, found):
    directory = copy_of(**PNG)
    rewrite(directory, "occluded/shard-00001.parquet", change)
    problems = verify(directory).problems
    assert problems
    assert any(part in problems[0] for part in found.split("|"))


def test_a_changed_clean_image_is_found_in_a_virtual_dataset(copy_of):
    directory = copy_of()

    def swap(rows):
        rows[0]["image"], rows[1]["image"] = rows[1]["image"], rows[0]["image"]
        return rows

    rewrite(directory, "clean/shard-00001.parquet", swap)
    assert [problem.partition(":")[0] for problem in verify(directory).problems] == ["apple-2", "apple-3"]


@pytest.mark.parametrize("storage", [PNG, JPEG, TAR], ids=["png", "jpeg", "tar"])
def test_another_encoder_version_is_judged_by_pixels(copy_of, storage):
    directory = copy_of(**storage)
    manifest = read_manifest(directory)
    manifest.model_copy(update={"made_with": {**manifest.made_with, "numpy": "0"}}).sealed().write(directory)
    report = verify(directory)
    assert report.problems == ()
    assert not report.bytes_compared


def test_pixels_of_another_encoder_version_are_compared(copy_of):
    directory = copy_of(**PNG)
    rewrite(directory, "occluded/shard-00001.parquet", swap_images)
    manifest = read_manifest(directory)
    manifest.model_copy(update={"made_with": {}}).sealed().write(directory)
    problems = verify(directory).problems
    assert [problem.partition(":")[0] for problem in problems] == ["apple-2 under bar_20_c", "apple-2 under bar_20_r1"]
    assert "pixels differ from a new rendering" in problems[0]
