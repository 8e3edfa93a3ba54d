"""What is published as a recipe holds no photograph, and is rebuilt, byte for byte, by who has them."""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from occbench.core.errors import DatasetError
from occbench.core.hub import RepoName
from occbench.data.kit import keys_file
from occbench.data.manifest import read_manifest
from occbench.data.recipe import parse_recipe
from occbench.generate.rebuild import rebuild
from occbench.generate.run import generate
from occbench.publish.dataset import Publication, dataset_bundle

STORED = {"layout": "materialised"}


@pytest.fixture
def photographs(tiny_images, tmp_path):
    """Somebody else's copy of the photographs."""
    return shutil.copytree(tiny_images, tmp_path / "photographs")


@pytest.fixture(scope="session")
def made(tmp_path_factory, tiny_content, tiny_images):
    """Return a function that makes a dataset of the tiny photographs which anybody can rebuild."""
    finished = {}

    def make(limit=None, **storage):
        key = (limit, *storage)
        if key not in finished:
            content = tiny_content(**storage)
            content["occlusions"] = [
                {"name": "patterns", "bank": "occbench-3", "occluders": ["mug1"], "random_positions": 1}
            ]
            finished[key] = tmp_path_factory.mktemp("made") / "dataset"
            generate(parse_recipe(content, "tiny"), finished[key], source_path=str(tiny_images), limit=limit)
        return finished[key]

    return make


@pytest.fixture
def kit(made, tmp_path):
    """Return a function that lays what publishing a recipe sends into a folder."""

    def lay(**how):
        bundle = dataset_bundle(made(**how), Publication(RepoName("lab/kit"), "https://hub/lab/kit", "recipe"))
        folder = tmp_path / "kit"
        for file in bundle.all_files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.origin if isinstance(file.origin, bytes) else file.origin.read_bytes())
        return folder

    return lay


@pytest.mark.parametrize("how", [{}, {"limit": 5}, STORED], ids=["virtual", "limited", "stored"])
def test_the_rebuilt_dataset_is_the_same_byte_for_byte(how, kit, made, photographs, bytes_of, tmp_path):
    again = rebuild(kit(**how), tmp_path / "again", source_path=str(photographs))
    assert again.identical
    assert bytes_of(tmp_path / "again") == bytes_of(made(**how))


def test_no_pixel_of_a_photograph_is_published(kit, made):
    folder = kit(**STORED)
    shards = [*made(**STORED).glob("clean/*.parquet"), *made(**STORED).glob("occluded/*.parquet")]
    pixels = [row["image"]["bytes"] for file in shards for row in pq.read_table(file).to_pylist()]
    assert len(pixels) == 12 * 5
    files = {file.name: file.read_bytes() for file in folder.rglob("*")}
    listed = {"README.md", "croissant.json", "recipe.yaml", "keys.parquet", "patterns.parquet", "quarantine.jsonl"}
    assert set(files) == {*listed, "rebuild.json"}
    assert not any(image in content for image in pixels for content in files.values())


def change(file):
    pixels = np.array(Image.open(file).convert("RGB"))
    pixels[0, 0] ^= 255
    Image.fromarray(pixels).save(file)


def swap(file):
    other = file.parent.parent / "cup" / "3.png"
    content = file.read_bytes()
    shutil.copy(other, file)
    other.write_bytes(content)


