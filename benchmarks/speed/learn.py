"""Time an epoch of LEARN from kept feature maps against one through the frozen network, and compare where both end.

    python benchmarks/speed/learn.py caltech101-learn --source FOLDER [--weights FILE] [--set KEY=VALUE] [--epochs 3]

Seconds by wall clock of whole epochs: every step, and the state written at the end. Kept maps come from a training
before that is not timed and draws the same images and occlusions. Nothing is validated.
"""

import argparse
import json
import statistics
import time
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from machine import load, machine
from options import benchmark_options
from torch import Tensor

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.materials import Materials, load_materials
from occbench.bench.protocol.benchmark import load_benchmark
from occbench.bench.training.train import train
from occbench.bench.training.training_run import extend
from occbench.models.load import load_backbone

ARM = "learn"


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    result = machine()
    settings = (*options.set, f"train.epochs={options.epochs}", "split.validation_share=0", "seeds=[0]")
    benchmark = load_benchmark(options.benchmark, settings)
    materials = load_materials(benchmark, benchmark.source_at(options.source), 1)
    materials.decode()
    cache = ActivationCache()
    _train(materials, cache, options.weights)
    kept_s, kept = _train(materials, cache, options.weights)
    through_s, through = _train(materials, ActivationCache(0), options.weights)
    ratios = [slow / fast for slow, fast in zip(through_s, kept_s, strict=True)]
    result["versions"] |= {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}
    result |= {
        "load_at_end": load(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": options.threads,
        "benchmark": options.benchmark,
        "settings": options.set,
        "backbone": benchmark.backbones[0],
        "size_px": benchmark.prepare.size_px,
        "training_images": len(materials.train),
        "epochs": options.epochs,
        "epoch_s": {
            "kept_maps": round(statistics.median(kept_s), 2),
            "through_the_network": round(statistics.median(through_s), 2),
        },
        "times_faster": {
            "median": round(statistics.median(ratios), 1),
            "least": round(min(ratios), 1),
            "greatest": round(max(ratios), 1),
        },
        "weights_at_the_end": {
            "parameters": sum(weight.numel() for weight in kept.values()),
            "equal": all(torch.equal(weight, through[name]) for name, weight in kept.items()),
            "greatest_difference": max(float((weight - through[name]).abs().max()) for name, weight in kept.items()),
            "greatest_weight": max(float(weight.abs().max()) for weight in kept.values()),
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def _train(materials: Materials, cache: ActivationCache, weights: Path | None) -> tuple[list[float], dict[str, Tensor]]:
    """Return the seconds of each epoch and the weights of the auto-encoder at the end."""
    benchmark = materials.benchmark
    arm = benchmark.arms[ARM]
    method = arm.build()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_backbone(benchmark.backbones[0], len(materials.split.classes), weights=weights, seed=0)
    model.freeze()
    pipeline = Pipeline(model, device, benchmark.train.precision, keep_map=True)
    extend(pipeline, method, 0)
    model.to(device, memory_format=torch.channels_last)
    times = [time.perf_counter()]
    with TemporaryDirectory() as folder:
        train(
            pipeline,
            method,
            arm,
            materials,
            rule=benchmark.train,
            seed=0,
            folder=Path(folder),
            cache=cache,
            on_epoch=lambda _: times.append(time.perf_counter()),
        )
    seconds = [end - start for start, end in pairwise(times)]
    learned = {} if model.extension is None else model.extension.state_dict()
    return seconds, {name: weight.detach().cpu() for name, weight in learned.items()}


def _options() -> argparse.Namespace:
    parser = benchmark_options(__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
