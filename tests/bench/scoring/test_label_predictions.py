"""Blocks of several labels: what was answered comes back exactly, whole or not at all, and enough for every metric."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from occbench.bench.images.images import ImageSet
from occbench.bench.measures.label_outcomes import Metric
from occbench.bench.scoring.label_predictions import (
    labels_identity,
    read_label_outcomes,
    stored_labels,
    write_label_block,
)
from occbench.bench.scoring.predictions import block_file
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.types import CLEAN, Condition, Example

HOLES = Condition("irregular-high", "irregular", "irregular-high", {"low": 0.5})
NAN = float("nan")
TARGETS = torch.tensor([[1.0, 0.0, NAN], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, NAN, 1.0]])
SIZES = torch.tensor([[1, 0, 0], [0, 0, 0], [3, 2, 0], [0, 0, 2]], dtype=torch.uint8)


@pytest.fixture
def images():
    examples = [Example(f"image-{row}", np.zeros((4, 4, 3), dtype=np.uint8), (0,)) for row in range(4)]
    return ImageSet.of(examples, TARGETS)


@pytest.fixture
def written(images, tmp_path):
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)) * 40
    for condition, answers in zip((CLEAN, HOLES), logits, strict=True):
        write_label_block(block_file(tmp_path, condition), condition, images, answers)
    return tmp_path, logits


def test_logits_and_labels_come_back_bit_for_bit(written):
    folder, logits = written
    found = read_label_outcomes(folder, (CLEAN, HOLES))
    assert found.labels.dtype == np.int8
    assert found.labels.tolist() == [[1, 0, -1], [0, 0, 0], [1, 1, 0], [0, -1, 1]]
    assert np.array_equal(np.stack(found.logits), logits.numpy())
    assert found.sizes is None
    assert found.conditions == (CLEAN, HOLES)


def test_sizes_of_objects_are_kept_where_they_are_known(images, tmp_path):
    known = ImageSet(images.keys, images.labels, images.images, images.examples, SIZES)
    write_label_block(block_file(tmp_path, CLEAN), CLEAN, known, torch.zeros(4, 3))
    found = read_label_outcomes(tmp_path, (CLEAN,))
    assert found.sizes.tolist() == SIZES.tolist()
    assert {"map_small", "cr_medium", "or_large"} <= set(found.metrics)


def test_a_block_says_what_it_is_of(written):
    folder, _ = written
    metadata = pq.read_schema(block_file(folder, HOLES)).metadata
    assert metadata[b"condition"] == b"irregular-high"
    assert json.loads(metadata[b"parameters"]) == {"low": 0.5}
    table = pq.read_table(block_file(folder, HOLES))
    assert table["image"].to_pylist() == [0, 1, 2, 3]
    assert str(table.schema.field("logits").type) == "fixed_size_list<element: float>[3]"


@pytest.mark.parametrize("damage", ["truncated", "missing", "another form"])
def test_a_damaged_block_is_one_clear_line(written, damage):
    folder, _ = written
    path = block_file(folder, HOLES)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "missing":
        path.unlink()
    else:
        pq.write_table(pq.read_table(path).drop_columns(["logits"]), path)
    with pytest.raises(DatasetError, match="block-irregular-high"):
        read_label_outcomes(folder, (CLEAN, HOLES))


def test_blocks_of_other_images_do_not_mix(written, images):
    folder, _ = written
    other = ImageSet.of(list(images.examples), TARGETS.nan_to_num(0))
    write_label_block(block_file(folder, HOLES), HOLES, other, torch.zeros(4, 3))
    with pytest.raises(DatasetError, match="other images"):
        read_label_outcomes(folder, (CLEAN, HOLES))


def test_what_names_the_labels_of_a_test_set():
    assert labels_identity(torch.tensor([3, 1])) == [3, 1]
    names = {labels_identity(targets) for targets in (TARGETS, TARGETS.clone(), TARGETS.nan_to_num(0))}
    assert len(names) == 2
    assert stored_labels(TARGETS).dtype == np.int8


def test_columns_name_a_group_and_a_metric(written):
    found = read_label_outcomes(written[0], (CLEAN, HOLES))
    assert found.value("clean") == found.by_condition(Metric.of("map"))[0]
    assert found.value("irregular-high/cf1") == found.by_condition(Metric.of("cf1"))[1]
    assert found.value("avg/or_top3") == found.by_condition(Metric.of("or_top3"))[1]
    for wrong in ("clean/f1", "clean/map_top3", "clean/cp_small", "clean/map_huge"):
        with pytest.raises(ConfigError, match="no metric is called"):
            found.value(wrong)
    with pytest.raises(ConfigError, match="condition group 'rain'"):
        found.value("rain/map")
    with pytest.raises(ConfigError, match="needs the areas"):
        found.value("clean/map_small")
