"""Precision and recall of finished multi-label runs at one half, and where as many classes are predicted as there are.

    python benchmarks/analysis/label_threshold.py --runs RUNS [--out FILE.csv]

A method may rank well and answer timidly: its probabilities are too low for the threshold of one half, and recall falls
though mAP rises. With one threshold for all classes, set for each condition so that predictions and labels are equally
many, that is told apart from ranking badly. The threshold looks at the test labels: it explains numbers, and is no way
to get some.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from occbench.bench.measures.label_metrics import COUNT_METRICS, count_metrics, counts
from occbench.bench.tables.finished_runs import find_runs

COLUMNS = ("arm", "condition", "seeds", "cr_at_half", "cf1_at_half", "threshold", "cr_matched", "cf1_matched")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="as `occbench run-benchmark --runs`")
    parser.add_argument("--out", type=Path, help="CSV file to write")
    options = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for run in find_runs(options.runs)[0]:
        for logits, condition in zip(run.labelled.logits, run.conditions, strict=True):
            found[str(run.manifest["arm"]), condition.name].append(_measured(logits, run.labelled.labels))
    rows = [
        [arm, condition, str(len(values)), *(f"{value:.2f}" for value in np.mean(values, axis=0))]
        for (arm, condition), values in sorted(found.items())
    ]
    for row in (COLUMNS, *rows):
        print("  ".join(f"{cell:<14}" for cell in row))
    if options.out:
        with options.out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


def _measured(logits: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    known = labels >= 0
    there = int((labels == 1).sum())
    matched = float(np.sort(logits[known])[-there])
    at_half, at_matched = (_recall_and_f1(logits >= threshold, labels) for threshold in (0.0, matched))
    return (*at_half, 1 / (1 + np.exp(-matched)), *at_matched)


def _recall_and_f1(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    values = dict(zip(COUNT_METRICS, count_metrics(counts(predicted, labels)), strict=True))
    return 100 * float(values["cr"]), 100 * float(values["cf1"])


if __name__ == "__main__":
    main()
