"""Shared fixtures: tiny inputs and datasets, the command line, real photographs where they are; one torch thread."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHARED = Path(os.environ.get("OCCBENCH_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real photographs are not beside this checkout (set OCCBENCH_TEST_DATA to their folder)")
    return SHARED


@pytest.fixture(scope="session")
def tiny_images(tmp_path_factory):
    """A folder of 3 classes x 4 images of 40 to 60 px, PNG and JPEG; read it, copy it, do not change it."""
    from occbench.core.seeding import stream

    root = tmp_path_factory.mktemp("images")
    for label, name in enumerate(("apple", "bee", "cup")):
        (root / name).mkdir()
        for number in range(4):
            draws = stream(label, "photograph", number)
            width, height = 40 + draws.integer(0, 21), 40 + draws.integer(0, 21)
            coarse = draws.integers(256, 8 * 8 * 3).reshape(8, 8, 3).astype(np.uint8)
            picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
            picture.save(root / name / f"{number}.{'png' if number % 2 else 'jpg'}")
    return root


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory):
    """A folder with an inpainting pipeline of the real diffusers classes, tiny and random; only to be read."""
    from occbench.core.pipelines import quiet_diffusers
    from occbench.models.tiny_diffusion import TinyDiffusion

    with quiet_diffusers():
        return TinyDiffusion().save(tmp_path_factory.mktemp("pipeline") / "tiny")


@pytest.fixture(scope="session")
def tiny_bank(tmp_path_factory):
    """A folder of two occluders: a disc with a soft edge and an opaque bar."""
    from occbench.core.seeding import stream

    folder = tmp_path_factory.mktemp("bank")
    rows, columns = np.mgrid[:60, :60] - 29.5
    disc = np.empty((60, 60, 4), dtype=np.uint8)
    disc[..., :3] = stream(0, "disc").integers(256, 60 * 60 * 3).reshape(60, 60, 3)
    disc[..., 3] = np.clip((28 - np.hypot(rows, columns)) * 32, 0, 255)
    bar = np.full((24, 48, 4), (250, 60, 10, 255), dtype=np.uint8)
    for name, pixels in (("disc", disc), ("bar", bar)):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_content(tiny_bank):
    """Return a function that makes a recipe's content as it stands in YAML: 8 conditions, 2 images a shard."""

    def make(**storage):
        return {
            "name": "tiny",
            "source": {"name": "image_folder"},
            "prepare": {"rule": "direct", "size_px": 48},
            "occlusions": [{"name": "patterns", "bank": str(tiny_bank), "random_positions": 1}],
            "seed": 5,
            "storage": {"rows_per_shard": 16, **storage},
        }

    return make


@pytest.fixture(scope="session")
def tiny_recipe(tiny_content):
    """Return a function that makes the recipe of ``tiny_content``; arguments are keys of its storage."""
    from occbench.data.recipe import parse_recipe

    return lambda **storage: parse_recipe(tiny_content(**storage), "tiny.yaml")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_images, tiny_recipe):
    """Return a function that gives a finished dataset of ``tiny_recipe``; made once, so copy it to change it."""
    from occbench.generate.run import generate

    made = {}

    def make(**storage):
        key = tuple(sorted(storage.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("finished") / "dataset"
            generate(tiny_recipe(**storage), made[key], source_path=str(tiny_images))
        return made[key]

    return make


@pytest.fixture
def copy_of(tmp_path, finished):
    """Return a function that copies a finished dataset, to be damaged."""

    def make(**storage):
        return Path(shutil.copytree(finished(**storage), tmp_path / "copy"))

    return make


@pytest.fixture(scope="session")
def snapshot():
    """Return a function from a folder to {relative path: (SHA-256, time of change in ns)} of every file below it."""
    from occbench.core.files import hash_file

    def take(folder):
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): (hash_file(path), path.stat().st_mtime_ns) for path in files}

    return take


