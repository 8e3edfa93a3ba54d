"""METHODS 8, item 3: sizes, class order, disjoint sets, and a draw that depends on nothing but seed and class."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from PIL import Image

from occbench.bench.images.splits import Split, draw_split
from occbench.bench.protocol.rules import SplitRule
from occbench.core.errors import ConfigError
from occbench.sources.caltech101 import CLASSES, Caltech101
from occbench.sources.toyparts import ToyParts

EXCLUSIVE = SplitRule(train_per_class=30, protocol="exclusive", validation_share=0.1)
INCLUSIVE = SplitRule(train_per_class=30, protocol="inclusive", validation_share=0.1)
LAST_TEN = "tick trilobite umbrella watch water_lilly wheelchair wild_cat windsor_chair wrench yin_yang".split()  # noqa: SIM905
LABELS = [label for label in range(len(CLASSES)) for _ in range(31 + 5 * label % 100)]


def assert_well_formed(
    split: Split, rule: SplitRule, labels: Sequence[int], test_labels: Sequence[int] | None = None
) -> None:
    """What holds of every split."""
    sets = {name: set(getattr(split, name)) for name in ("train", "validation", "test", "pairs")}
    assert all(len(sets[name]) == len(getattr(split, name)) for name in sets)
    assert not sets["train"] & sets["validation"]
    assert not sets["pairs"] & sets["validation"]
    if test_labels is None:
        assert not sets["test"] & (sets["train"] | sets["validation"] | sets["pairs"])
    assert [split.label_of[row] for row in split.head_rows] == list(range(len(split.classes)))
    for name, of in [("train", labels), ("validation", labels), ("test", test_labels or labels)]:
        assert {of[index] for index in getattr(split, name)} <= set(split.head_rows), name
    paired = Counter(labels[index] for index in split.pairs)
    assert set(paired.values()) == {rule.pair_per_class}
    assert len(paired) == rule.pair_classes
    if rule.protocol == "inclusive":
        assert sets["pairs"] <= sets["train"]
    else:
        assert not set(paired) & set(split.head_rows)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The 102 folders of Caltech-101, each with 31 to 45 files; the draw never opens an image."""
    root = tmp_path_factory.mktemp("archive") / "101_ObjectCategories"
    Image.new("RGB", (3, 2)).save(root.parent / "one.jpg")
    for place, name in enumerate(["BACKGROUND_Google", *CLASSES]):
        (root / name).mkdir(parents=True)
        for number in range(31 + place % 15):
            (root / name / f"image_{number + 1:04d}.jpg").hardlink_to(root.parent / "one.jpg")
    return Caltech101(str(root))


@pytest.mark.parametrize("rule", [EXCLUSIVE, INCLUSIVE], ids=lambda rule: rule.protocol)
def test_caltech101_sizes_on_the_whole_archive(archive, rule):
    labels = [archive.labels_of(index)[0] for index in range(len(archive))]
    split = draw_split(rule, labels, archive.classes, seed=0)
    assert_well_formed(split, rule, labels)
    head = 91 if rule.protocol == "exclusive" else 101
    assert split.classes == CLASSES[:head]
    assert len(split.train) == 27 * head
    assert len(split.validation) == 3 * head
    assert len(split.test) == sum(labels.count(row) - 30 for row in range(head))
    assert len(split.pairs) == 50


def test_the_ten_paired_classes_of_the_exclusive_protocol_are_the_last_ones_whatever_their_case(archive):
    labels = [archive.labels_of(index)[0] for index in range(len(archive))]
    split = draw_split(EXCLUSIVE, labels, archive.classes, seed=3)
    assert [archive.classes[label] for label in dict.fromkeys(labels[index] for index in split.pairs)] == LAST_TEN
    assert (split.classes[0], split.classes[-1]) == ("accordion", "sunflower")
    assert {"Faces", "Faces_easy", "Leopards", "Motorbikes"} <= set(split.classes)


@pytest.mark.parametrize("rule", [EXCLUSIVE, INCLUSIVE], ids=lambda rule: rule.protocol)
def test_caltech101_photographs(real_data, rule):
    source = Caltech101(str(real_data / "caltech101"))
    labels = [source.labels_of(index)[0] for index in range(len(source))]
    smaller = rule.model_copy(update={"train_per_class": min(Counter(labels).values()) - 1, "pair_classes": 2})
    split = draw_split(smaller, labels, source.classes, seed=0)
    assert_well_formed(split, smaller, labels)
    assert all(source[index].labels == (labels[index],) for index in split.pairs)


def test_test_images_are_at_most_as_many_as_asked():
    split = draw_split(INCLUSIVE, LABELS, CLASSES, seed=0)
    found = Counter(LABELS[index] for index in split.test)
    assert found == {row: min(LABELS.count(row) - 30, 50) for row in range(101)}


def test_inclusive_pair_classes_are_drawn():
    drawn = [{LABELS[index] for index in draw_split(INCLUSIVE, LABELS, CLASSES, seed).pairs} for seed in range(8)]
    assert len({frozenset(classes) for classes in drawn}) == 8


