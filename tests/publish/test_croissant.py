"""croissant.json passes the reference validator; the reference reader finds the right image, label and condition."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

import occbench
from occbench.core.hub import RepoName
from occbench.data.manifest import read_manifest
from occbench.publish.croissant import croissant_json
from occbench.publish.dataset import Publication, dataset_bundle

mlcroissant = pytest.importorskip("mlcroissant", reason="the extra croissant is not installed")

STORED = {"layout": "materialised"}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def document(directory, mode, folder):
    """Write the croissant.json that publishing a directory sends."""
    bundle = dataset_bundle(directory, Publication(RepoName("lab/toys"), "https://hub.example/datasets/lab/toys", mode))
    file = folder / "croissant.json"
    file.write_bytes(next(item.origin for item in bundle.files if item.path == "croissant.json"))
    return file


@pytest.mark.parametrize("mode", ["pixels", "recipe"])
@pytest.mark.parametrize("storage", [{}, STORED], ids=["virtual", "stored"])
def test_the_reference_validator_accepts_it(toys, tmp_path, mode, storage):
    file = document(toys(**storage), mode, tmp_path)
    issues = mlcroissant.Dataset(str(file)).metadata.ctx.issues
    assert not issues.errors
    assert all("datePublished" in text for text in issues.warnings), issues.warnings


def validate(file):
    """Run `mlcroissant validate --jsonld FILE`."""
    command = [
        sys.executable,
        "-c",
        "from mlcroissant.scripts.cli import main; main()",
        "validate",
        "--jsonld",
        str(file),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pixels", "recipe"])
def test_the_validators_command_accepts_it(toys, tmp_path, mode):
    done = validate(document(toys(**STORED), mode, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Done." in done.stderr


@pytest.mark.slow
def test_the_validators_command_would_say_if_it_were_wrong(toys, tmp_path):
    file = document(toys(), "pixels", tmp_path)
    file.write_text(file.read_text().replace('"clean-files"', '"no-such-files"', 1))
    assert validate(file).returncode == 1


def test_the_reference_reader_sees_what_was_made(toys, tmp_path):
    directory = toys(**STORED)
    file = document(directory, "pixels", tmp_path)
    records = mlcroissant.Dataset(str(file), mapping={"repo": directory}).records("occluded")
    found = {
        row["occluded/row"]: (
            hashlib.sha256(np.asarray(row["occluded/image"]).tobytes()).hexdigest(),
            row["occluded/label"],
            row["occluded/condition"].decode(),
        )
        for row in records
    }
    dataset = occbench.load(directory)
    for index in range(len(dataset)):
        sample = dataset.sample(index)
        wanted = hashlib.sha256(sample.image.tobytes()).hexdigest(), sample.labels[0], sample.condition
        assert found[dataset[index]["row"]] == wanted
    classes = mlcroissant.Dataset(str(file)).records("classes")
    assert [row["classes/name"] for row in classes] == list(dataset.classes)


def test_terms_and_licence_are_in_it(toys):
    manifest = read_manifest(toys())
    made = json.loads(croissant_json(manifest, url="u", mode="gated", licence="other", citation="c"))
    assert made["license"] == manifest.source.terms
    assert manifest.source.terms in made["description"]
    named = json.loads(croissant_json(manifest, url="u", mode="pixels", licence="cc-by-4.0", citation="c"))
    assert named["license"].endswith("/cc-by-4.0/")
