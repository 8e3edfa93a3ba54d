"""A benchmark: one YAML file says what is trained and tested on, which arms are compared and what is claimed."""

from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from occbench.bench.protocol.claims import Claim
from occbench.bench.protocol.rules import LabelRule, SplitRule, TrainRule, facts_of
from occbench.core.build import build_plugin
from occbench.core.embedded import Shelf
from occbench.core.interfaces import Source
from occbench.core.networks import Head
from occbench.core.prepare import Prepare
from occbench.core.training import Method
from occbench.data.config import FrozenModel, PluginSpec, apply_overrides, read_yaml, validate
from occbench.data.recipe import Recipe

__all__ = ["Arm", "Benchmark", "benchmark_names", "load_benchmark"]

_SHELF: Final = Shelf("benchmarks", ".yaml", "benchmark")


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
        return facts_of(self)

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
        reference_table: name of a CSV under ``benchmarks/reference`` with the paper's numbers, or empty.
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
    reference_table: str = ""
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


def benchmark_names() -> list[str]:
    """Return the names of the packaged benchmarks, sorted."""
    return _SHELF.names()


def load_benchmark(name_or_path: str, overrides: tuple[str, ...] = ()) -> Benchmark:
    """Read a benchmark and apply overrides of the form ``a.b=c``.

    Raises:
        ConfigError: no such benchmark, not YAML, an unknown key, a value of the wrong type or range, a claim that
            cannot be parsed or speaks of an unknown arm.
    """
    path = _SHELF.find(name_or_path)
    content = read_yaml(path, "benchmark")
    apply_overrides(content, overrides)
    return validate(Benchmark, content, str(path))