@pytest.fixture(scope="session")
def bytes_of(snapshot):
    """Return a function from a folder to {relative path: SHA-256} of every file below it."""
    return lambda folder: {name: sha256 for name, (sha256, _) in snapshot(folder).items()}


@pytest.fixture
def recipe_file(tmp_path, tiny_content):
    """Return a function that writes a recipe (by default ``tiny_content``) as YAML and returns its path."""

    def write(content=None, **storage):
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(tiny_content(**storage) if content is None else content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def occbench_cli(monkeypatch, capsys):
    """Return a function that runs the command line in this process and returns (exit code, stdout, stderr)."""
    from occbench.cli import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["occbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        found = capsys.readouterr()
        return stop.value.code or 0, found.out, found.err

    return run


@pytest.fixture(scope="session")
def tiny_benchmark():
    """Return a function that makes a benchmark: toyparts at 32 px, 6 patterns, 3 arms; mappings are merged into it."""
    from occbench.bench.protocol.benchmark import Benchmark
    from occbench.data.config import validate

    def make(**changes):
        content = {
            "name": "tiny",
            "source": {"name": "toyparts", "images_per_class": 6, "size_px": 32, "split": "train"},
            "prepare": {"rule": "direct", "size_px": 32},
            "occlusions": [{"name": "patterns", "ratios": [0.2], "random_positions": 1}],
            "split": {
                "train_per_class": 4, "test_per_class": 2, "validation_share": 0.25, "pair_classes": 3,
                "pair_per_class": 2,
            },
            "backbones": ["tiny"],
            "pretrained": False,
            "train": {"epochs": 2, "batch_size": 12},
            "arms": {
                "C": {"method": {"name": "fine_tune"}},
                "C-Full": {"method": {"name": "dfv"}},
                "F": {"method": {"name": "fine_tune"}, "add_occluded": True},
            },
            "seeds": [0],
        }  # fmt: skip
        for key, value in changes.items():
            content[key] = {**content[key], **value} if isinstance(value, dict) else value
        return validate(Benchmark, content, "tiny")

    return make


@pytest.fixture(scope="session")
def tiny_materials(tiny_benchmark):
    """Return a function that loads the materials of ``tiny_benchmark`` with changes; loaded once for equal changes."""
    from occbench.bench.images.materials import load_materials

    made = {}

    def make(**changes):
        key = repr(changes)
        if key not in made:
            benchmark = tiny_benchmark(**changes)
            made[key] = load_materials(benchmark, benchmark.source_at(""))
        return made[key]

    return make


@pytest.fixture(scope="session")
def make_pipeline():
    """Return a function that makes a random backbone for 12 classes on the CPU and its input side."""
    import torch

    from occbench.bench.batches.pipeline import Pipeline
    from occbench.models.load import load_backbone

    def make(trainable="all", name="tiny", classes=12, seed=0, precision="fp32"):
        model = load_backbone(name, classes, seed=seed)
        model.select_trainable(trainable)
        return Pipeline(model.to(memory_format=torch.channels_last), torch.device("cpu"), precision)

    return make


@pytest.fixture(scope="session")
def benchmark_file(tiny_benchmark, tmp_path_factory):
    """A benchmark of two arms on toyparts as a YAML file."""
    content = tiny_benchmark().model_dump(mode="json", exclude_none=True)
    content["arms"].pop("F")
    path = tmp_path_factory.mktemp("benchmark") / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="session")
def finished_runs(benchmark_file, tmp_path_factory):
    """A folder of the finished runs of ``benchmark_file``, only to be read, and what the command printed."""
    from typer.testing import CliRunner

    from occbench.cli import app

    runs = tmp_path_factory.mktemp("finished") / "runs"
    done = CliRunner().invoke(app, ["run-benchmark", str(benchmark_file), "--runs", str(runs)])
    assert done.exit_code == 0, done.output
    return runs, done.output
