import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from occbench.bench.scoring.predictions import block_file, write_block
from occbench.cli import app
from occbench.core.errors import DatasetError
from occbench.core.files import write_json
from occbench.core.types import CLEAN, Condition


@pytest.fixture
def runs(tmp_path):
    """One finished run: right on every clean image, on a quarter of the occluded ones."""
    home, labels = tmp_path / "runs" / "feedface", torch.arange(40) % 4
    hidden = Condition("mug_20_c", "patterns", "20c", {"occluder": "mug", "ratio": 0.2, "position": "c"})
    for condition, top1 in ((CLEAN, labels), (hidden, torch.zeros_like(labels))):
        found = [top1, top1 == labels, torch.rand(40), torch.rand(40)]
        write_block(block_file(home / "scores" / "set", condition), condition, labels, found)
    facts = {"backbone": "tiny", "arm": {"method": {"name": "fine_tune"}}, "seed": 0}
    numbers = {"test_images": 40, "train_s": 1.0, "score_s": 1.0, "images_per_s": 1.0}
    names = {"fingerprint": "feedface", "benchmark": "mine", "arm": "C", "test_set": "set", "device": "cpu"}
    write_json(home / "manifest.json", {**names, **numbers, "facts": facts})
    return tmp_path / "runs"


def test_report_writes_every_output_and_says_the_numbers(runs, tmp_path):
    done = CliRunner().invoke(app, ["report", str(runs), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "clean 100.00  20c 25.00  avg 25.00" in done.output
    assert "One training seed (C)" in done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html",
        "report.md",
        "table.csv",
        "table.tex",
    }
    table = pd.read_csv(tmp_path / "out" / "table.csv")
    assert list(table[table.section == "accuracy"]["value"]) == [100, 25, 25]


def test_a_folder_without_runs_is_one_clear_error(tmp_path):
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, DatasetError)
    assert "run-benchmark" in str(done.exception)
    assert not (tmp_path / "out").exists()
