"""`occbench run-benchmark` at the command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from occbench.core.seeding import stream


def results(printed):
    return [line.split("  (")[0] for line in printed.splitlines() if " seed 0: clean " in line]


def test_cells_are_trained_and_scored_with_lines_on_the_way(finished_runs):
    runs, printed = finished_runs
    assert "tiny: 2 cells (0 finished), 36 training, 12 validation, 6 paired and 24 test images" in printed
    assert len(results(printed)) == 2
    assert re.search(r"C-Full seed 0: epoch 2/2, loss \d\.\d{4}, validation .* occluded; training 0 s left", printed)
    assert "336 of 336 predictions; scoring 0 s left" in printed
    assert printed.splitlines()[-1] == f"Next: occbench report {runs} --out report"


def test_a_repeated_command_says_the_same_and_changes_no_file(finished_runs, benchmark_file, occbench_cli, snapshot):
    runs, printed = finished_runs
    before = snapshot(runs)
    code, out, err = occbench_cli("run-benchmark", benchmark_file, "--runs", runs)
    assert (code, err) == (0, "")
    assert "2 cells (2 finished)" in out
    assert results(out) == results(printed)
    assert snapshot(runs) == before


def test_a_dry_run_projects_what_is_left_and_writes_nothing(benchmark_file, finished_runs, occbench_cli, tmp_path):
    command = ("run-benchmark", benchmark_file, "--runs", tmp_path / "runs", "--dry-run")
    code, out, err = occbench_cli(*command, "--arms", "C")
    assert (code, err) == (0, "")
    assert "tiny: 1 cells (0 finished)" in out
    assert re.search(r"1 cells to run: \d+ s with 1 job \(training \d+ s, scoring 168 images \d+ s", out)
    assert re.search(r"tiny, fine_tune: 1 cells, an epoch \d+ s, a prediction \d+\.\d\d ms", out)
    assert "nothing was written" in out
    assert not list(tmp_path.iterdir())
    code, out, _ = occbench_cli("run-benchmark", benchmark_file, "--runs", finished_runs[0], "--dry-run")
    assert code == 0
    assert "0 cells to run: 0 s" in out


def test_a_promise_says_what_was_skipped(benchmark_file, occbench_cli, tmp_path):
    command = ("run-benchmark", benchmark_file, "--runs", tmp_path, "--arms", "C")
    code, out, _ = occbench_cli(*command, "--half-width", "40")
    assert code == 0
    assert re.search(
        r"of a part: 72 of 144 occluded cells say \d+\.\d\d \+- \d+\.\d\d of all of them; 72 were skipped", out
    )
    code, out, _ = occbench_cli(*command)
    assert code == 0
    assert "skipped" not in out


def test_wrong_options_are_one_line_before_anything_is_written(benchmark_file, occbench_cli, tmp_path):
    (tmp_path / "weights.pth").touch()
    for options, expected in (
        (("--arms", "X"), "the benchmark has no arm X; its arms: C, C-Full"),
        (("--weights", f"vgg={tmp_path / 'weights.pth'}"), "the benchmark's backbones are tiny"),
        (("--weights", "tiny=nowhere.pth"), "--weights needs NAME=FILE with a file that exists"),
        (("--jobs", "0"), "--jobs needs 1 job or more, found 0"),
        (("--threads", "0"), "--threads needs 1 thread or more, found 0"),
        (("--half-width", "0"), "half-width above 0 and below 100 percentage points, found 0"),
        (("--half-width", "100"), "half-width above 0 and below 100 percentage points, found 100"),
        (("--track", "no_such_tracker"), "--track no_such_tracker: cannot be imported"),
        (("--set", "arms.C.method.name=nobody"), "nobody"),
        (("--set", "backbones.0=nobody"), "no model is called"),
        (("--set", "arms.C-Full.pair_groups=[30c]"), "pair_groups asks for 30c"),
    ):
        code, _, err = occbench_cli("run-benchmark", benchmark_file, "--runs", tmp_path / "runs", *options)
        assert code == 2, options
        assert expected in err.splitlines()[-1]
        assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_runs_that_cannot_be_written_are_one_line(benchmark_file, occbench_cli, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", *(["/proc/occbench"] if Path("/proc/self").is_dir() else [])):
        code, _, err = occbench_cli("run-benchmark", benchmark_file, "--runs", folder)
        assert code == 2
        assert re.search(r"occbench: cannot write .*Choose a folder that you may write", err.splitlines()[-1])


def start(benchmark_file, runs, *options):
    """Start the command in a process group of its own."""
    arguments = [sys.executable, "-c", "from occbench.cli import main; main()", "run-benchmark", str(benchmark_file)]
    return subprocess.Popen(
        [*arguments, "--runs", str(runs), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ), start_new_session=True,
        # whoever started the tests in the background has SIGINT ignored, and a child would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(process, runs, pattern):
    deadline = time.monotonic() + 120
    while not list(runs.rglob(pattern)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_control_c_ends_with_one_line_and_the_same_command_goes_on(
    benchmark_file, finished_runs, tmp_path, bytes_of, jobs
):
    process = start(benchmark_file, tmp_path, "--jobs", jobs)
    wait_for(process, tmp_path, "checkpoint.safetensors")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Stopped. What is finished is kept: the same command goes on."
    assert "Traceback" not in errors
    again = start(benchmark_file, tmp_path)
    again.communicate(timeout=120)
    assert again.returncode == 0
    same_but_seconds(bytes_of(tmp_path), bytes_of(finished_runs[0]))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_again_and_again_at_random_moments(benchmark_file, finished_runs, tmp_path, bytes_of, jobs):
    draws = stream(int(jobs), "kills")
    for _ in range(4):
        process = start(benchmark_file, tmp_path, "--jobs", jobs)
        process.stdout.readline()  # the plan; what follows is work
        time.sleep(4 * int(jobs) * draws.uniform())
        process.kill()
        process.communicate()
    last = start(benchmark_file, tmp_path, "--jobs", jobs)
    last.communicate(timeout=300)
    assert last.returncode == 0
    same_but_seconds(bytes_of(tmp_path), bytes_of(finished_runs[0]))


def same_but_seconds(one, other):
    def plain(files):
        return {name: sha256 for name, sha256 in files.items() if not name.endswith("manifest.json")}

    assert set(one) == set(other)
    assert plain(one) == plain(other)


def test_manifests_say_what_ran_them(finished_runs):
    runs, _ = finished_runs
    found = [json.loads(path.read_text()) for path in runs.glob("*/manifest.json")]
    assert {manifest["arm"] for manifest in found} == {"C", "C-Full"}
    assert all(manifest["threads"] >= 1 and manifest["train_s"] > 0 for manifest in found)
