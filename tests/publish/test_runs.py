"""Finished runs on the Hub: records as a table, the report, and weights with a card that says how to load them."""

import json
import re

import pytest
import yaml

from occbench.bench.measures.records import Record, append_records
from occbench.core.errors import DatasetError
from occbench.core.files import write_json
from occbench.core.hub import RepoName
from occbench.publish.run_files import find_runs
from occbench.publish.runs import checkpoints_bundle, runs_bundle

RUN = "0123456789abcdef"
REPO = RepoName("lab/runs")


def make_run(folder, fingerprint=RUN, arm="C"):
    """A finished run's directory as the harness writes it, with the weights of a new network."""
    from occbench.bench.training.states import save_state
    from occbench.models.load import load_backbone

    home = folder / fingerprint
    home.mkdir(parents=True)
    facts = {"arm": {"method": {"name": "fine_tune"}}, "backbone": "tiny", "seed": 3, "note": "a|b <i>"}
    content = {"fingerprint": fingerprint, "benchmark": "mine", "arm": arm, "facts": facts, "classes": ["a", "b", "c"]}
    write_json(home / "manifest.json", content)
    common = {"benchmark": "mine", "method": "fine_tune", "arm": arm, "backbone": "tiny", "seed": 3, "run": fingerprint}
    numbers = [("clean", 70.0, 65.0, 75.0, False), ("avg", 40.5, 38.0, 43.0, False), ("20r", 35.0, None, None, True)]
    records = [
        Record(**common, group=group, metric="top1", value=value, low=low, high=high, n=40, part=part)
        for group, value, low, high, part in numbers
    ]
    append_records(home / "records.jsonl", records)
    save_state(home / "checkpoint.safetensors", load_backbone("tiny", 3, seed=5))
    return home


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "runs")
    make_run(tmp_path / "runs", "f" * 16, arm="F")
    (tmp_path / "runs" / "begun" / "train").mkdir(parents=True)
    return tmp_path / "runs"


def test_records_and_report_become_a_dataset(runs):
    import io

    import pyarrow.parquet as pq

    bundle = runs_bundle(runs, {"report.md": b"# The table", "report.html": b"<p>"}, REPO)
    files = {file.path: file for file in bundle.all_files}
    assert {"report/report.html", f"runs/{RUN}/manifest.json", f"runs/{RUN}/records.jsonl"} <= files.keys()
    assert not [path for path in files if path.endswith(".safetensors")]
    rows = pq.read_table(io.BytesIO(files["records.parquet"].origin)).to_pylist()
    assert len(rows) == 6
    assert [(row["group"], row["value"], row["low"], row["part"]) for row in rows[:3]] == [
        ("clean", 70.0, 65.0, False),
        ("avg", 40.5, 38.0, False),
        ("20r", 35.0, None, True),
    ]
    card = files["README.md"].origin.decode()
    assert f"| `{RUN}` | mine | C | tiny | 3 | 70.0 \\[65.0, 75.0\\] | 40.5 \\[38.0, 43.0\\] |" in card
    assert "# The table" in card
    assert bundle.notes == ("1 runs are not finished and stay at home.",)
    assert [file.path for file in bundle.seal] == ["runs.json"]


def test_runs_of_several_labels_are_summed_up_by_map(runs):
    for file in runs.rglob("records.jsonl"):
        file.write_text(file.read_text().replace('"top1"', '"map"'))
    files = {file.path: file for file in checkpoints_bundle(runs, REPO).all_files}
    metadata = yaml.safe_load(files[f"{RUN}/README.md"].origin.decode().split("---\n")[1])
    assert metadata["model-index"][0]["results"][0]["metrics"][0] == {
        "type": "mean_average_precision", "name": "mAP, clean", "value": 70.0,
    }  # fmt: skip


