"""`occbench analyse` at the command line, on two tiny runs."""

import json

import pytest


@pytest.fixture(scope="module")
def runs(finished_runs):
    """A folder of finished runs."""
    return finished_runs[0]


@pytest.fixture(scope="module")
def classical(runs):
    """The run directory of arm C."""
    manifests = {path.parent: json.loads(path.read_text(encoding="utf-8")) for path in runs.glob("*/manifest.json")}
    return next(home for home, manifest in manifests.items() if manifest["arm"] == "C")


def test_tsne_writes_maps_numbers_and_a_page(occbench_cli, classical, benchmark_file, tmp_path):
    code, out, err = occbench_cli(
        "analyse", "tsne", classical, "--benchmark", benchmark_file, "--images-per-class", 2, "--class-count", 2,
        "--all-classes-images", 0, "--out", tmp_path,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "difference vectors of one pattern lie close to each other" in out
    assert out.splitlines()[-1] == f"{tmp_path / 'tsne'}.md: the page. Beside it: tsne.json, tsne.png."
    assert {path.name for path in tmp_path.iterdir()} == {"tsne.json", "tsne.md", "tsne.png"}


def test_decode_tells_its_epochs_and_goes_on(occbench_cli, classical, benchmark_file, tmp_path):
    command = (
        "analyse", "decode", classical, "--benchmark", benchmark_file, "--size-px", 16, "--width", 16, "--group", "20c",
        "--train-images", 6, "--test-images", 4, "--out", tmp_path,
    )  # fmt: skip
    code, out, err = occbench_cli(*command, "--epochs", 1)
    assert code == 0
    assert err.startswith("  decoder: epoch 1/1, mean squared error 0.")
    code, _, err = occbench_cli(*command, "--epochs", 2)
    assert code == 0
    assert [line.split(",")[0] for line in err.splitlines()] == ["  decoder: epoch 2/2"]
    assert "decode.png" in out


def test_a_dry_sweep_writes_nothing_and_a_sweep_repeats_nothing(occbench_cli, benchmark_file, runs, tmp_path, snapshot):
    own = tmp_path / "runs"
    command = ("analyse", "sweep", benchmark_file, "--alpha", "0.5", "--beta", "0.5,2", "--out", tmp_path / "out")
    code, out, err = occbench_cli(*command, "--runs", own, "--dry-run")
    assert (code, err) == (0, "")
    assert "3 cells (0 finished)" in out
    assert not own.exists()
    code, out, _ = occbench_cli(*command, "--runs", own)
    assert code == 0
    numbers = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [item["values"] for item in numbers["differences_in_points"]] == [
        {"method.alpha": 0.5, "method.beta": 0.5}, {"method.alpha": 0.5, "method.beta": 2.0},
    ]  # fmt: skip
    before = snapshot(own)
    code, out, err = occbench_cli(*command, "--runs", own)
    assert (code, err) == (0, "")
    assert "3 cells (3 finished)" in out
    assert snapshot(own) == before


def test_a_sweep_finds_the_benchmarks_own_cells(occbench_cli, benchmark_file, runs, tmp_path):
    command = ("analyse", "sweep", benchmark_file, "--runs", runs, "--vary", "method.alpha=0.9,0.1", "--dry-run")
    code, out, _ = occbench_cli(*command, "--out", tmp_path)
    assert code == 0
    assert "3 cells (2 finished)" in out, "the classical arm, and alpha 0.9, which is dfv's own"


def test_difficulty_needs_predictions_alone(occbench_cli, runs, tmp_path):
    code, out, err = occbench_cli("analyse", "difficulty", runs, "--arms", "C", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "an occluder at the centre hurts more than one at a random place" in out
    assert {path.name for path in tmp_path.iterdir()} == {
        "difficulty-c.png", "difficulty.csv", "difficulty.json", "difficulty.md",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tsne", "RUNS", "--out", "OUT"), "is no finished run"),
        (("tsne", "RUN", "--out", "OUT", "--benchmark", "FILE", "--classes", "eel,cat"), "--classes asks for eel"),
        (("tsne", "RUN", "--out", "OUT", "--benchmark", "FILE", "--group", "50c"), "--group 50c"),
        (("tsne", "RUN", "--out", "OUT"), "no benchmark is called 'tiny'"),
        (("sweep", "FILE", "--out", "OUT"), "found none"),
        (("sweep", "FILE", "--out", "OUT", "--alpha", "0.1", "--along", "beta"), "--along beta"),
        (("sweep", "FILE", "--out", "OUT", "--alpha", "2"), "alpha from 0 to 1"),
        (("decode", "RUN", "--out", "OUT", "--benchmark", "FILE", "--size-px", "50"), "asked for 50 px"),
        (("difficulty", "OUT", "--out", "OUT"), "needs a finished run"),
        (("agreement", "RUNS", "RUNS", "--out", "OUT"), "needs 3 methods or more that both sets of runs have, found 2"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(
    occbench_cli, runs, classical, benchmark_file, tmp_path, arguments, message
):
    places = {"RUNS": runs, "RUN": classical, "OUT": tmp_path / "out", "FILE": benchmark_file}
    code, _, err = occbench_cli("analyse", *(places.get(item, item) for item in arguments))
    assert code == 2
    assert len(err.splitlines()) == 1
    assert message in err
    assert not list((tmp_path / "out").glob("*.md"))


@pytest.mark.parametrize("verb", ["tsne", "sweep", "decode", "difficulty", "agreement"])
def test_help_says_what_is_claimed_and_what_every_option_does(occbench_cli, verb):
    code, out, _ = occbench_cli("analyse", verb, "--help")
    assert code == 0
    assert "--out" in out
    assert len(out.splitlines()) > 15
