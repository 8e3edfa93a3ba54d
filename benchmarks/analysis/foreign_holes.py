"""Part black-outs whose holes are another image's: as large and as black as its own, but their outline says nothing.

    twins: {name: "benchmarks/analysis/foreign_holes.py:ForeignHoles"}

Run as a script it says how much a hole's outline alone tells of the class: every test image's hole is given to the
class of the training hole with which it shares most (intersection over union), no pixel of an image being looked at.

    python benchmarks/analysis/foreign_holes.py dfeat-toy
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from occbench.bench.images.materials import load_materials
from occbench.bench.protocol.benchmark import load_benchmark
from occbench.core.interfaces import Occlusion
from occbench.core.seeding import stream
from occbench.core.types import Condition, Example, Overlay
from occbench.occlusions.holes import hole_overlay
from occbench.occlusions.part_selection import part_region


@dataclass(frozen=True)
class ForeignHoles(Occlusion):
    """Paints black what the largest parts of another image, drawn for each image, would cover."""

    per_image: ClassVar[bool] = True
    recomputable: ClassVar[bool] = False
    needs_donors: ClassVar[bool] = True
    _donors: ClassVar[Sequence[Example]] = ()

    share: float = 0.5

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The one condition."""
        return (Condition("foreign-holes", "foreign_holes", "foreign-holes", {"share": self.share}),)

    def with_donors(self, donors: Sequence[Example]) -> "ForeignHoles":
        """Return this family with the images whose holes it takes."""
        family = replace(self)
        object.__setattr__(family, "_donors", donors)
        return family

    def overlay(self, example: Example, condition: Condition, seed: int) -> Overlay:
        """Paint the hole of the image that is drawn for this one."""
        number = stream(seed, condition.name, example.key, "donor").integer(0, len(self._donors))
        return hole_overlay(part_region(self._donors[number].parts, self.share))


def holes(examples: Sequence[Example]) -> NDArray[np.float32]:
    """Return float32[N, H * W], 1 where an image's largest parts are."""
    return np.stack([part_region(example.parts, 0.5).ravel() for example in examples]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark")
    parser.add_argument("--source", default="")
    asked = parser.parse_args()
    benchmark = load_benchmark(asked.benchmark)
    materials = load_materials(benchmark, benchmark.source_at(asked.source))
    known, asked_holes = holes(materials.train.examples), holes(materials.test.examples)
    shared = asked_holes @ known.T
    union = asked_holes.sum(1)[:, None] + known.sum(1)[None] - shared
    nearest = materials.train.labels.numpy()[(shared / union).argmax(1)]
    right = nearest == materials.test.labels.numpy()
    print(f"the class of the most alike hole is right for {100 * right.mean():.1f} % of {len(right)} test images,")
    print(f"chance is {100 / len(materials.split.classes):.1f} %; holes cover {100 * known.mean():.1f} % of an image")


if __name__ == "__main__":
    main()
