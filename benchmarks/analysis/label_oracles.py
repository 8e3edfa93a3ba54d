"""Compute the metrics of finished multi-label runs anew from their predictions, with scikit-learn and torchmetrics.

    python benchmarks/analysis/label_oracles.py --runs RUNS [--out FILE.csv]

For every run and condition: mAP, CP, CR, OP, OR, OF1 of the records, of scikit-learn and of torchmetrics, from the
stored logits. Classes that no test image has are left out of mAP and CR, as the records do, and count with precision 0
or as never predicted in CP. Entries of which nothing is known are left out of everything. CF1 is not compared: both
libraries mean something else by it (a mean of the classes' F1).
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score, precision_score, recall_score
from torchmetrics.functional.classification import (
    binary_average_precision,
    binary_precision,
    binary_recall,
)

from occbench.bench.measures.records import read_records
from occbench.bench.tables.finished_runs import FinishedRun, find_runs

COLUMNS = ("arm", "backbone", "seed", "condition", "metric", "records", "scikit-learn", "torchmetrics", "difference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="as `occbench run-benchmark --runs`")
    parser.add_argument("--out", type=Path, help="CSV file to write")
    options = parser.parse_args()
    rows = [row for run in find_runs(options.runs)[0] for row in _compared(run)]
    greatest = max(float(row[-1]) for row in rows)
    print(f"{len(rows)} numbers compared, greatest difference {greatest:.1e} points")
    if options.out:
        with options.out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    sys.exit(greatest > 1e-3)


def _compared(run: FinishedRun) -> Iterator[list[str]]:
    """Yield the numbers of every condition that is alone in its group."""
    records = {(item.group, item.metric): item.value for item in read_records(run.folder / "records.jsonl")}
    manifest = json.loads((run.folder / "manifest.json").read_text(encoding="utf-8"))
    labels = run.labelled.labels
    for logits, condition in zip(run.labelled.logits, run.conditions, strict=True):
        first, second = _sklearn(logits, labels), _torchmetrics(logits, labels)
        for metric, value in first.items():
            found = records[condition.group, metric], 100 * value, 100 * second[metric]
            difference = max(abs(found[0] - found[1]), abs(found[0] - found[2]))
            yield [
                manifest["arm"], run.facts["backbone"], str(run.seed), condition.name, metric,
                *(f"{number:.6f}" for number in found), f"{difference:.2e}",
            ]  # fmt: skip


def _sklearn(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    parts: dict[str, list[float]] = {"map": [], "cp": [], "cr": []}
    for label in range(labels.shape[1]):
        known = labels[:, label] >= 0
        truth, scores = labels[known, label], logits[known, label]
        parts["cp"].append(precision_score(truth, scores >= 0, zero_division=0))
        if truth.any():
            parts["map"].append(average_precision_score(truth, scores))
            parts["cr"].append(recall_score(truth, scores >= 0))
    known = labels >= 0
    truth, predicted = labels[known], logits[known] >= 0
    overall = {"op": precision_score(truth, predicted, zero_division=0), "or": recall_score(truth, predicted)}
    return {name: float(np.mean(values)) for name, values in parts.items()} | overall | {"of1": _f1(**overall)}


def _torchmetrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    scores, truth = torch.tensor(logits).double().sigmoid(), torch.tensor(labels).long()
    parts: dict[str, list[float]] = {"map": [], "cp": [], "cr": []}
    for label in range(truth.shape[1]):
        known = truth[:, label] >= 0
        own, there = scores[known, label], truth[known, label]
        parts["cp"].append(float(binary_precision(own, there)))
        if there.any():
            parts["map"].append(float(binary_average_precision(own, there)))
            parts["cr"].append(float(binary_recall(own, there)))
    known = truth >= 0
    overall = {
        "op": float(binary_precision(scores[known], truth[known])),
        "or": float(binary_recall(scores[known], truth[known])),
    }
    return {name: float(np.mean(values)) for name, values in parts.items()} | overall | {"of1": _f1(**overall)}


def _f1(**overall: float) -> float:
    total = sum(overall.values())
    return 2 * overall["op"] * overall["or"] / total if total else 0.0


if __name__ == "__main__":
    main()
