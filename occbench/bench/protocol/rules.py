"""The rules of a benchmark: which images go where, how every arm is trained, what unknown labels count as."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from occbench.data.config import FrozenModel, PluginSpec

__all__ = ["LabelRule", "SplitRule", "TrainRule", "facts_of"]

Count = Annotated[int, Field(ge=1)]
CountOrAll = Count | Literal["all"]
Share = Annotated[float, Field(gt=0, lt=1)]


#: Settings that came later: where they stand at their default, fingerprints are what they were without them.
_LATER: Final = frozenset({"test_share", "pair_images", "step_epochs", "paper_selection", "normalisation", "head"})


def facts_of(model: BaseModel) -> dict[str, Any]:
    """Return a model's settings in JSON values, as fingerprints hold them."""
    later = {name for name in _LATER & set(type(model).model_fields) if getattr(model, name) == _default(model, name)}
    return model.model_dump(mode="json", exclude=later)


def _default(model: BaseModel, name: str) -> Any:  # noqa: ANN401 - whatever the field holds
    return type(model).model_fields[name].default


class SplitRule(FrozenModel):
    """Which images are trained on, tested on and paired [Cen et al., sections 4.1 and 4.3].

    Attributes:
        train_per_class: training images of a class, drawn by seed; ``all`` takes every image of the source, whatever
            the class has, and needs a ``test_source``.
        test_per_class: test images of a class, at most, drawn from the rest.
        validation_share: share of the training images held out to choose the epoch; 0 keeps the last epoch.
        pair_classes: classes whose images are paired with their occluded twins; ``all`` takes every class of the head.
        pair_among: beginnings of class names; as many ``pair_classes`` are drawn from those that begin with each (five
            men and five women). Empty draws from all.
        pair_per_class: clean images paired, of each such class; ``all`` takes every training image.
        protocol: ``inclusive`` draws the pairs from the training images; ``exclusive`` keeps the last ``pair_classes``
            classes for the pairs alone, and neither trains nor tests on them.
        head_classes: classes to train and test on, drawn by seed (900 of ILSVRC's 1000); ``exclusive`` then draws its
            ``pair_classes`` from the others. None takes all classes but those that ``exclusive`` keeps for the pairs.
        test_source: options that turn the source into the one of the test images (an official test split); None takes
            both from one source.
        leave_pairs_out: images of the test source that are paired, by their key, are not tested: the two sources share
            images, and what a paired one is occluded by in training would be tested on.
        classes_without_test: classes may have no image in the test source (photographs of 100 of 158 classes); they are
            trained on all the same.
        test_share: of a multi-label source without a ``test_source``, the share of all images that is tested on.
        pair_images: of a multi-label source, training images that are paired.

    Images with several labels are not drawn class by class: ``train_per_class`` is ``all``, a ``test_source`` is
    tested on whole, and the keys about classes are left out.
    """

    train_per_class: CountOrAll
    test_per_class: Count = 50
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    pair_classes: CountOrAll = 10
    pair_among: tuple[str, ...] = ()
    pair_per_class: CountOrAll = 5
    protocol: Literal["inclusive", "exclusive"] = "inclusive"
    head_classes: Count | None = None
    test_source: PluginSpec | None = None
    leave_pairs_out: bool = False
    classes_without_test: bool = False
    test_share: Share | None = None
    pair_images: Count = 50

    @property
    def facts(self) -> dict[str, Any]:
        """What fingerprints are made of."""
        return facts_of(self)

    @model_validator(mode="after")
    def _something_is_left_to_test(self) -> "SplitRule":
        if self.pair_classes == "all" and self.protocol == "exclusive":
            raise ValueError("pair_classes: all leaves an exclusive split no class to train on: give a number")
        if self.train_per_class == "all" and self.test_source is None and self.test_share is None:
            raise ValueError("train_per_class: all leaves nothing to test on: give a number, or a test_source")
        if self.test_source is not None and self.test_share is not None:
            raise ValueError("test_share and test_source both say what is tested on: give one of them")
        if self.pair_among and (self.pair_classes == "all" or self.pair_classes % len(self.pair_among)):
            raise ValueError(
                f"pair_classes {self.pair_classes} cannot be drawn in equal parts from the {len(self.pair_among)} "
                "kinds of pair_among: give a multiple"
            )
        return self


class TrainRule(FrozenModel):
    """How every arm is trained; the same for all of them.

    Attributes:
        epochs: passes over the training images.
        batch_size: images in a step.
        optimizer: ``sgd`` (momentum 0.9) or ``adamw``.
        lr_trunk: peak learning rate of the trunk.
        lr_head: peak learning rate of the head.
        weight_decay: of every weight.
        schedule: ``cosine`` to zero, ``step`` (a tenth after every third of the epochs, or ``step_epochs``) or
            ``constant``, stepped every batch (timm).
        warmup_epochs: linear warm-up from zero.
        step_epochs: of the schedule ``step``, epochs between two steps, counted from the start, warm-up included.
        clip_norm: greatest gradient norm; 0 does not clip.
        trainable: ``all``, ``head``, ``layer4+fc`` (last stage and head) or ``channels>=512``.
        batch_norm: what BatchNorm layers that train normalise with: the ``batch``, or the ``running`` statistics, held.
        augment: ``flip_affine`` (Caltech-101 [Cen et al., section 4]), ``random_resized_crop`` (ILSVRC),
            ``flip_crop`` (a flip and a crop of 0.7 to 1 of the area [Zunair, Ben Hamza]), ``flip`` or ``none``.
        precision: ``fp32``, or ``bf16`` mixed precision.
        cached_views: augmented views of each image that are drawn from, instead of a fresh one every time; what frozen
            stages and frozen networks beside the model (diffusion features) make of them is kept. 0 augments afresh.
            Trades variety of augmentation for speed.
        paper_selection: the epoch is chosen by its score on the clean *test* images, as some papers do. Numbers are
            then too good, and only comparable with theirs.
        normalisation: of pixels in [0, 1]: the ``weights``' own mean and standard deviation, ``unit`` (mean 0,
            deviation 1; a hole that is black stays 0) or ``half`` (both 0.5).
    """

    epochs: Count = 40
    batch_size: Count = 64
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr_trunk: Annotated[float, Field(ge=0)] = 1e-3
    lr_head: Annotated[float, Field(gt=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0
    clip_norm: Annotated[float, Field(ge=0)] = 0
    trainable: str = "all"
    batch_norm: Literal["batch", "running"] = "batch"
    augment: Literal["flip_affine", "random_resized_crop", "flip_crop", "flip", "none"] = "flip_affine"
    precision: Literal["fp32", "bf16"] = "fp32"
    cached_views: Annotated[int, Field(ge=0)] = 0
    step_epochs: Count | None = None
    paper_selection: bool = False
    normalisation: Literal["weights", "unit", "half"] = "weights"

    @property
    def facts(self) -> dict[str, Any]:
        """What fingerprints are made of."""
        return facts_of(self)


class LabelRule(FrozenModel):
    """What becomes of classes that are neither claimed nor denied of an image; of multi-label benchmarks alone.

    They never count in an average precision.

    Attributes:
        training: ``left_out`` of the loss, or ``absent`` (trained on as if the class were not there).
        counting: in precision and recall, ``left_out`` (VOC's difficult objects) or ``absent`` (attributes of WIDER
            that nobody specified).
    """

    training: Literal["left_out", "absent"] = "left_out"
    counting: Literal["left_out", "absent"] = "left_out"
