"""A ready model on a dataset directory: the same blocks however they were come by, and no prediction made twice."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from occbench.bench.measures.records import latest_records, read_records
from occbench.bench.ready.ready_data import open_data
from occbench.bench.ready.ready_model import read_classes_map, ready_model
from occbench.bench.ready.score_ready import score_dataset as score_ready
from occbench.bench.scoring.partial import cell_files
from occbench.bench.tables.table import build_results
from occbench.core.errors import ConfigError, DatasetError
from occbench.data.datasets import load
from occbench.models.load import load_backbone

IMAGES, CONDITIONS = 12, 8


def score_dataset(directory, pipeline, out=None, *, stored=False, **options):
    return score_ready(open_data(directory, stored=stored), pipeline, out, **options)


@pytest.fixture
def pipeline(make_pipeline):
    return make_pipeline(classes=3)


@pytest.fixture(scope="module")
def whole(finished, make_pipeline, tmp_path_factory):
    """A full run from scratch, in batches of 5, so that the last one is filled up."""
    out = tmp_path_factory.mktemp("whole") / "run"
    found = score_dataset(finished(), make_pipeline(classes=3), out, batch_size=5)
    assert found.classified == IMAGES * (CONDITIONS + 1)
    return found


def scores_of(run, bytes_of):
    return bytes_of(run.folder / "scores")


def test_the_answers_are_the_networks_own_on_every_row(finished, pipeline, whole):
    pipeline.model.eval()
    right = []
    for row in load(finished()):
        with torch.no_grad():
            answer = pipeline.model(pipeline.model.normalise(row["image"][None])).argmax(1)
        right.append(int(answer) == row["label"])
    average = next(record for record in whole.records if (record.metric, record.group) == ("top1", "avg"))
    assert average.value == pytest.approx(100 * np.mean(right), abs=1e-4)
    assert average.low <= average.value <= average.high
    assert {record.group for record in whole.records if record.metric == "top1"} >= {"clean", "avg", "20c", "20r"}


def test_a_repeated_command_changes_nothing(finished, pipeline, whole, snapshot):
    before = snapshot(whole.folder)
    assert {"manifest.json", "records.jsonl", "facts.json"} < set(before)
    again = score_dataset(finished(), pipeline, whole.folder, batch_size=5)
    assert (again.classified, again.records) == (0, whole.records)
    assert snapshot(whole.folder) == before


def test_only_missing_conditions_are_scored_again(finished, pipeline, whole, bytes_of, tmp_path):
    out = tmp_path / "run"
    score_dataset(finished(), pipeline, out, batch_size=5)
    (out / "manifest.json").unlink()
    next((out / "scores").rglob("block-disc*")).unlink()
    found = score_dataset(finished(), pipeline, out, batch_size=5)
    assert found.classified == IMAGES
    assert scores_of(found, bytes_of) == scores_of(whole, bytes_of)
    assert read_records(out / "records.jsonl") == list(whole.records)


def test_stored_png_rows_give_the_same_blocks_bit_for_bit(finished, pipeline, whole, bytes_of, tmp_path):
    stored = finished(layout="materialised")
    found = score_dataset(stored, pipeline, tmp_path / "stored", batch_size=5, stored=True)
    assert scores_of(found, bytes_of) == scores_of(whole, bytes_of)
    rendered = score_dataset(stored, pipeline, tmp_path / "rendered", batch_size=5)
    assert scores_of(rendered, bytes_of) == scores_of(whole, bytes_of)


def test_stored_jpeg_rows_are_another_test_set(finished, pipeline, whole, tmp_path):
    stored = finished(layout="materialised", occluded="jpeg")
    found = score_dataset(stored, pipeline, tmp_path / "stored", batch_size=5, stored=True)
    assert found.classified == whole.classified
    assert {path.name for path in (found.folder / "scores").iterdir()}.isdisjoint(
        path.name for path in (whole.folder / "scores").iterdir()
    )


def test_a_virtual_dataset_has_no_stored_rows(finished, pipeline, tmp_path):
    with pytest.raises(DatasetError, match="stores no occluded"):
        score_dataset(finished(), pipeline, tmp_path / "run", stored=True)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A dataset of 240 toyparts of 32 px under 8 conditions: large enough for a promise to end before everything."""
    from occbench.data.recipe import parse_recipe
    from occbench.generate.run import generate

    recipe = {
        "name": "large",
        "source": {"name": "toyparts", "images_per_class": 20, "size_px": 32},
        "prepare": {"rule": "direct", "size_px": 32},
        "occlusions": [{"name": "patterns", "random_positions": 1, "ratios": [0.2]}],
    }
    out = tmp_path_factory.mktemp("large") / "dataset"
    generate(parse_recipe(recipe, "large.yaml"), out)
    return out


