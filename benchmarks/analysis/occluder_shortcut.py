"""Does a model take the occluder for a sign of the classes it was shown occluded? Reads predictions, trains nothing.

    python benchmarks/analysis/occluder_shortcut.py caltech101-inclusive --runs RUNS --source CALTECH

For every finished run of the benchmark: the share of answers that are one of the pair classes (the only ones whose
occluded images arms F were trained on), on clean and on occluded test images, beside the share of test images that
really are; and the accuracy on occluded images of the pair classes and of the others.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from occbench.bench.images.splits import draw_split
from occbench.bench.protocol.benchmark import load_benchmark


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--source", required=True)
    asked = parser.parse_args()

    benchmark = load_benchmark(asked.benchmark)
    source = benchmark.source_at(asked.source)
    labels = [source.labels_of(index)[0] for index in range(len(source))]
    split = draw_split(benchmark.split, labels, source.classes, benchmark.split_seed)
    paired = sorted({split.label_of[labels[index]] for index in split.pairs if labels[index] in split.label_of})
    print("pair classes:", ", ".join(split.classes[label] for label in paired))
    print("arm,seed,clean_answers,occluded_answers,truth,accuracy_pair_classes,accuracy_others")
    for file in sorted(asked.runs.glob("*/manifest.json")):
        run = json.loads(file.read_text())
        if run["benchmark"] == benchmark.name:
            row = shares(file.parent / "scores" / run["test_set"], paired)
            print(",".join([run["arm"], str(run["facts"]["seed"]), *(f"{100 * value:.1f}" for value in row)]))


def shares(folder: Path, paired: list[int]) -> list[float]:
    """Return the five shares of one run, in the order of the printed columns."""
    clean, occluded, own, others, truth = 0.0, [], [], [], 0.0
    for block in sorted(folder.glob("block-*.parquet")):
        table = pq.read_table(block, columns=["label", "top1"])
        label, answer = table["label"].to_numpy(), table["top1"].to_numpy()
        inside, right = np.isin(label, paired), label == answer
        truth = inside.mean()
        if block.stem == "block-clean":
            clean = np.isin(answer, paired).mean()
            continue
        occluded.append(np.isin(answer, paired).mean())
        own.append(right[inside].mean())
        others.append(right[~inside].mean())
    return [clean, float(np.mean(occluded)), truth, float(np.mean(own)), float(np.mean(others))]


if __name__ == "__main__":
    main()
