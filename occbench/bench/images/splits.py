"""The split: which images are trained on, held out, tested on and paired, drawn class by class.

Every class is put into an order by a stream of its own, named after the class: images that one class gains or loses
leave the split of all others as it is. The first images of that order train, the next ones test; the last of the
training images are held out for validation [Cen et al., sections 4.1 and 4.3; METHODS 2.5].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from occbench.bench.protocol.rules import SplitRule
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["Split", "draw_split"]

#: Below this many training images a class may be left without one for validation.
_ENOUGH_TO_HOLD_OUT = 5


@dataclass(frozen=True)
class Split:
    """Indices of images by purpose; no image is in two of ``train``, ``validation`` and ``test``.

    Attributes:
        train: images of the source to train on, class by class.
        validation: images of the source held out to choose the epoch.
        test: images of the test source, which is the source itself where the rule names no other.
        pairs: images of the source that are paired with their occluded twins; none of them is a test or validation
            image. Under the inclusive protocol they are training images too, under the exclusive one none is.
        head_rows: label, in the source, of every class of the head.
        classes: their names, in the order of the head.
    """

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    pairs: tuple[int, ...]
    head_rows: tuple[int, ...]
    classes: tuple[str, ...]

    @cached_property
    def label_of(self) -> dict[int, int]:
        """Label in the source -> label in the head; classes that are not in the head are absent."""
        return {row: label for label, row in enumerate(self.head_rows)}

    @cached_property
    def fingerprint(self) -> str:
        """A hash of every set and of the head; indices mean something only beside the sources' fingerprints."""
        return fingerprint([self.train, self.validation, self.test, self.pairs, self.head_rows, self.classes])


def draw_split(
    rule: SplitRule, labels: Sequence[int], classes: Sequence[str], seed: int, test_labels: Sequence[int] | None = None
) -> Split:
    """Draw the split of a source.

    Args:
        rule: how many images of a class go where.
        labels: of every image of the source.
        classes: names in label order; those of the test source are the same.
        seed: names every draw.
        test_labels: of every image of the test source; None takes test images from the source itself.

    Raises:
        ConfigError: too few classes, or a class with too few images, for the rule.
    """
    head, pair_classes = _choose_classes(rule, classes, seed)
    orders = _class_orders(labels, classes, seed, "order")
    test_orders = None if test_labels is None else _class_orders(test_labels, classes, seed, "test order")
    train: list[int] = []
    validation: list[int] = []
    test: list[int] = []
    # what a class may be paired from: its kept training images, or all of a class that is not in the head
    offered = {row: orders[row] for row in pair_classes}
    for row in head:
        drawn = _training_images(rule, classes[row], orders[row])
        rest = orders[row][len(drawn) :] if test_orders is None else test_orders[row]
        if not rest and not rule.classes_without_test:
            raise ConfigError(
                f"the class {classes[row]} has no image in the test source. Give one that has its classes, or set "
                "split.classes_without_test=true."
            )
        kept = drawn[: len(drawn) - _held_out(rule.validation_share, len(drawn))]
        train += kept
        validation += drawn[len(kept) :]
        test += rest[: rule.test_per_class]
        if row in offered:
            offered[row] = kept
    if not test:
        raise ConfigError("the test source has no image of any class. Give one that has some.")
    pairs = [index for row in pair_classes for index in _paired_images(rule, classes[row], offered[row])]
    return Split(
        tuple(train), tuple(validation), tuple(test), tuple(pairs), tuple(head), tuple(classes[row] for row in head)
    )


def _choose_classes(rule: SplitRule, classes: Sequence[str], seed: int) -> tuple[list[int], list[int]]:
    """Return the labels of the head's classes and of those that are paired, both in label order."""
    exclusive = rule.protocol == "exclusive"
    apart = rule.pair_classes if exclusive and rule.pair_classes != "all" else 0
    size = len(classes) - apart if rule.head_classes is None else rule.head_classes
    wanted = size if rule.pair_classes == "all" else rule.pair_classes
    if size < 1 or size + apart > len(classes) or (not exclusive and wanted > size):
        head = "" if rule.head_classes is None else f" and head_classes {rule.head_classes}"
        raise ConfigError(
            f"the {rule.protocol} split asks for pair_classes {rule.pair_classes}{head}, the source has {len(classes)} "
            "classes. Lower pair_classes or head_classes."
        )
    rows = list(range(len(classes)))
    head_rows = rows[:size] if rule.head_classes is None else _drawn(rows, size, seed, "head-classes")
    # without head_classes as many classes stay apart as are paired: the last ones
    candidates = sorted(set(rows) - set(head_rows)) if exclusive else head_rows
    if not rule.pair_among:
        return head_rows, _drawn(candidates, wanted, seed, "pair-classes")
    each = wanted // len(rule.pair_among)
    drawn = [_drawn_among(start, candidates, classes, each, seed) for start in rule.pair_among]
    return head_rows, sorted(row for rows in drawn for row in rows)


def _drawn_among(start: str, candidates: Sequence[int], classes: Sequence[str], count: int, seed: int) -> list[int]:
    """Draw classes whose names begin with ``start``."""
    found = [row for row in candidates if classes[row].startswith(start)]
    if len(found) < count:
        raise ConfigError(
            f"the split asks for {count} pair_classes whose names begin with {start}, the source has {len(found)}. "
            "Lower pair_classes, or change pair_among."
        )
    return _drawn(found, count, seed, f"pair-classes {start}")


def _drawn(candidates: Sequence[int], count: int, seed: int, purpose: str) -> list[int]:
    order = stream(seed, "split", purpose).permutation(len(candidates))
    return sorted(candidates[place] for place in order[:count].tolist())


def _class_orders(labels: Sequence[int], classes: Sequence[str], seed: int, purpose: str) -> list[list[int]]:
    """Return the image indices of every class, each class in an order drawn by its name."""
    members: list[list[int]] = [[] for _ in classes]
    for index, label in enumerate(labels):
        members[label].append(index)
    return [
        [images[place] for place in stream(seed, "split", name, purpose).permutation(len(images)).tolist()]
        for name, images in zip(classes, members, strict=True)
    ]


def _training_images(rule: SplitRule, name: str, order: list[int]) -> list[int]:
    """Return the images of a class that train or validate."""
    if rule.train_per_class == "all":
        wanted, needed = len(order), 1
    else:
        wanted = rule.train_per_class
        needed = wanted + (rule.test_source is None)
    if len(order) < needed:
        found = f"{len(order)} image{'' if len(order) == 1 else 's'}"
        testing = " and at least 1 to test" if rule.test_source is None else ""
        raise ConfigError(
            f"the split asks for train_per_class {rule.train_per_class}{testing}, the class {name} has {found}. "
            f"Lower train_per_class{f' to {len(order) - 1} or less' if len(order) > 1 else ''}, or leave the class out."
        )
    return order[:wanted]


def _held_out(share: float, count: int) -> int:
    """Return how many of a class's training images validate; at least one is always left to train."""
    least = 1 if share > 0 and count >= _ENOUGH_TO_HOLD_OUT else 0
    return min(max(round(share * count), least), count - 1)


def _paired_images(rule: SplitRule, name: str, offered: list[int]) -> list[int]:
    if rule.pair_per_class == "all":
        return offered
    if len(offered) < rule.pair_per_class:
        kind = "training images" if rule.protocol == "inclusive" else "images"
        raise ConfigError(
            f"the split asks for pair_per_class {rule.pair_per_class}, the class {name} has {len(offered)} {kind}. "
            "Lower pair_per_class."
        )
    return offered[: rule.pair_per_class]
