"""What hurts, as a table, a map for each arm, a CSV with every class and pattern, and verdicts."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from occbench.analyse.difficulty import CENTRE, RANDOM, ArmDifficulty, arm_difficulty
from occbench.analyse.difficulty_picture import draw_difficulty
from occbench.analyse.findings import Analysis, Finding, above, save_picture, write_analysis
from occbench.analyse.intervals import Estimate, over_images
from occbench.bench.tables.comparable import Comparable
from occbench.core.errors import ConfigError
from occbench.core.files import write_bytes
from occbench.core.types import slug

__all__ = ["write_difficulty"]

_WHERE: Final = "Cen et al., tables 2 and 4"


def write_difficulty(table: Comparable, arms: Sequence[str], folder: Path) -> Analysis:
    """Draw and write the analysis of some arms of a table; return it.

    Raises:
        ConfigError: an arm that the table does not have; see ``arm_difficulty``.
    """
    known = {arm.label: arm for arm in table.arms}
    if unknown := [name for name in arms if name not in known]:
        raise ConfigError(f"--arms asks for {unknown[0]}, the runs have {', '.join(known)}.")
    made = [arm_difficulty(known[name]) for name in arms or sorted(known)]
    classes = [str(name) for name in table.arms[0].runs[0].manifest.get("classes", [])]
    pictures = {}
    for item in made:
        file = f"difficulty-{slug(item.label)}.png"
        save_picture(lambda item=item: draw_difficulty(item, classes), folder / file)  # type: ignore[misc]
        pictures[file] = f"drop in accuracy of {item.label}, class by class, for every occluder, position and ratio"
    write_bytes(folder / "difficulty.csv", _csv(made, classes).encode())
    analysis = Analysis(
        name="difficulty",
        title=f"What hurts: {table.benchmark}",
        about=[
            f"Accuracy on clean images minus accuracy under occlusion, in percentage points, of {len(made)} arms on "
            f"{len(made[0].labels)} test images of {len(np.unique(made[0].labels))} classes. Each level averages over "
            "everything else; intervals are Student's t over images at 95 %. Hardest and easiest pattern are those of "
            "the first arm. Per class and pattern: `difficulty.csv`. Classes with few test images have wide "
            "intervals; the maps show those that lose most.",
        ],
        columns=("factor", "level", *(item.label for item in made)),
        rows=_rows(made),
        findings=[finding for item in made for finding in _findings(item)],
        numbers=_numbers(table, made, classes),
        pictures=pictures,
    )
    write_analysis(analysis, folder)
    return analysis


def _rows(made: Sequence[ArmDifficulty]) -> list[list[str]]:
    rows = [["all", "", *(_text(over_images(item.whole)) for item in made)]]
    for number, level in enumerate(made[0].levels):
        rows.append([level.factor, level.value, *(_text(over_images(item.levels[number].drops)) for item in made)])
    order = sorted(made[0].patterns, key=lambda level: -level.drops.mean())
    for kind, level in [*(("hardest pattern", level) for level in order[:3]), ("easiest pattern", order[-1])]:
        same = [next(one for one in item.patterns if one.value == level.value) for item in made]
        rows.append([kind, level.value, *(_text(over_images(one.drops)) for one in same)])
    return rows


def _text(estimate: Estimate) -> str:
    points = estimate.scaled(100)
    return f"{points.value:.1f} [{points.low:.1f}, {points.high:.1f}]"


def _findings(item: ArmDifficulty) -> list[Finding]:
    by_name = {(level.factor, level.value): level.drops for level in item.levels}
    found = []
    if {("position", CENTRE), ("position", RANDOM)} <= set(by_name):
        more = over_images(by_name["position", CENTRE] - by_name["position", RANDOM]).scaled(100)
        found.append(_finding(item, "an occluder at the centre hurts more than one at a random place", more))
    ratios = sorted((float(value), drops) for (factor, value), drops in by_name.items() if factor == "ratio")
    if len(ratios) > 1:
        more = over_images(ratios[-1][1] - ratios[0][1]).scaled(100)
        claim = f"hiding {100 * ratios[-1][0]:g} % of the image hurts more than hiding {100 * ratios[0][0]:g} %"
        found.append(_finding(item, claim, more))
    return found


def _finding(item: ArmDifficulty, claim: str, more: Estimate) -> Finding:
    evidence = f"{more.value:+.1f} points [{more.low:.1f}, {more.high:.1f}] more drop"
    return Finding(f"{item.label}: {claim}", _WHERE, above(more, 0.0), evidence)


def _numbers(table: Comparable, made: Sequence[ArmDifficulty], classes: Sequence[str]) -> dict[str, Any]:
    return {
        "analysis": "difficulty",
        "benchmark": table.benchmark,
        "runs": [run.manifest["fingerprint"] for arm in table.arms for run in arm.runs],
        "test_set": table.test_set,
        "drops_in_points": {
            item.label: {
                "all": over_images(item.whole).scaled(100).as_json(),
                **{
                    f"{level.factor} {level.value}": over_images(level.drops).scaled(100).as_json()
                    for level in item.levels
                },
            }
            for item in made
        },
        "classes_that_lose_most": {
            item.label: [_class_name(label, classes) for label in item.classes[:10]] for item in made
        },
    }


def _csv(made: Sequence[ArmDifficulty], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["arm", "class", "factor", "level", "images", "drop_points", "low", "high"])
    for item in made:
        for label in (None, *item.classes):
            rows = np.ones(len(item.labels), dtype=bool) if label is None else item.labels == label
            name = "all classes" if label is None else _class_name(label, classes)
            for factor, value, drops in (
                ("all", "", item.whole),
                *((level.factor, level.value, level.drops) for level in (*item.levels, *item.patterns)),
            ):
                writer.writerow([item.label, name, factor, value, int(rows.sum()), *_cells(drops[rows])])
    return text.getvalue()


def _cells(drops: NDArray[np.float64]) -> list[str]:
    """Return mean and interval as text; one image has no interval."""
    if len(drops) < 2:
        return [f"{100 * float(drops.mean()):.2f}", "", ""]
    found = over_images(drops).scaled(100)
    return [f"{found.value:.2f}", f"{found.low:.2f}", f"{found.high:.2f}"]


def _class_name(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label < len(classes) else f"class {label}"
