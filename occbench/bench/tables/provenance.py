"""Where a table comes from, and what its reader must know: runs, versions, occluders, and what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from occbench.bench.protocol.reference import ReferenceRow, same_backbone
from occbench.bench.tables.comparable import Comparable, TrainedArm
from occbench.bench.tables.finished_runs import FinishedRun
from occbench.core.canonical import canonical_json, fingerprint
from occbench.core.results.result_set import RunEntry
from occbench.core.run_folder import RunFolder

__all__ = ["describe_runs", "provenance_of", "warnings_of"]

#: Keys of a manifest's ``precision_probe``.
_PROBE = ("compared", "flips")


def describe_runs(arms: Sequence[TrainedArm]) -> tuple[RunEntry, ...]:
    """Return every run that the arms rest on."""
    return tuple(
        RunEntry(str(run.manifest["fingerprint"]), arm.label, run.seed, _weights(run))
        for arm in arms
        for run in arm.runs
    )


def provenance_of(arms: Sequence[TrainedArm]) -> tuple[tuple[str, str], ...]:
    """Return (name, value) pairs on how the table's numbers were made."""
    runs = [run for arm in arms for run in arm.runs]
    first = runs[0]
    occluders = _test_occluders(first)
    facts = [
        ("Test set", str(first.manifest["test_set"])),
        ("Test images", f"{first.manifest['test_images']:,}"),
        ("Conditions", str(len(first.conditions))),
        ("Pairs are made by", _distinct(run.facts.get("pair_occlusions") for run in runs)),
        ("Devices", _distinct(run.manifest["device"] for run in runs)),
        ("Versions", _versions(runs)),
    ]
    if occluders:
        bank = fingerprint(sorted(occluders.values()))
        facts.insert(3, ("Test occluders", f"{', '.join(sorted(occluders))}; bank {bank}"))
        facts.insert(4, ("Train and test occluders", _overlap(occluders, first)))
    compared, flips = (
        sum(int(run.manifest.get("precision_probe", {}).get(name, 0)) for run in runs) for name in _PROBE
    )
    if compared:
        facts.append(("Scored in bf16", f"{flips} of {compared:,} probed answers differ from fp32"))
    facts += [
        (title, ", ".join(f"{key} {value}" for key, value in sorted(rule.items())))
        for title, name in (("Warm-up of all rows", "warm_up"), ("Training", "train"))
        if isinstance(rule := first.facts.get(name), Mapping)
    ]
    return tuple(facts)


def warnings_of(
    arms: Sequence[TrainedArm],
    tables: Sequence[Comparable],
    begun: Sequence[Path],
    expected: Sequence[str],
    beside: Mapping[str, ReferenceRow],
) -> tuple[str, ...]:
    """Return full sentences on what is missing from a table and what must be read with care.

    Args:
        arms: the table's rows.
        tables: all tables of the report.
        begun: directories of unfinished runs.
        expected: the arms that the benchmark has.
        beside: label -> the paper's row.
    """
    return (*_missing(arms, begun, expected), *_limits(arms, tables, beside))


def _missing(arms: Sequence[TrainedArm], begun: Sequence[Path], expected: Sequence[str]) -> list[str]:
    found = []
    seeds = sorted({seed for arm in arms for seed in arm.seeds})
    for arm in arms:
        if missing := [str(seed) for seed in seeds if seed not in arm.seeds]:
            found.append(f"{arm.label} has no finished run of seed {', '.join(missing)}, which other rows have.")
    if absent := [name for name in expected if name not in {arm.arm for arm in arms}]:
        found.append(f"The benchmark has arms without a finished run: {', '.join(absent)}.")
    test_set = str(arms[0].runs[0].manifest["test_set"])
    if here := [home.name for home in begun if _may_belong(home, test_set)]:
        found.append(f"Begun and not finished, and left out: {', '.join(here)}. The same command goes on with them.")
    return found


def _limits(arms: Sequence[TrainedArm], tables: Sequence[Comparable], beside: Mapping[str, ReferenceRow]) -> list[str]:
    found = []
    runs = [run for arm in arms for run in arm.runs]
    sets = sorted({table.test_set for table in tables})
    if len(sets) > 1:
        found.append(
            f"The runs were scored on {len(sets)} test sets ({', '.join(sets)}). Each has a table of its own; numbers "
            "of different tables must not be compared."
        )
    if single := [arm.label for arm in arms if len(arm.seeds) == 1]:
        found.append(
            f"One training seed ({', '.join(single)}): intervals are about these very models on other images, not "
            "about training again."
        )
    if parts := [run for run in runs if run.part]:
        shared = runs[0].top1.cells_by_condition[1:].sum()
        found.append(
            f"{len(parts)} of {len(runs)} runs were scored in part (--half-width). Every number is of the {shared:,} "
            f"random cells, of {parts[0].part['cells_of_full_matrix']:,}, that all rows have. The same command without "
            "--half-width scores the others."
        )
    if any(run.facts.get("train", {}).get("paper_selection") for run in runs):
        found.append(
            "Epochs were chosen by the clean test images (train.paper_selection), as the paper did: numbers are "
            "too good."
        )
    if len({canonical_json(run.manifest.get("versions", {})) for run in runs}) > 1:
        found.append("The runs were made with different package versions; see provenance.")
    for arm in arms:
        row = beside.get(arm.label)
        if row and not same_backbone(row.backbone, arm.backbone):
            found.append(f"{arm.label} is {arm.backbone}; the paper's row beside it is {row.backbone}.")
    return found


def _may_belong(home: Path, test_set: str) -> bool:
    """Whether an unfinished run is of this test set, or has not got far enough to tell."""
    run = RunFolder(home)
    return not run.all_scores.is_dir() or run.scores(test_set).is_dir()


def _weights(run: FinishedRun) -> str:
    started = run.manifest.get("backbone_weights")
    if isinstance(started, Mapping):
        return ", ".join(f"{name} {value}" for name, value in sorted(started.items()))
    return str(started or "not recorded")


def _versions(runs: Sequence[FinishedRun]) -> str:
    found: dict[str, list[str]] = {}
    for run in runs:
        versions: Mapping[str, Any] = run.manifest.get("versions", {})
        for package, version in versions.items():
            if str(version) not in found.setdefault(package, []):
                found[package].append(str(version))
    return ", ".join(f"{package} {' and '.join(versions)}" for package, versions in sorted(found.items()))


def _test_occluders(run: FinishedRun) -> dict[str, str]:
    return {
        str(condition.parameters["occluder"]): str(condition.parameters.get("occluder_sha256", ""))
        for condition in run.conditions
        if "occluder" in condition.parameters
    }


def _overlap(test: Mapping[str, str], run: FinishedRun) -> str:
    """Say which test occluders were seen in training, by the hash of their pixels where there is one."""
    train: Mapping[str, str] | None = run.manifest.get("pair_occluders")
    if train is None:
        return "the runs do not record which occluders the pairs were made with"
    seen = sorted(name for name, sha256 in test.items() if sha256 in train.values() or (not sha256 and name in train))
    if not seen:
        return f"none of the {len(test)} test occluders was seen in training"
    return f"{len(seen)} of {len(test)} test occluders were seen in training by arms with pairs: {', '.join(seen)}"


def _distinct(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values if value is not None)) or "not recorded"
