from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from occbench.bench.images.materials import load_materials
from occbench.bench.protocol.benchmark import load_benchmark
from occbench.bench.scoring.predictions import answers, block_file, write_block
from occbench.bench.scoring.test_set import test_set as scored_set
from occbench.bench.tables.examples import example_predictions, read_answers
from occbench.bench.tables.table import build_results
from occbench.core.errors import DatasetError
from occbench.core.files import write_json
from occbench.core.types import CLEAN

SMALL = (
    "source.images_per_class=6", "split.test_source.images_per_class=4", "split.test_per_class=4",
    "split.pair_per_class=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def materials():
    benchmark = load_benchmark("quickstart", SMALL)
    return load_materials(benchmark, benchmark.source_at(""))


@pytest.fixture
def runs(tmp_path, materials):
    """Two finished runs: one that is always right, one that always answers class 0."""
    test = scored_set(materials)
    labels = test.images.labels
    for arm, top1 in (("C", labels), ("C-Full", torch.zeros_like(labels))):
        for condition in test.conditions:
            found = [top1, top1 == labels, torch.rand(len(labels)), torch.rand(len(labels))]
            write_block(block_file(tmp_path / arm / "scores" / test.fingerprint, condition), condition, labels, found)
        facts = {"backbone": "tiny", "arm": {"method": {"name": "fine_tune"}}, "seed": 0}
        content = {"fingerprint": arm, "benchmark": "quickstart", "arm": arm, "facts": facts, "device": "cpu"}
        numbers = {"test_images": len(labels), "train_s": 1.0, "score_s": 1.0, "images_per_s": 1.0}
        write_json(tmp_path / arm / "manifest.json", content | numbers | {"test_set": test.fingerprint})
    return tmp_path


def test_every_row_answers_as_its_predictions_say(runs, materials):
    (results,) = build_results(runs, draws=50)
    examples = list(example_predictions(results, runs, materials, 8))
    assert len(examples) == 8
    for example in examples:
        zero = materials.split.classes[0]
        assert [(answer.label, answer.class_name, answer.right) for answer in example.answers] == [
            ("C", example.class_name, True),
            ("C-Full", zero, example.class_name == zero),
        ]


def test_the_confidence_is_the_softmax_of_the_answer(tmp_path):
    labels = torch.arange(6) % 3
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(5)) * 4
    logits[5] = torch.tensor([120.0, 0.0, 0.0])  # float32 holds the label's probability as 0
    path = block_file(tmp_path, CLEAN)
    write_block(path, CLEAN, labels, answers(logits, labels))
    found = read_answers(path)
    assert np.array_equal(found.top1, logits.argmax(1))
    assert len(set((found.top1 == labels.numpy()).tolist())) == 2, "right and wrong answers are tried"
    assert found.confidence[:5] == pytest.approx(logits.softmax(1).max(1).values[:5].numpy(), rel=1e-4)
    assert np.isnan(found.confidence[5])


def test_more_examples_than_images_show_every_image_and_never_a_pair_twice(runs, materials):
    (results,) = build_results(runs, draws=50)
    images, conditions = len(materials.test), len(results.heat_maps[0].occluders) * len(results.heat_maps[0].places)
    shown = [(item.key, item.condition) for item in example_predictions(results, runs, materials, 3 * images)]
    assert len(set(shown)) == len(shown) == 3 * images
    assert {key for key, _ in shown[:images]} == {key for key, _ in shown}
    assert len({condition for _, condition in shown}) == conditions


def test_the_pictures_are_the_test_images_occluded(runs, materials):
    (results,) = build_results(runs, draws=50)
    examples = list(example_predictions(results, runs, materials, 6))
    conditions = {condition.name: condition for condition in materials.renderer.conditions}
    by_key = {example.key: example for example in materials.test.examples}
    for example in examples:
        expected, _ = materials.renderer.render(by_key[example.key], conditions[example.condition])
        assert np.array_equal(np.asarray(Image.open(BytesIO(example.png))), expected)
    assert len({example.key for example in examples}) == 6
    assert len({example.condition for example in examples}) == 6
    assert len({example.class_name for example in examples}) > 1


def test_other_images_than_the_scored_ones_are_refused(runs):
    (results,) = build_results(runs, draws=50)
    benchmark = load_benchmark("quickstart", (*SMALL, "split_seed=7"))
    with pytest.raises(DatasetError, match="same --source and --set"):
        example_predictions(results, runs, load_materials(benchmark, benchmark.source_at("")), 3)


def test_runs_that_were_scored_in_part_have_no_examples(runs, materials):
    (results,) = build_results(runs, draws=50)
    for block in runs.glob("C-Full/scores/*/block-*_c.parquet"):
        block.unlink()
    with pytest.raises(DatasetError, match="C-Full was scored in part: run the benchmark without --half-width"):
        example_predictions(results, runs, materials, 24)
