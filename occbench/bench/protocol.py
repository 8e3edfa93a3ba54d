"""A benchmark: one YAML file says what is trained and tested on, which arms are compared and what is claimed."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from occbench.bench.claims import Claim
from occbench.core.canonical import fingerprint
from occbench.core.errors import ConfigError
from occbench.core.interfaces import Method, Source
from occbench.core.prepare import Prepare
from occbench.data.config import FrozenModel, PluginSpec, apply_overrides, build_plugin, read_yaml, validate
from occbench.data.recipe import Recipe
from occbench.models.map_head import Head

__all__ = ["Arm", "Benchmark", "LabelRule", "SplitRule", "TrainRule", "benchmark_names", "load_benchmark"]

_FOLDERS: Final = (Path(__file__).parents[1] / "_benchmarks", Path(__file__).parents[2] / "benchmarks")

Count = Annotated[int, Field(ge=1)]
CountOrAll = Count | Literal["all"]
Share = Annotated[float, Field(gt=0, lt=1)]


#: Settings that came later: where they stand at their default, fingerprints are what they were without them.
_LATER: Final = frozenset({"test_share", "pair_images", "step_epochs", "paper_selection", "normalisation", "head"})


def _facts(model: BaseModel) -> dict[str, Any]:
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
        return _facts(self)

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
        return _facts(self)


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


class Arm(FrozenModel):
    """One row of the table: a method and what it is trained on.

    Attributes:
        method: a method's name and options.
        add_occluded: the occluded twins of the pairs are added to the training images, with their labels (arms F).
        pair_groups: condition groups that the pairs are made of; empty takes all (``Full``), ``[10c]`` is ``10C``.
        twins: family that every training image's occluded twin is made with, trained on beside it with the same label
            [Mallick et al., section 3], or ``{name: dataset, path: DIRECTORY}`` for those that ``occbench generate``
            made of the source; None takes the method's own (``Method.twins``), which may be none.
        head: a head on the feature map, ``{name: csra, heads: 1, strength: 0.1}``, in place of pooling and the
            network's last linear layer; None keeps those.
    """

    method: PluginSpec
    add_occluded: bool = False
    pair_groups: tuple[str, ...] = ()
    twins: PluginSpec | None = None
    head: PluginSpec | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What fingerprints are made of."""
        return _facts(self)

    @property
    def twin_family(self) -> PluginSpec | None:
        """The family that occluded twins of all training images are made with, or None."""
        family = self.build().twins
        return self.twins or (PluginSpec(name=family) if family else None)

    def build(self) -> Method:
        """Build the method with its options."""
        return build_plugin(self.method.name, "methods", Method, self.method.options)

    def build_head(self) -> Head | None:
        """Build the head with its options, or None where the network keeps its own."""
        return None if self.head is None else build_plugin(self.head.name, "heads", Head, self.head.options)


class Benchmark(FrozenModel):
    """What is compared, on what, and what is claimed about it.

    Attributes:
        name: matches the file's.
        description: one or two sentences.
        reference: CSV under ``benchmarks/reference`` with the paper's numbers, or empty.
        source: the clean images; the path comes from the command line.
        prepare: the resize rule.
        occlusions: families whose conditions are the test columns.
        pair_occlusions: families that the pairs are made with; empty takes ``occlusions`` (other occluders than the
            test's in the cross-pattern protocol).
        clean_column: whether the clean test images are a test column, too; not where they are trained on.
        labels: what becomes of classes that are neither claimed nor denied.
        split: which images go where.
        backbones: their names.
        pretrained: start from published weights (or those given by ``--weights``); otherwise from scratch.
        pretrained_head: the head starts as the rows of the pretrained one that belong to the split's classes instead of
            anew; the source's classes must be those of the weights, in the same order.
        warm_up: train classically on the clean training images first, once for each backbone and seed, and let every
            arm start from those weights; for backbones without published ones.
        train: how every arm is trained.
        arms: name -> arm, in table order.
        seeds: training seeds; each draws its own head, order and augmentation.
        split_seed: draws the split and the patterns.
        claims: statements to judge, with their source.
    """

    name: str
    description: str = ""
    reference: str = ""
    source: PluginSpec
    prepare: Prepare = Prepare()
    occlusions: Annotated[tuple[PluginSpec, ...], Field(min_length=1)]
    pair_occlusions: tuple[PluginSpec, ...] = ()
    clean_column: bool = True
    labels: LabelRule = LabelRule()
    split: SplitRule
    backbones: Annotated[tuple[str, ...], Field(min_length=1)]
    pretrained: bool = True
    pretrained_head: bool = False
    warm_up: TrainRule | None = None
    train: TrainRule = TrainRule()
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1, 2)
    split_seed: int = 0
    claims: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _parts_fit(self) -> "Benchmark":
        for text in self.claims:
            unknown = sorted({arm for arm, _ in Claim(text).terms} - set(self.arms))
            if unknown:
                raise ValueError(f"claim {text!r} speaks of arm {unknown[0]}, the arms are {', '.join(self.arms)}")
        return self

    def source_at(self, path: str) -> Source:
        """Open the source of the clean images at ``path``."""
        return self.test_recipe().open_source(path)

    def test_recipe(self) -> Recipe:
        """The recipe of the test columns."""
        return self.recipe_of(self.occlusions)

    def pair_recipe(self) -> Recipe:
        """The recipe of the pairs."""
        return self.recipe_of(self.pair_occlusions or self.occlusions)

    def recipe_of(self, occlusions: tuple[PluginSpec, ...]) -> Recipe:
        """The recipe of the benchmark's images under other families."""
        return Recipe(
            name=self.name, source=self.source, prepare=self.prepare, occlusions=occlusions, seed=self.split_seed
        )

    def split_fingerprint(self, source_fingerprint: str) -> str:
        """A hash of what decides which images and overlays are tested on."""
        return fingerprint(
            [self.split.facts, self.split_seed, self.test_recipe().pixels_fingerprint(), source_fingerprint]
        )


def benchmark_names() -> list[str]:
    """Return the names of the packaged benchmarks, sorted."""
    return sorted({file.stem for folder in _FOLDERS if folder.is_dir() for file in folder.glob("*.yaml")})


def load_benchmark(name_or_path: str, overrides: tuple[str, ...] = ()) -> Benchmark:
    """Read a benchmark and apply overrides of the form ``a.b=c``.

    Raises:
        ConfigError: no such benchmark, not YAML, an unknown key, a value of the wrong type or range, a claim that
            cannot be parsed or speaks of an unknown arm.
    """
    path = next(
        (file for folder in _FOLDERS if (file := folder / f"{name_or_path}.yaml").is_file()), Path(name_or_path)
    )
    if not path.is_file():
        known = ", ".join(benchmark_names())
        raise ConfigError(f"no benchmark is called {name_or_path!r}, and there is no such file. Packaged: {known}.")
    content = read_yaml(path, "benchmark")
    apply_overrides(content, overrides)
    return validate(Benchmark, content, str(path))
