import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from occbench.analyse.opened_run import open_run
from occbench.bench.images.images import render_batch
from occbench.bench.scoring.predictions import block_file
from occbench.core.errors import ConfigError, DatasetError


def test_the_network_answers_as_the_run_did(opened):
    answers_are_those_stored(opened)


def test_a_run_with_another_normalisation_is_opened_with_it(occbench_cli, benchmark_file, tmp_path):
    code, _, err = occbench_cli(
        "run-benchmark", benchmark_file, "--runs", tmp_path, "--arms", "C", "--set", "train.normalisation=half"
    )
    assert code == 0, err
    (home,) = (path.parent for path in tmp_path.glob("*/manifest.json"))
    answers_are_those_stored(open_run(home, benchmark=str(benchmark_file)))


def answers_are_those_stored(opened):
    condition = opened.conditions("20c")[0]
    test, device = opened.materials.test, opened.pipeline.device
    vectors = opened.vectors(render_batch(test, slice(0, len(test)), condition, opened.materials.renderer, device))
    stored = pq.read_table(block_file(opened.folder / "scores" / opened.manifest["test_set"], condition))
    assert np.array_equal(opened.answers(vectors).numpy(), stored["top1"].to_numpy())
    p_label = opened.pipeline.model.head(vectors).softmax(1).gather(1, test.labels[:, None])[:, 0]
    assert np.allclose(p_label.detach().numpy(), stored["p_label"].to_numpy(), atol=1e-6)
    assert np.ptp(stored["p_label"].to_numpy()) > 1e-3, "the comparison sees something"


def test_drawn_images_are_of_their_class_and_of_their_part_of_the_split(opened):
    trained, tested = set(opened.materials.train.keys), set(opened.materials.test.keys)
    drawn = opened.draw([2, 5], 2, 0, held_out=True)
    assert drawn.labels.tolist() == [2, 2, 5, 5]
    assert set(drawn.keys) <= tested
    assert set(opened.draw([2, 5], 2, 0, held_out=False).keys) <= trained
    assert opened.draw([2], 2, 0, held_out=False).keys == opened.draw([2, 5], 2, 0, held_out=False).keys[:2]


def test_more_images_than_a_class_has_are_refused(opened):
    with pytest.raises(ConfigError, match=r"9 images a class were asked for, class .* has 2 test images"):
        opened.draw([0], 9, 0, held_out=True)


def test_an_unknown_condition_group_is_refused(opened):
    with pytest.raises(ConfigError, match="--group 50c: the benchmark's condition groups are 20c, 20r"):
        opened.conditions("50c")


@pytest.mark.parametrize(
    ("change", "named"), [("split_seed=9", "images"), ("occlusions.0.ratios=[0.3]", "test occlusions")]
)
def test_other_images_or_occlusions_are_not_judged_under_the_runs_name(classical_home, benchmark_file, change, named):
    with pytest.raises(DatasetError, match=f"other .*{named}.* give the same --source and --set"):
        open_run(classical_home, benchmark=str(benchmark_file), overrides=(change,))


def test_how_it_was_trained_comes_from_the_manifest(classical_home, benchmark_file, opened):
    again = open_run(classical_home, benchmark=str(benchmark_file), overrides=("train.epochs=7", "seeds=[3]"))
    assert again.provenance == opened.provenance
    assert again.provenance["train"]["epochs"] == 2


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"no finished run: it has no manifest\.json"):
        open_run(tmp_path)


def test_a_damaged_or_foreign_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged"):
        open_run(tmp_path)
    (tmp_path / "manifest.json").write_text('{"fingerprint": "x"}')
    with pytest.raises(DatasetError, match="lacks benchmark"):
        open_run(tmp_path)


def test_a_run_without_its_checkpoint_says_what_to_do(classical_home, benchmark_file, tmp_path):
    copy = shutil.copytree(classical_home, tmp_path / "copy")
    (copy / "checkpoint.safetensors").unlink()
    with pytest.raises(DatasetError, match=r"checkpoint\.safetensors is missing"):
        _ = open_run(copy, benchmark=str(benchmark_file)).pipeline
