"""The command line from end to end: what it prints, which code it exits with, and that help costs nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from occbench.cli.terminal import readable_bytes, readable_time


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom occbench.cli import main\nsys.argv = ['occbench', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'torch', 'pandas', 'datasets', 'cv2', 'pyarrow', 'matplotlib', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for verb in ("generate", "verify", "preview", "list", "occluders"):
        assert verb in done.stdout


def test_generate_then_verify_then_again(tmp_path, occbench_cli, recipe_file, tiny_images, snapshot):
    arguments = ("generate", recipe_file(), "--source", tiny_images, "--out", tmp_path / "out", "--workers", 0)
    code, out, _ = occbench_cli(*arguments, "--materialise")
    assert code == 0
    assert "12 clean images x 8 conditions = 96 occluded images (stored)" in out
    assert f"Next: occbench verify {tmp_path / 'out'}" in out
    code, out, _ = occbench_cli("verify", tmp_path / "out")
    assert code == 0
    assert re.search(r"sound\. \d+ files re-hashed, 96 rows rendered again, pixels and bytes equal\.", out)
    before = snapshot(tmp_path / "out")
    assert occbench_cli(*arguments, "--materialise")[0] == 0
    assert snapshot(tmp_path / "out") == before
    code, _, err = occbench_cli(*arguments)
    assert code == 2, "a virtual dataset is another one"
    assert "Choose another --out" in err
    assert snapshot(tmp_path / "out") == before


def test_verify_names_damage_and_exits_with_1(copy_of, occbench_cli):
    directory = copy_of()
    (directory / "patterns.parquet").unlink()
    code, out, _ = occbench_cli("verify", directory)
    assert code == 1
    assert "  patterns.parquet is missing." in out
    assert "1 problems in" in out


def test_a_dry_run_says_images_bytes_and_time_and_writes_nothing(tmp_path, occbench_cli, recipe_file, tiny_images):
    recipe = recipe_file()
    before = set(tmp_path.rglob("*"))
    arguments = ("generate", recipe, "--source", tiny_images, "--out", tmp_path / "out", "--dry-run", "--workers", 1)
    code, out, err = occbench_cli(*arguments)
    assert (code, err) == (0, "")
    assert "12 clean images, 96 occluded images, 6 shards" in out
    assert re.search(r"[\d.]+ [kM]?B on disk, \d+ s with 1 workers", out)
    assert "nothing was written" in out
    assert set(tmp_path.rglob("*")) == before
    code, out, _ = occbench_cli(*arguments, "--assume-images", 45_000, "--limit", 3)
    assert code == 0
    assert "45,000 clean images, 360,000 occluded images" in out
    assert set(tmp_path.rglob("*")) == before


def test_broken_images_are_reported(tmp_path, occbench_cli, recipe_file):
    (tmp_path / "images/apple").mkdir(parents=True)
    (tmp_path / "images/apple/1.jpg").write_text("not an image")
    code, out, _ = occbench_cli("generate", recipe_file(), "--source", tmp_path / "images", "--out", tmp_path / "out")
    assert code == 0
    assert f"1 images could not be used: see {tmp_path / 'out/quarantine.jsonl'}" in out


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a kernel file system that refuses with ENOENT")
@pytest.mark.parametrize(
    "verb",
    [
        ("generate", "quickstart", "--workers", 0, "--out", "/proc/occbench"),
        ("generate", "quickstart", "--workers", 0, "--out", "/proc/self/no/such"),
        ("preview", "quickstart", "--out", "/proc/occbench.png"),
    ],
)
def test_a_place_that_the_kernel_refuses_is_one_line(occbench_cli, verb):
    code, _, err = occbench_cli(*verb, "--set", "source.images_per_class=1")
    assert code == 2
    assert re.match(r"occbench: (cannot write )?/proc/.*: No such file or directory\. Ch", err.splitlines()[-1])


def test_a_file_that_nobody_looked_at_first_is_one_line(occbench_cli, tmp_path, monkeypatch):
    from occbench.data import recipe

    def vanished(*_):
        raise FileNotFoundError(2, "No such file or directory", str(tmp_path / "gone"))

    monkeypatch.setattr(recipe, "load_recipe", vanished)
    code, _, err = occbench_cli("generate", "quickstart", "--out", tmp_path / "out")
    assert code == 2
    assert err == f"occbench: {tmp_path / 'gone'} cannot be used: No such file or directory. " + (
        "Check path and permissions, then run again.\n"
    )


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("recipes", ["quickstart", "ilsvrc-240"]),
        ("occlusions", ["patterns", "patch_drop"]),
        ("sources", ["image_folder"]),
        ("benchmarks", ["quickstart", "voc07-msl"]),
        ("methods", ["dfv", "learn", "msl"]),
        ("models", ["tiny"]),
        ("heads", ["csra"]),
        ("extractors", ["diffusion_features"]),
    ],
)
def test_list_names_and_describes(occbench_cli, what, names):
    code, out, _ = occbench_cli("list", what)
    assert code == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert set(names) <= set(lines)
    assert all(lines.values())


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1.44e9, "1.4 GB"), (2.5e18, "2500.0 PB")]
)
def test_sizes_are_readable(count, text):
    assert readable_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (5340, "89 min"), (7500, "2 h 05 min")]
)
def test_durations_are_readable(seconds, text):
    assert readable_time(seconds) == text
