"""Scoring: one block a condition, the same predictions however they were come by."""

import shutil

import pyarrow.parquet as pq
import pytest
import torch

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.scoring.predictions import answers, block_file, read_outcomes
from occbench.bench.scoring.score import count_flips, missing_conditions, score
from occbench.bench.scoring.test_set import test_set as build_test_set
from occbench.data.datasets import load
from occbench.generate.run import generate


@pytest.fixture(scope="module")
def test(tiny_materials):
    return build_test_set(tiny_materials())


def block_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run(pipeline, test, folder, cache=None, **options):
    cache = cache or ActivationCache()
    return score(
        lambda inputs, _: pipeline.model.head(pipeline.vectors(inputs)), pipeline, test, folder, cache=cache, **options
    )


@pytest.fixture(scope="module")
def scored(make_pipeline, test, tmp_path_factory):
    """The blocks of a random network, in batches of 10, so that the last one is filled up."""
    folder = tmp_path_factory.mktemp("scored")
    assert run(make_pipeline(), test, folder, batch_size=10) == len(test.images) * len(test.conditions)
    return folder


def test_every_condition_has_a_block_of_every_image(test, scored):
    assert {path.name for path in scored.iterdir()} == {block_file(scored, item).name for item in test.conditions}
    found = read_outcomes(scored, test.conditions)
    assert found.correct.shape == (24, 7)
    assert found.labels.tolist() == test.images.labels.tolist()
    assert missing_conditions(test.conditions, scored) == []


def test_predictions_are_those_of_the_network_on_each_image_alone(make_pipeline, test, scored):
    """In evaluation mode neither the company nor the filling of a batch changes an answer."""
    model = make_pipeline().model.eval()
    for condition in test.conditions:
        table = pq.read_table(block_file(scored, condition))
        for place, example in enumerate(test.images.examples[:5]):
            image = example.image if condition.name == "clean" else test.renderer.render(example, condition)[0]
            pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None]
            with torch.no_grad():
                _, _, p_label, margin = answers(model(model.normalise(pixels)), test.images.labels[place, None])
            assert table["p_label"][place].as_py() == pytest.approx(p_label.item(), rel=1e-4)
            assert table["margin"][place].as_py() == pytest.approx(margin.item(), abs=1e-5)


def test_only_missing_blocks_are_scored_and_come_out_the_same(make_pipeline, test, scored, tmp_path):
    folder = shutil.copytree(scored, tmp_path / "again")
    before = block_bytes(folder)
    gone = test.conditions[2]
    block_file(folder, gone).unlink()
    told = []
    assert run(make_pipeline(), test, folder, batch_size=10, on_block=told.append) == len(test.images)
    assert told == [gone]
    assert block_bytes(folder) == before
    assert run(make_pipeline(), test, folder, batch_size=10, on_block=told.append) == 0


def test_a_model_left_in_training_mode_is_scored_in_evaluation_mode(make_pipeline, test, scored, tmp_path):
    """Mistake 1: batch statistics at test time."""
    pipeline = make_pipeline()
    pipeline.model.train()
    before = {name: value.clone() for name, value in pipeline.model.state_dict().items()}
    run(pipeline, test, tmp_path, batch_size=10)
    assert block_bytes(tmp_path) == block_bytes(scored)
    assert all(torch.equal(before[name], value) for name, value in pipeline.model.state_dict().items())


@pytest.mark.parametrize("trainable", ["layer4+fc", "head"])
def test_kept_activations_change_no_prediction(make_pipeline, test, scored, tmp_path, trainable):
    cache = ActivationCache()
    for number in range(2):  # the second model takes everything from the cache
        run(make_pipeline(trainable), test, tmp_path / str(number), cache, batch_size=10)
        assert block_bytes(tmp_path / str(number)) == block_bytes(scored)
    run(make_pipeline(trainable), test, tmp_path / "none", ActivationCache(budget_bytes=0), batch_size=10)
    assert block_bytes(tmp_path / "none") == block_bytes(scored)


def test_a_cache_shared_by_other_weights_mixes_nothing_up(make_pipeline, test, scored, tmp_path):
    cache = ActivationCache()
    run(make_pipeline("head", seed=1), test, tmp_path / "other", cache, batch_size=10)
    run(make_pipeline("head"), test, tmp_path / "same", cache, batch_size=10)
    assert block_bytes(tmp_path / "same") == block_bytes(scored)
    assert block_bytes(tmp_path / "other") != block_bytes(scored)


def test_stored_png_rows_give_the_same_predictions_bit_for_bit(make_pipeline, tiny_materials, test, scored, tmp_path):
    """Virtual rendering beside the model equals a materialised dataset of the same recipe."""
    recipe = tiny_materials().benchmark.test_recipe()
    stored = recipe.model_copy(update={"storage": recipe.storage.model_copy(update={"layout": "materialised"})})
    generate(stored, tmp_path / "dataset")
    rows = {}
    for row in load(tmp_path / "dataset"):
        rows.setdefault(row["condition"], {})[row["key"]] = row["image"]
    pipeline = make_pipeline()
    pipeline.model.eval()
    for condition in test.conditions[1:]:
        images = torch.stack([rows[condition.name][key] for key in test.images.keys])
        found = []
        for start in range(0, 24, 10):
            part = images[start : start + 10]
            filled = torch.cat([part, part[-1:].expand(10 - len(part), -1, -1, -1)])
            with torch.inference_mode():
                logits = pipeline.model.head(pipeline.vectors(pipeline.inputs(filled)))[: len(part)]
            found.append(answers(logits, test.images.labels[start : start + 10]))
        table = pq.read_table(block_file(scored, condition))
        for name, parts in zip(("top1", "top5", "p_label", "margin"), zip(*found, strict=True), strict=True):
            assert table[name].to_pylist() == torch.cat(parts).tolist(), (condition.name, name)


def test_a_precision_compared_with_itself_flips_nothing(make_pipeline, test):
    pipeline = make_pipeline()
    pipeline.model.eval()
    compared, flips = count_flips(
        lambda inputs, _: pipeline.model.head(pipeline.vectors(inputs)), pipeline, pipeline, test, 50
    )
    assert compared >= 24
    assert flips == 0


def test_a_mixed_order_mixes_classes_and_is_put_back(make_pipeline, test, scored, tmp_path):
    """What a method that adapts is shown; a method that does not gives the same blocks."""
    pipeline, seen = make_pipeline(), []

    def predict(inputs, batch):
        seen.append([name.partition("~")[0] for name in batch.names])
        return pipeline.model.head(pipeline.vectors(inputs))

    score(predict, pipeline, test, tmp_path / "mixed", cache=ActivationCache(), batch_size=10, mixed=True)
    per_column = -(-len(test.images) // 10)
    starts = range(0, len(seen), per_column)
    columns = [[key for batch in seen[start : start + per_column] for key in batch] for start in starts]
    assert all(column == columns[0] for column in columns)
    assert sorted(set(columns[0])) == sorted(test.images.keys)
    assert columns[0][: len(test.images)] != list(test.images.keys)
    for condition in test.conditions:
        found, expected = (pq.read_table(block_file(folder, condition)) for folder in (tmp_path / "mixed", scored))
        assert found["top1"].to_pylist() == expected["top1"].to_pylist()
        assert found["label"].to_pylist() == expected["label"].to_pylist()
