"""Figure 6 of Cen et al.: accuracy on clean and occluded images over alpha and beta, against the classical arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.intervals import Estimate, over_images, shares_by_image
from occbench.analyse.sweep_arms import SweepArm, Variation
from occbench.bench.images.materials import Materials
from occbench.bench.measures.outcomes import AVERAGE, Outcomes
from occbench.bench.protocol.cell import Cell, cells
from occbench.bench.scoring.predictions import read_outcomes
from occbench.bench.scoring.test_set import test_set
from occbench.core.errors import ConfigError
from occbench.core.run_folder import RunFolder
from occbench.core.types import CLEAN

__all__ = ["Sweep", "SweepPoint", "read_sweep"]


@dataclass(frozen=True, eq=False)
class SweepPoint:
    """What one combination got right.

    Attributes:
        values: key -> value.
        clean: float64[n_images], share of right answers on the clean image, mean over seeds.
        occluded: float64[n_images], over every occluded condition, mean over seeds.
    """

    values: Mapping[str, Any]
    clean: NDArray[np.float64]
    occluded: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sweep:
    """All combinations, on the same test images.

    Attributes:
        variations: what was varied.
        classical: the arm that everything is compared with.
        points: every combination.
        seeds: training seeds of each.
    """

    variations: Sequence[Variation]
    classical: SweepPoint
    points: Sequence[SweepPoint]
    seeds: tuple[int, ...]

    def against_classical(self, point: SweepPoint) -> tuple[Estimate, Estimate]:
        """Return (clean, occluded) accuracy minus the classical arm's, in percentage points, paired over images."""
        return (
            over_images(point.clean - self.classical.clean).scaled(100),
            over_images(point.occluded - self.classical.occluded).scaled(100),
        )


def read_sweep(
    materials: Materials,
    weights: dict[str, Path],
    runs: Path,
    classical: str,
    arms: tuple[Sequence[Variation], Sequence[SweepArm]],
) -> Sweep:
    """Read the predictions of a finished sweep.

    Args:
        materials: of the benchmark with the sweep's arms (``with_sweep``).
        weights: backbone name -> checkpoint, as it was run with.
        runs: folder of all runs.
        classical: the arm to compare with.
        arms: what is varied, and the combinations.

    Raises:
        ConfigError: several backbones, whose curves would be mixed, or a test set without clean or occluded images.
        DatasetError: a cell that is not finished.
    """
    benchmark = materials.benchmark
    if len(benchmark.backbones) > 1:
        raise ConfigError(
            f"a sweep draws one backbone, the benchmark has {', '.join(benchmark.backbones)}: choose one with "
            "--set backbones=[NAME]."
        )
    by_arm: dict[str, list[Outcomes]] = {}
    for cell in cells(benchmark, weights, materials.fingerprint):
        by_arm.setdefault(cell.arm_name, []).append(_outcomes(cell, materials, runs))
    first = by_arm[classical][0]
    if CLEAN.group not in first.groups or len(first.groups) < 2:
        raise ConfigError(
            f"a sweep compares clean with occluded images, the test columns are {', '.join(first.groups)}: take a "
            "benchmark that has both."
        )
    variations, sweep = arms
    return Sweep(
        variations,
        _point({}, by_arm[classical]),
        [_point(item.values, by_arm[item.name]) for item in sweep],
        benchmark.seeds,
    )


def _point(values: Mapping[str, Any], per_seed: Sequence[Outcomes]) -> SweepPoint:
    clean, occluded = per_seed[0].columns(CLEAN.group), per_seed[0].columns(AVERAGE)
    return SweepPoint(values, shares_by_image(per_seed, clean), shares_by_image(per_seed, occluded))


def _outcomes(cell: Cell, materials: Materials, runs: Path) -> Outcomes:
    test = test_set(materials)
    return read_outcomes(RunFolder(runs / cell.fingerprint).scores(test.fingerprint), test.conditions)
