import json

import numpy as np
import pytest
import torch
from PIL import Image

from occbench.analyse.difference_vectors import PairedVectors
from occbench.analyse.tsne import EmbeddingRequest, chosen_classes, embed, pattern_silhouettes
from occbench.analyse.tsne_report import write_tsne
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

NAMES = ("ant", "bee", "cat", "dog")


COUNTS = [10, 10, 10, 10]


def test_classes_are_those_named_or_drawn_by_the_seed():
    assert chosen_classes(EmbeddingRequest(classes=("dog", "ant")), NAMES, COUNTS) == [3, 0]
    drawn = chosen_classes(EmbeddingRequest(class_count=2, seed=1), NAMES, COUNTS)
    assert drawn == chosen_classes(EmbeddingRequest(class_count=2, seed=1), NAMES, COUNTS)
    assert (
        len({tuple(chosen_classes(EmbeddingRequest(class_count=2, seed=seed), NAMES, COUNTS)) for seed in range(9)}) > 1
    )


def test_classes_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match="--classes asks for eel"):
        chosen_classes(EmbeddingRequest(classes=("ant", "eel")), NAMES, COUNTS)
    with pytest.raises(ConfigError, match="9 classes of 10 images were asked for, 4 of 4 have so many"):
        chosen_classes(EmbeddingRequest(class_count=9), NAMES, COUNTS)
    with pytest.raises(ConfigError, match="2 classes of 2 images or more"):
        EmbeddingRequest(images=1)


def test_classes_with_too_few_images_are_not_drawn():
    for seed in range(9):
        assert chosen_classes(EmbeddingRequest(class_count=2, seed=seed), NAMES, [10, 3, 12, 9]) == [0, 2]


def test_equal_seeds_give_equal_maps_that_keep_clusters_apart():
    points = stream(0, "points").uniforms(40, 6) + 9 * (np.arange(40) % 2)[:, None]
    plane = embed(points, 0)
    assert plane.shape == (40, 2)
    assert np.array_equal(plane, embed(points, 0))
    centres = [plane[start::2].mean(axis=0) for start in (0, 1)]
    spread = max(np.linalg.norm(plane[start::2] - centres[start], axis=1).mean() for start in (0, 1))
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread


def test_difference_vectors_of_a_pattern_of_its_own_direction_cluster_by_pattern():
    draws = stream(0, "vectors")
    clean = torch.from_numpy(draws.uniforms(12, 3)).float()
    moved = clean[:, None] + torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    moved += 0.1 * torch.from_numpy(draws.uniforms(12, 2, 3)).float()
    by_pattern, by_class = pattern_silhouettes(PairedVectors(torch.arange(12) % 3, clean, moved), 0, 20)
    assert by_pattern.value > 0.9 > 0 > by_class.value
    assert by_pattern.value > by_pattern.chance


def test_maps_and_numbers_are_written_and_the_same_seed_repeats_them(opened, tmp_path):
    request = EmbeddingRequest(class_count=3, images=2, all_classes=2)
    write_tsne(opened, request, tmp_path / "one")
    numbers = json.loads((tmp_path / "one" / "tsne.json").read_text())
    assert numbers["images"] == "test"
    assert set(numbers["silhouette_of_difference_vectors"]) == {"by pattern", "by class", "by pattern, all classes"}
    assert all(0 <= share["value"] <= 1 for name, share in numbers["shares"].items() if "minus" not in name)
    for file in ("tsne.png", "tsne-all.png"):
        assert np.asarray(Image.open(tmp_path / "one" / file)).std() > 0
    write_tsne(opened, request, tmp_path / "two")
    assert (tmp_path / "one" / "tsne.json").read_text() == (tmp_path / "two" / "tsne.json").read_text()


def test_the_map_of_all_classes_can_be_left_out(opened, tmp_path):
    made = write_tsne(opened, EmbeddingRequest(class_count=2, images=2, all_classes=0), tmp_path)
    assert list(made.pictures) == ["tsne.png"]
    assert not (tmp_path / "tsne-all.png").exists()
    assert len(made.findings) == 3
