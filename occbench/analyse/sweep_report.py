"""The page of figure 6: differences from the classical arm, the curves, and verdicts on what the paper says of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from occbench.analyse.findings import Analysis, save_picture, write_analysis
from occbench.analyse.intervals import Estimate, over_images
from occbench.analyse.sweep import Sweep
from occbench.analyse.sweep_claims import judge_sweep
from occbench.analyse.sweep_picture import draw_sweep

__all__ = ["write_sweep"]


def write_sweep(sweep: Sweep, provenance: Mapping[str, Any], along: str, folder: Path) -> Analysis:
    """Draw and write the analysis; return it.

    Args:
        sweep: what was found.
        provenance: JSON values that say what was run.
        along: the key on the horizontal axis.
        folder: for the files.
    """
    save_picture(lambda: draw_sweep(sweep, along), folder / "sweep.png")
    keys = [variation.key for variation in sweep.variations]
    names = [variation.name for variation in sweep.variations]
    clean, occluded = (over_images(share).scaled(100) for share in (sweep.classical.clean, sweep.classical.occluded))
    rows = [["classical", *("" for _ in names[1:]), _absolute(clean), _absolute(occluded)]]
    numbers = []
    for point in sweep.points:
        against = sweep.against_classical(point)
        rows.append([*(str(point.values[key]) for key in keys), *map(_difference, against)])
        numbers.append({"values": dict(point.values), "clean": against[0].as_json(), "occluded": against[1].as_json()})
    made = Analysis(
        name="sweep",
        title=f"Sweep over {' and '.join(names)}: {provenance['benchmark']}",
        about=[
            f"Figure 6 of Cen et al. (arXiv 2011.00768) on {len(sweep.classical.clean)} test images, seeds "
            f"{', '.join(map(str, sweep.seeds))}. Every combination is trained and scored as an arm of the benchmark. "
            "Differences are against the classical arm, in percentage points, paired over images; intervals are "
            "Student's t over images at 95 % and speak of other images, not of other seeds.",
        ],
        columns=(*names, "clean", "occluded"),
        rows=rows,
        findings=judge_sweep(sweep),
        numbers={
            "analysis": "sweep",
            "provenance": dict(provenance),
            "seeds": list(sweep.seeds),
            "classical": {"clean": clean.as_json(), "occluded": occluded.as_json()},
            "differences_in_points": numbers,
        },
        pictures={
            "sweep.png": "accuracy on clean and on occluded images minus the classical arm's, over "
            f"{' and '.join(names)}"
        },
    )
    write_analysis(made, folder)
    return made


def _absolute(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _difference(estimate: Estimate) -> str:
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
