"""A cell: one model of a benchmark, named by a fingerprint of everything that can change one of its numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from occbench.bench.protocol.benchmark import Arm, Benchmark
from occbench.bench.protocol.rules import LabelRule
from occbench.bench.protocol.twin_family import stored_fingerprint
from occbench.core.canonical import fingerprint
from occbench.core.files import hash_file
from occbench.data.config import PluginSpec

__all__ = ["Cell", "cells"]

#: Name of the arm that trains the weights which all arms start from.
WARM_UP = "warm-up"

_VERSION = 2  # raised when the loop computes other numbers from the same settings


@dataclass(frozen=True)
class Cell:
    """One model to train and score.

    Attributes:
        benchmark: what is compared.
        backbone: its name.
        weights: a checkpoint to start from, or None.
        arm_name: the arm's name.
        seed: training seed.
        images: fingerprint of which images go where, ``Materials.fingerprint``.
    """

    benchmark: Benchmark
    backbone: str
    weights: Path | None
    arm_name: str
    seed: int
    images: str

    @property
    def arm(self) -> Arm:
        """The arm's definition."""
        return self.benchmark.arms[self.arm_name]

    @cached_property
    def fingerprint(self) -> str:
        """Names the run directory: hash of everything that can change a number of it."""
        return fingerprint(self.facts)

    @property
    def facts(self) -> dict[str, Any]:
        """What the fingerprint is made of, readable."""
        benchmark = self.benchmark
        return {
            "version": _VERSION,
            "backbone": self.backbone,
            "weights": None if self.weights is None else hash_file(self.weights),
            "pretrained": benchmark.pretrained,
            "pretrained_head": benchmark.pretrained_head,
            "arm": self.arm.facts,
            "pair_occlusions": benchmark.pair_recipe().pixels_fingerprint(),
            "train": benchmark.train.facts,
            "warm_up": None if benchmark.warm_up is None else benchmark.warm_up.facts,
            "seed": self.seed,
            "test_occlusions": benchmark.test_recipe().pixels_fingerprint(),
            "images": self.images,
            **({} if benchmark.labels == LabelRule() else {"labels": benchmark.labels.model_dump()}),
            **self._twins(),
            **_own_files(self.arm.method.name, self.backbone, *self._named()),
        }

    def _named(self) -> list[str]:
        """Return what the arm's options name: players of the user's own may be among it."""
        players = [player.name for player in (self.arm.twins, self.arm.head) if player]
        return [*players, *(value for value in self.arm.method.options.values() if isinstance(value, str))]

    def _twins(self) -> dict[str, str]:
        """Name the pixels of the twins trained on; nothing where there are none."""
        family = self.arm.twin_family
        if family is None:
            return {}
        return {"twins": stored_fingerprint(family) or self.benchmark.recipe_of((family,)).pixels_fingerprint()}

    @property
    def warm_up(self) -> "Cell | None":
        """The cell whose weights this one starts from, or None where it starts from the backbone's own."""
        rule = self.benchmark.warm_up
        if rule is None:
            return None
        classical = Arm(method=PluginSpec(name="fine_tune"), head=self.arm.head)
        arms = {WARM_UP: classical}
        benchmark = self.benchmark.model_copy(update={"train": rule, "warm_up": None, "arms": arms, "claims": ()})
        return Cell(benchmark, self.backbone, self.weights, WARM_UP, self.seed, self.images)


def _own_files(*names: str) -> dict[str, str]:
    """Return the hash of every plug-in that is a file of the user's: an edited method is another method."""
    return {name: hash_file(Path(name.rpartition(":")[0])) for name in names if ".py:" in name}


def cells(benchmark: Benchmark, weights: dict[str, Path], images: str) -> Iterator[Cell]:
    """Yield every cell, the seeds outermost, so that a stopped run has whole tables for its first seeds.

    Args:
        benchmark: what is compared.
        weights: backbone name -> checkpoint to start from.
        images: ``Materials.fingerprint``.
    """
    for seed in benchmark.seeds:
        for backbone in benchmark.backbones:
            for arm in benchmark.arms:
                yield Cell(benchmark, backbone, weights.get(backbone), arm, seed, images)
