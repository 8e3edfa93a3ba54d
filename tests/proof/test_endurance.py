"""The scripts of `benchmarks/endurance`: a leak is found, and its absence; the records in the repository are sound."""

import importlib
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from occbench.core.seeding import stream

FOLDER = Path(__file__).parents[2] / "benchmarks" / "endurance"
COUNT = 200


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a module of the folder, as its scripts do."""
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    yield importlib.import_module
    for name in {path.stem for path in FOLDER.glob("*.py")} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def judgement(script):
    return script("judgement")


def rounds(**growth):
    """Rounds of noisy memory, 8 MB up and down, where columns grow by so much a round."""
    noise = (stream(0, "noise").uniforms(COUNT) - 0.5) * 16_000
    flat = {
        "rss_kb": 1_000_000, "anonymous_kb": 600_000, "open_files": 8, "threads": 6, "children": 1,
        "temporary_entries": 1, "shared_memory_entries": 0,
    }  # fmt: skip
    return [
        {
            name: value + int(growth.get(name, 0) * number) + (int(noise[number]) if name.endswith("kb") else 0)
            for name, value in flat.items()
        }
        for number in range(COUNT)
    ]


def test_noise_is_no_leak(judgement):
    verdict = judgement.judge(rounds(), 64, 5)
    assert verdict["sound"]
    assert verdict["judged_rounds"] == 150
    low, high = verdict["memory"]["anonymous_kb"]["interval_kb"]
    assert low < 0 < high


@pytest.mark.parametrize(
    ("column", "growth"),
    [("rss_kb", 100), ("anonymous_kb", 100), ("open_files", 0.02), ("children", 0.02), ("temporary_entries", 1)],
)
def test_what_grows_is_named(judgement, column, growth):
    verdict = judgement.judge(rounds(**{column: growth}), 64, 5)
    assert not verdict["sound"]
    found = verdict["memory"] | verdict["numbers"]
    assert [name for name, one in found.items() if not one["sound"]] == [column]


def test_a_slope_is_found_within_its_interval_and_not_moved_by_outliers(judgement):
    values = 40.0 * np.arange(COUNT) + 900 * stream(1, "noise").uniforms(COUNT)
    values[::17] += 50_000
    estimate, low, high = judgement.slope(values, 5)
    assert low < 40 < high
    assert abs(estimate - 40) < 2
    with pytest.raises(ValueError, match="3 rounds or more"):
        judgement.slope(values[:2], 5)


def test_what_a_process_holds_is_counted(script, tmp_path):
    process = script("process")
    before = process.holdings()
    # pages of their own: an allocator may hand out memory that the process has had all along
    kept = mmap.mmap(-1, 30_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    kept.write(b"1" * len(kept))
    with (tmp_path / "open").open("wb"), subprocess.Popen(["sleep", "60"]) as child:
        held = process.holdings()
        assert child.pid in process.children()
        child.kill()
    assert held["open_files"] == before["open_files"] + 1
    assert held["children"] == before["children"] + 1
    assert held["anonymous_kb"] - before["anonymous_kb"] > 0.9 * len(kept) / 1024
    assert process.entries(tmp_path) == 1
    kept.close()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no shared memory as files here")
def test_shared_memory_is_found_by_its_makers_number(script):
    process = script("process")
    name = Path(f"/dev/shm/torch_{os.getpid()}_999_0")
    before = process.shared_memory_of([os.getpid()])
    name.write_bytes(b"")
    try:
        assert process.shared_memory_of([os.getpid()]) == before + 1
        assert process.shared_memory_of([]) == 0
    finally:
        name.unlink()


@pytest.mark.parametrize("name", ["soak", "kills"])
def test_the_record_in_the_repository_is_sound(judgement, name):
    record = json.loads((FOLDER / "results" / f"{name}.json").read_text(encoding="utf-8"))
    if name == "soak":
        assert record["soaked_s"] > 4800
        again = judgement.judge(record["rounds"], record["verdict"]["bound_kb_per_round"], record["period"])
        assert again == record["verdict"]
        assert again["sound"]
        return
    assert set(record["stages"]) == {"generate", "train", "score", "publish"}
    kills = [kill for stage in record["stages"].values() for kill in stage["kills"]]
    assert len(kills) >= 40
    assert all(kill["equal"] and not kill["differing"] for kill in kills)
    assert {kill["killed"] for kill in kills} == {"process group", "main process"}


def run(tmp_path, script, *options):
    out = tmp_path / "record.json"
    command = [sys.executable, str(FOLDER / script), "--out", str(out), "--folder", str(tmp_path), *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=dict(os.environ))
    return done, json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # it goes on until its rounds can be judged
def test_a_soak_of_seconds_is_recorded_and_leaves_nothing(tmp_path):
    done, record = run(tmp_path, "soak.py", "--hours", "0.001", "--period", "2", "--bound-kb", "1e9")
    assert done.returncode == 0, done.stderr
    assert record["finished"]
    assert len(record["rounds"]) >= 4
    assert {path.name for path in tmp_path.iterdir()} == {"record.json"}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["score", "publish"])
def test_a_stage_that_is_killed_ends_as_one_that_is_not(tmp_path, stage):
    done, record = run(tmp_path, "kills.py", "--kills", "1", "--stages", stage, "--seed", "3")
    assert done.returncode == 0, done.stderr
    (kill,) = record["stages"][stage]["kills"]
    assert kill["equal"]
    assert record["stages"][stage]["files"] > 20
