"""The split of images that have any number of labels: drawn image by image, because no class owns an image.

The images are put into one order by a stream; the last ones test where no test source does, the last of the others are
held out for validation. Classes keep their order, and all of them are in the head.
"""

from collections.abc import Sequence

from occbench.bench.images.splits import Split
from occbench.bench.protocol.rules import SplitRule
from occbench.core.errors import ConfigError
from occbench.core.seeding import stream

__all__ = ["draw_image_split"]

#: Settings of a split that speak of the one class of an image.
_OF_CLASSES = (
    "test_per_class", "pair_classes", "pair_among", "pair_per_class", "head_classes", "classes_without_test",
)  # fmt: skip


def draw_image_split(
    rule: SplitRule, images: int, classes: Sequence[str], seed: int, test_images: int | None = None
) -> Split:
    """Draw the split of a multi-label source.

    Args:
        rule: which shares of the images go where.
        images: how many the source has.
        classes: names in label order.
        seed: names the draw.
        test_images: how many the test source has; None takes test images from the source itself.

    Raises:
        ConfigError: a rule about classes, or too few images.
    """
    _check(rule)
    order = stream(seed, "split", "images").permutation(images).tolist()
    tested = 0 if rule.test_share is None else max(1, round(rule.test_share * images))
    drawn, test = order[: images - tested], sorted(order[images - tested :])
    held_out = round(rule.validation_share * len(drawn))
    train = sorted(drawn[: len(drawn) - held_out])
    if not train or (test_images is None and not test) or test_images == 0:
        raise ConfigError(
            f"the split of {images} images leaves {len(train)} to train on and "
            f"{len(test) if test_images is None else test_images} to test on. Give more images, or lower test_share "
            "and validation_share."
        )
    return Split(
        train=tuple(train),
        validation=tuple(sorted(drawn[len(train) :])),
        test=tuple(test) if test_images is None else tuple(range(test_images)),
        pairs=tuple(drawn[: min(rule.pair_images, len(train))]),
        head_rows=tuple(range(len(classes))),
        classes=tuple(classes),
    )


def _check(rule: SplitRule) -> None:
    if wrong := [name for name in _OF_CLASSES if name in rule.model_fields_set]:
        raise ConfigError(
            f"split.{wrong[0]} is about the class of an image, and the images of this source have several. Leave it "
            "out; pair_images, test_share and test_source take its place."
        )
    if rule.train_per_class != "all" or rule.protocol != "inclusive":
        raise ConfigError(
            "images with several labels are not drawn class by class: set split.train_per_class=all and "
            "split.protocol=inclusive, and give test_share or test_source."
        )