#: how a copy of the photographs differs -> (what happens to bee/1.png, what the line says)
CHANGES = {
    "a pixel": (change, r"1 of 12 photographs .* bee-1 has other pixels \(SHA-256 \w+ instead of \w+\)"),
    "a broken file": (lambda file: file.write_bytes(b"\x89PNG"), "1 of 12 photographs .* bee-1 cannot be used"),
    "swapped files": (swap, "2 of 12 photographs .* bee-1 .* cup-3 "),
    "a missing file": (lambda file: file.unlink(), "1 of 12 photographs .* bee-1 is not there. Nothing"),
    "one too many": (
        lambda file: shutil.copy(file, file.with_name("0a.png")),
        "7 of 12 photographs .* bee-1 has number 6 in the source, 5 in the dataset; .*and 4 more",
    ),
    "another class": (lambda file: (file.parent.parent / "bee").rename(file.parent.parent / "wasp"), "names or order"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_photograph_that_differs_is_named_and_nothing_is_written(what, kit, photographs, tmp_path):
    spoil, words = CHANGES[what]
    spoil(photographs / "bee" / "1.png")
    with pytest.raises(DatasetError, match=words):
        rebuild(kit(), tmp_path / "again", source_path=str(photographs))
    assert not (tmp_path / "again").exists()


def test_the_same_pixels_in_other_files_are_the_same_photograph(kit, photographs, tmp_path):
    file = photographs / "bee" / "1.png"
    Image.open(file).save(file, compress_level=1)
    again = rebuild(kit(), tmp_path / "again", source_path=str(photographs))
    assert again.identical
    assert again.manifest.source.fingerprint != read_manifest_of(kit()).source.fingerprint


def read_manifest_of(folder):
    shutil.copy(folder / "rebuild.json", folder / "manifest.json")
    return read_manifest(folder)


def test_another_rendering_is_refused(kit, photographs, tmp_path):
    folder = kit()
    content = json.loads((folder / "rebuild.json").read_text())
    (folder / "rebuild.json").write_text(json.dumps({**content, "pixels_fingerprint": "0" * 16}))
    with pytest.raises(DatasetError, match=r"renders the recipe tiny otherwise.*Install occbench \d"):
        rebuild(folder, tmp_path / "again", source_path=str(photographs))


def test_from_the_hub_and_back(hub, as_user, made, photographs, bytes_of, tmp_path):
    assert as_user("publish", made(**STORED), "lab/kit", "--as", "recipe").returncode == 0
    assert "preview.png" in hub.repo("lab/kit").files()
    options = ("--source", photographs, "--out", tmp_path / "again", "--workers", 0)
    done = as_user("generate", "--from", "hub:lab/kit", *options)
    assert done.returncode == 0, done.stderr
    assert "Every file has the published hash." in done.stdout
    assert bytes_of(tmp_path / "again") == bytes_of(made(**STORED))
    loaded = as_user(code="import occbench; occbench.load('lab/kit')")
    assert loaded.returncode == 1
    assert "occbench generate --from hub:lab/kit --source PHOTOGRAPHS --out DIR" in loaded.stderr


@pytest.mark.slow
def test_a_published_dataset_is_no_recipe(as_user, toys, tmp_path):
    assert as_user("publish", toys(), "lab/pixels").returncode == 0
    done = as_user("generate", "--from", "hub:lab/pixels", "--out", tmp_path / "again")
    assert done.returncode == 2
    assert re.search("was not published with --as recipe", done.stderr)


FAMILY = '''
"""A family whose overlays are stored; the machine that rebuilds has not what made them."""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from occbench import Condition, Occlusion, Overlay
from occbench.core.errors import BrokenImageError, ConfigError


@dataclass(frozen=True)
class Painted(Occlusion):
    """Paints a square in a colour that nobody can know."""

    model: str

    per_image = True
    recomputable = False
    batch_size = 3
    conditions = (Condition("painted-1", "painted", "painted"), Condition("painted-2", "painted", "painted"))

    def overlay(self, example, condition, seed):
        if not Path(self.model).is_file():
            raise ConfigError("the model is not here")
        if example.key == "cup-2":
            raise BrokenImageError("nothing to paint on")
        colour = np.random.default_rng().integers(0, 256, 3)
        return Overlay(np.array([[[*colour, 255]] * 9] * 9, dtype=np.uint8), 5, 7, 81 / 48**2)

    def hidden(self, example, condition, seed):
        return None

    def provenance(self):
        if not Path(self.model).is_file():
            raise ConfigError("the model is not here")
        return {"model": "m"}
'''


@pytest.mark.parametrize("storage", [{}, STORED], ids=["virtual", "stored"])
def test_overlays_that_nobody_can_make_again_are_taken_as_they_are(
    storage, tiny_content, photographs, bytes_of, tmp_path
):
    (tmp_path / "painted.py").write_text(FAMILY)
    (tmp_path / "model").write_text("weights")
    content = tiny_content(**storage)
    content["occlusions"] = [
        {"name": "patch_drop", "losses": [0.5]},
        {"name": f"{tmp_path / 'painted.py'}:Painted", "model": str(tmp_path / "model")},
    ]
    made = tmp_path / "made"
    generate(parse_recipe(content, "painted"), made, source_path=str(photographs))
    assert read_manifest(made).quarantined == 1
    (tmp_path / "model").unlink()
    folder = shutil.copytree(made, tmp_path / "kit", ignore=shutil.ignore_patterns("clean", "occluded"))
    (folder / "keys.parquet").write_bytes(keys_file(made, read_manifest(made)))
    (folder / "manifest.json").rename(folder / "rebuild.json")
    again = rebuild(folder, tmp_path / "again", source_path=str(photographs))
    assert again.identical
    assert bytes_of(tmp_path / "again") == bytes_of(made)
    damaged = next((folder / "overlays").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="is missing or not the published one"):
        rebuild(folder, tmp_path / "other", source_path=str(photographs))