def test_a_promise_scores_a_part_and_the_full_run_only_the_rest(large, make_pipeline, bytes_of, tmp_path):
    pipeline, out = make_pipeline(), tmp_path / "part"
    first = score_dataset(large, pipeline, out, half_width=0.03)
    estimate = first.estimate
    assert 0 < estimate.half_width <= 0.03
    assert estimate.n_cells < first.cells
    assert first.classified == 240 + estimate.n_cells, "the clean column wholly, and the cells that were needed"
    stored = [pq.read_table(path) for path in cell_files(next((out / "scores").iterdir()))]
    cells = {
        pair
        for table in stored
        for pair in zip(*(table[name].to_pylist() for name in ("image", "condition")), strict=True)
    }
    assert len(cells) == sum(map(len, stored)) == estimate.n_cells, "no cell twice"
    part = json.loads((out / "manifest.json").read_text())["part"]
    assert (part["estimate"]["n_cells"], part["cells_of_full_matrix"]) == (estimate.n_cells, first.cells)
    (table,) = build_results(tmp_path, "")
    assert table.images == 240, "a report reads the part"

    again = score_dataset(large, pipeline, out, half_width=0.03)
    assert (again.classified, again.estimate) == (0, estimate)
    assert again.records == first.records

    rest = score_dataset(large, pipeline, out)
    assert rest.classified == rest.cells - estimate.n_cells
    assert "part" not in json.loads((out / "manifest.json").read_text())
    scratch = score_dataset(large, pipeline, tmp_path / "scratch")
    assert scores_of(rest, bytes_of) == scores_of(scratch, bytes_of)
    latest = {record.identity: record for record in latest_records(read_records(out / "records.jsonl"))}
    assert all(latest[record.identity] == record for record in scratch.records), "the part's numbers are superseded"
    score_dataset(large, pipeline, tmp_path / "again", half_width=0.03)
    (table,) = build_results(tmp_path, "")
    assert [row.seeds for row in table.rows] == [(0,)], "one model, however often it was scored"
    full = next(record.value for record in rest.records if (record.metric, record.group) == ("top1", "avg"))
    assert abs(100 * estimate.value - full) <= 3 * 100 * estimate.half_width


def test_a_promise_after_some_blocks_uses_them(large, make_pipeline, tmp_path):
    pipeline, out = make_pipeline(), tmp_path / "run"
    score_dataset(large, pipeline, out)
    (out / "manifest.json").unlink()
    next((out / "scores").rglob("block-clean*")).unlink()
    found = score_dataset(large, pipeline, out, half_width=0.03)
    assert found.classified == 240, "only the clean column was unknown"


def test_an_impossible_promise_ends_in_a_full_run(finished, pipeline, whole, bytes_of, tmp_path):
    found = score_dataset(finished(), pipeline, tmp_path / "run", batch_size=5, half_width=1e-6)
    assert found.estimate is None
    assert scores_of(found, bytes_of) == scores_of(whole, bytes_of)
    assert (found.folder / "manifest.json").is_file()


def test_reports_read_the_run_directory(whole):
    (table,) = build_results(whole.folder.parent, "")
    assert [row.arm for row in table.rows] == ["ready"]
    assert table.images == IMAGES


def test_an_out_that_is_something_elses_is_refused_and_left_alone(finished, make_pipeline, whole, snapshot, tmp_path):
    before = snapshot(whole.folder)
    with pytest.raises(DatasetError, match=r"another model or test set.*weights"):
        score_dataset(finished(), make_pipeline(classes=3, seed=1), whole.folder)
    assert snapshot(whole.folder) == before
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(DatasetError, match="something else than scores"):
        score_dataset(finished(), make_pipeline(classes=3), tmp_path)


def test_damaged_cells_are_one_clear_line(large, make_pipeline, tmp_path):
    pipeline = make_pipeline()
    score_dataset(large, pipeline, tmp_path / "run", half_width=0.03)
    cell_files(next((tmp_path / "run" / "scores").iterdir()))[0].write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"cells-000000\.parquet cannot be read"):
        score_dataset(large, pipeline, tmp_path / "run")


def test_a_head_of_another_width_is_refused(finished, make_pipeline, tmp_path):
    with pytest.raises(ConfigError, match="3 classes and the head of tiny has 12"):
        score_dataset(finished(), make_pipeline(classes=12), tmp_path / "run")
    with pytest.raises(ConfigError, match="half-width"):
        score_dataset(finished(), make_pipeline(classes=3), tmp_path / "run", half_width=25)


@pytest.fixture
def checkpoint(tmp_path):
    """Weights of a tiny network with 12 classes, in its own key layout."""
    from occbench.models.tiny import Tiny

    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_file(Tiny().build(12).state_dict(), path)
    return path


def test_a_ready_model_is_never_given_a_new_head(checkpoint, tmp_path):
    assert ready_model("tiny", ["c"] * 12, weights=checkpoint).num_classes == 12
    with pytest.raises(ConfigError, match="has 3 classes and tiny has 12 in its head"):
        ready_model("tiny", ["a", "b", "c"], weights=checkpoint)
    with pytest.raises(ConfigError, match="random"):
        ready_model("tiny", ["a", "b", "c"])


def test_a_map_takes_the_heads_rows(checkpoint, tmp_path):
    (tmp_path / "map.csv").write_text('class,index\nbee,7\n"cup, of tea",0\napple,3\nnobody,5\n')
    classes = ["apple", "bee", "cup, of tea"]
    mapped = ready_model("tiny", classes, weights=checkpoint, classes_map=tmp_path / "map.csv").eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = load_backbone("tiny", 12, weights=checkpoint).eval()(images)[:, [3, 7, 0]]
        assert torch.allclose(mapped(images), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apple,3\n", "lacks 1 of the test set's 2 classes \\(bee\\)"),
        ("apple,3\nbee,x\n", "row number"),
        ("apple,3\napple,4\nbee,1\n", "twice"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(tmp_path, text, message):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_classes_map(tmp_path / "map.csv", ["apple", "bee"])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_classes_map(tmp_path / "none.csv", ["apple"])


def test_images_of_a_size_that_the_model_cannot_take_are_one_clear_line(finished, make_pipeline, tmp_path):
    pytest.importorskip("timm")
    pipeline = make_pipeline(name="timm/mixer_s32_224", classes=3)  # plain transformers interpolate their positions
    with pytest.raises(ConfigError, match="cannot take images of 48 px"):
        score_dataset(finished(), pipeline, tmp_path / "run")
    assert not (tmp_path / "run").exists()
