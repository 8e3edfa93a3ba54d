"""The split of images with several labels: image by image, disjoint, and the same whatever else the source has."""

import pytest

from occbench.bench.images.image_split import draw_image_split
from occbench.bench.protocol.rules import SplitRule
from occbench.core.errors import ConfigError

CLASSES = ("cat", "dog", "mug")


def rule(**changes):
    return SplitRule.model_validate({"train_per_class": "all", "validation_share": 0.2, **changes})


def test_shares_are_kept_and_no_image_is_in_two_sets():
    split = draw_image_split(rule(test_share=0.25), 80, CLASSES, 0)
    sets = [split.train, split.validation, split.test]
    assert [len(one) for one in sets] == [48, 12, 20]
    assert sorted(index for one in sets for index in one) == list(range(80))
    assert split.classes == CLASSES
    assert split.head_rows == (0, 1, 2)


def test_a_test_source_is_tested_on_whole_and_all_images_train_or_validate():
    source = {"test_source": {"name": "toyparts_scenes"}}
    split = draw_image_split(rule(**source), 50, CLASSES, 0, 30)
    assert split.test == tuple(range(30))
    assert sorted(split.train + split.validation) == list(range(50))
    assert len(split.validation) == 10


def test_pairs_are_training_images():
    split = draw_image_split(rule(test_share=0.5, pair_images=7), 60, CLASSES, 0)
    assert len(set(split.pairs)) == 7
    assert set(split.pairs) <= set(split.train)
    assert len(draw_image_split(rule(test_share=0.5, pair_images=500), 60, CLASSES, 0).pairs) == 24


def test_the_seed_draws_it():
    one, same, other = (draw_image_split(rule(test_share=0.3), 40, CLASSES, seed) for seed in (1, 1, 2))
    assert one == same
    assert one.test != other.test


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"test_share": 0.2, "test_per_class": 50}, "test_per_class is about the class"),
        ({"test_share": 0.2, "pair_classes": 2}, "pair_classes is about the class"),
        ({"test_share": 0.2, "train_per_class": 30}, "train_per_class=all"),
    ],
)
def test_rules_about_the_class_of_an_image_are_refused(changes, found):
    with pytest.raises(ConfigError, match=found):
        draw_image_split(rule(**changes), 40, CLASSES, 0)


def test_too_few_images_are_one_clear_line():
    with pytest.raises(ConfigError, match="leaves 0 to train on"):
        draw_image_split(rule(test_share=0.9, validation_share=0.1), 1, CLASSES, 0)


@pytest.mark.parametrize("changes", [{}, {"test_share": 0.2, "test_source": {"name": "coco"}}])
def test_what_is_tested_on_is_said_once(changes):
    with pytest.raises(ValueError, match="test_source"):
        rule(**changes)