def test_the_model_cards_code_loads_the_weights(runs, monkeypatch):
    import huggingface_hub
    import torch

    bundle = checkpoints_bundle(runs, REPO)
    files = {file.path: file for file in bundle.all_files}
    assert {f"{RUN}/README.md", f"{RUN}/manifest.json", f"{RUN}/checkpoint.safetensors", "README.md"} <= files.keys()
    card = files[f"{RUN}/README.md"].origin.decode()
    assert "| note | a&#124;b &lt;i> |" in card
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["model-index"][0]["results"][0]["metrics"] == [
        {"type": "accuracy", "name": "top-1, clean", "value": 70.0},
        {"type": "accuracy", "name": "top-1, avg", "value": 40.5},
    ]
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda repo, path: str(files[path].origin))
    names = {}
    exec(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1], names)
    wanted = {name.removeprefix("model."): value for name, value in names["load_file"](names["file"]).items()}
    found = names["model"].state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


#: what is wrong with a folder of runs -> (how it comes about, words of the line)
DAMAGE = {
    "nothing": (lambda home: [file.unlink() for file in home.parent.glob("*/manifest.json")], "neither a finished"),
    "no records": (lambda home: (home / "records.jsonl").unlink(), "has no records.jsonl"),
    "no object": (lambda home: (home / "manifest.json").write_text("[]"), "holds list where an object is needed"),
    "not JSON": (lambda home: (home / "manifest.json").write_text("{"), "is not JSON"),
    "deeper than anybody goes": (lambda home: (home / "manifest.json").write_text("[" * 10**6), "is not JSON"),
    "another run's": (lambda home: home.rename(home.with_name("e" * 16)), "is not the manifest of the run eeee"),
    "nothing in it": (lambda home: (home / "manifest.json").write_text("{}"), "fingerprint: Field required"),
    "no record": (lambda home: (home / "records.jsonl").write_text('{"a": 1}\n'), "benchmark: Field required"),
    "another type": (
        lambda home: (home / "records.jsonl").write_text(
            json.dumps({**json.loads((home / "records.jsonl").read_text().splitlines()[0]), "n": "many"})
        ),
        "n: Input should be a valid integer.*found 'many'",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_run_is_one_line(what, runs):
    spoil, words = DAMAGE[what]
    spoil(runs / RUN)
    with pytest.raises(DatasetError, match=words):
        runs_bundle(runs, {"report.md": b""}, REPO)


def test_a_missing_checkpoint_is_one_line(runs):
    (runs / RUN / "checkpoint.safetensors").unlink()
    with pytest.raises(DatasetError, match=r"has no checkpoint\.safetensors"):
        checkpoints_bundle(runs, REPO)


def test_an_empty_folder_is_one_line(tmp_path, occbench_cli):
    with pytest.raises(DatasetError, match="neither a finished dataset"):
        find_runs(tmp_path / "nowhere")
    code, _, err = occbench_cli("publish", tmp_path, "lab/runs")
    assert code == 2
    assert "neither a finished dataset" in err


@pytest.mark.slow
def test_a_benchmark_goes_to_the_hub_with_its_checkpoints(hub, as_user, tmp_path):
    small = ["train.epochs=1", "warm_up=null", "source.images_per_class=8", "split.test_source.images_per_class=1"]
    changes = [word for change in small for word in ("--set", change)]
    made = as_user("run-benchmark", "quickstart", "--runs", tmp_path / "runs", *changes, "--arms", "C")
    assert made.returncode == 0, made.stderr
    done = as_user("publish", tmp_path / "runs", "lab/runs", "--checkpoints")
    assert done.returncode == 0, done.stderr
    assert {kind for kind, name in hub.store.repos if name == "lab/runs"} == {"dataset", "model"}
    code = """
from datasets import load_dataset
rows = load_dataset("lab/runs", "records", split="train")
print(sorted(set(rows["group"])))
"""
    assert "clean" in as_user(code=code).stdout
    again = as_user("publish", tmp_path / "runs", "lab/runs", "--checkpoints")
    assert again.stdout.count(": 0 files sent (0 B)") == 2, again.stdout