def test_another_process_draws_the_same_and_another_seed_another():
    split = draw_split(INCLUSIVE, LABELS, CLASSES, seed=7)
    program = (
        "from occbench.bench.protocol.rules import SplitRule; from occbench.bench.images.splits import draw_split\n"
        "from occbench.sources.caltech101 import CLASSES\n"
        f"rule = SplitRule.model_validate_json('{INCLUSIVE.model_dump_json()}')\n"
        "labels = [label for label in range(len(CLASSES)) for _ in range(31 + 5 * label % 100)]\n"
        "print(draw_split(rule, labels, CLASSES, 7).fingerprint)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == split.fingerprint
    assert draw_split(INCLUSIVE, LABELS, CLASSES, seed=8).fingerprint != split.fingerprint


def test_more_images_of_one_class_leave_the_others_as_they_are():
    def drawn(labels: list[int]) -> dict[str, set[tuple[int, int]]]:
        split = draw_split(INCLUSIVE, labels, CLASSES, seed=0)
        place = [index - labels.index(labels[index]) for index in range(len(labels))]  # labels are sorted
        return {
            name: {(labels[index], place[index]) for index in getattr(split, name) if labels[index] != 40}
            for name in ("train", "validation", "test", "pairs")
        }

    grown = sorted([*LABELS, *[40] * 9])
    assert drawn(grown) == drawn(LABELS)


def test_a_test_source_gives_the_test_images():
    train, test = ToyParts(images_per_class=12, split="train"), ToyParts(images_per_class=6, split="test")
    rule = SplitRule.model_validate(
        {"train_per_class": "all", "test_per_class": 5, "pair_classes": 3, "test_source": {"name": "toyparts"}}
    )
    labels, test_labels = ([s.labels_of(index)[0] for index in range(len(s))] for s in (train, test))
    split = draw_split(rule, labels, train.classes, 0, test_labels)
    assert_well_formed(split, rule, labels, test_labels)
    assert (len(split.train), len(split.validation), len(split.test)) == (12 * 11, 12, 12 * 5)
    assert set(split.pairs) <= set(split.train)
    assert len({*split.train, *split.validation}) == 12 * 12


@pytest.mark.parametrize(("protocol", "pair_classes"), [("exclusive", 50), ("inclusive", 10)])
def test_ilsvrc_draws_900_of_1000_classes(protocol, pair_classes):
    rule = SplitRule.model_validate(
        {
            "train_per_class": "all",
            "head_classes": 900,
            "pair_classes": pair_classes,
            "protocol": protocol,
            "test_source": {"name": "imagenet"},
        }
    )
    classes = [f"n{number:08d}" for number in range(1000)]
    labels = [row for row in range(1000) for _ in range(10 + row % 3)]
    test_labels = [number % 1000 for number in range(50_000)]
    split = draw_split(rule, labels, classes, 0, test_labels)
    assert_well_formed(split, rule, labels, test_labels)
    assert len(split.classes) == 900
    assert split.classes == tuple(classes[row] for row in split.head_rows)
    assert list(split.head_rows) == sorted(split.head_rows)
    assert split.head_rows != tuple(range(900))
    assert len(split.test) == 45_000
    assert len(split.pairs) == 5 * pair_classes


@pytest.mark.parametrize(
    ("share", "count", "held"), [(0.1, 30, 3), (0.1, 5, 1), (0.1, 4, 0), (0.0, 30, 0), (0.9, 2, 1)]
)
def test_how_many_are_held_out(share, count, held):
    rule = SplitRule(train_per_class=count, validation_share=share, pair_classes=1, pair_per_class=1)
    split = draw_split(rule, [0] * (count + 1), ["only"], 0)
    assert (len(split.train), len(split.validation), len(split.test)) == (count - held, held, 1)


@pytest.mark.parametrize(
    ("change", "labels", "complaint"),
    [
        ({}, [0] * 9 + [1] * 40, "the class ant has 9 images.*Lower train_per_class to 8 or less"),
        ({}, [1] * 40, "the class ant has 0 images"),
        ({"pair_classes": 3}, [0] * 40 + [1] * 40, "pair_classes 3, the source has 2 classes"),
        ({"pair_classes": 2, "protocol": "exclusive"}, [0] * 40 + [1] * 40, "pair_classes 2"),
        ({"pair_per_class": 28}, [0] * 40 + [1] * 40, "pair_per_class 28, the class (ant|bee) has 27 training images"),
        ({"pair_per_class": 6, "protocol": "exclusive"}, [0] * 40 + [1] * 5, "the class bee has 5 images"),
        ({"head_classes": 3}, [0] * 40 + [1] * 40, "head_classes 3"),
    ],
)
def test_a_source_that_is_too_small_is_refused_by_name(change, labels, complaint):
    rule = SplitRule.model_validate({"train_per_class": 30, "pair_classes": 1, **change})
    with pytest.raises(ConfigError, match=complaint):
        draw_split(rule, labels, ["ant", "bee"], 0)


def test_a_class_without_test_images_is_refused():
    rule = SplitRule.model_validate({"train_per_class": 5, "pair_classes": 1, "test_source": {"name": "toyparts"}})
    with pytest.raises(ConfigError, match="the class bee has no image in the test source"):
        draw_split(rule, [0] * 9 + [1] * 9, ["ant", "bee"], 0, test_labels=[0, 0])


def test_classes_may_be_trained_on_and_not_tested():
    rule = SplitRule.model_validate(
        {
            "train_per_class": 5,
            "pair_classes": 1,
            "pair_per_class": 1,
            "test_source": {"name": "toyparts"},
            "classes_without_test": True,
        }
    )
    split = draw_split(rule, [0] * 9 + [1] * 9, ["ant", "bee"], 0, test_labels=[0, 0])
    assert split.classes == ("ant", "bee")
    assert set(split.test) == {0, 1}
    with pytest.raises(ConfigError, match="no image of any class"):
        draw_split(rule, [0] * 9 + [1] * 9, ["ant", "bee"], 0, test_labels=[])
