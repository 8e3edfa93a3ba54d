"""Time a training epoch of each method against the classical epoch of the same network, in one run.

    python benchmarks/speed/train.py caltech101-inclusive --source FOLDER [--methods fine_tune,dfv] [--set KEY=VALUE]

Seconds by wall clock of a whole first epoch: what the method prepares (the refresh of difference vectors), every step,
and the state written at its end. The methods take turns, so that what other programs do meets all of them alike, and
activations of frozen stages are kept before the clock starts, as in the second epoch of every run.
"""

import argparse
import json
import statistics
import time
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from machine import load, machine
from options import benchmark_options

from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.materials import Materials, load_materials
from occbench.bench.protocol.benchmark import Arm, load_benchmark
from occbench.bench.training.train import train
from occbench.bench.training.training_run import extend
from occbench.data.config import PluginSpec
from occbench.models.load import load_backbone


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    result = machine()
    settings = (*options.set, "train.epochs=1", "train.warmup_epochs=0", "split.validation_share=0", "seeds=[0]")
    benchmark = load_benchmark(options.benchmark, settings)
    materials = load_materials(benchmark, benchmark.source_at(options.source), 1)
    methods = options.methods.split(",")
    cache = ActivationCache()
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(-1, options.turns):  # the first turn fills the cache and warms up, and is not counted
        for place in range(len(methods)):
            name = methods[(turn + place) % len(methods)]
            taken = _epoch(name, materials, cache, options.weights)
            if turn >= 0:
                seconds[name].append(taken)
    plain = seconds[methods[0]]
    result["versions"] |= {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}
    result |= {
        "load_at_end": load(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": options.threads,
        "benchmark": options.benchmark,
        "settings": options.set,
        "backbone": benchmark.backbones[0],
        "training_images": len(materials.train),
        "paired_images": len(materials.pairs) * (1 + len(materials.pair_renderer.conditions)),
        "turns": options.turns,
        "epoch_s": {name: round(statistics.median(times), 2) for name, times in seconds.items()},
        f"times_{methods[0]}": {name: _ratios(times, plain) for name, times in seconds.items() if name != methods[0]},
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def _epoch(name: str, materials: Materials, cache: ActivationCache, weights: Path | None) -> float:
    """Return the seconds of one epoch."""
    benchmark = materials.benchmark
    arm = Arm(method=PluginSpec(name=name))
    method = arm.build()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_backbone(benchmark.backbones[0], len(materials.split.classes), weights=weights, seed=0)
    rule = benchmark.train
    model.select_trainable(rule.trainable, running_statistics=rule.batch_norm == "running")
    pipeline = Pipeline(model, device, rule.precision)
    extend(pipeline, method, 0)
    model.to(device, memory_format=torch.channels_last)
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        train(pipeline, method, arm, materials, rule=rule, seed=0, folder=Path(folder), cache=cache)
        return time.perf_counter() - start


def _ratios(times: list[float], plain: list[float]) -> dict[str, float]:
    ratios = [one / other for one, other in zip(times, plain, strict=True)]
    found = {"median": statistics.median(ratios), "least": min(ratios), "greatest": max(ratios)}
    return {name: round(value, 3) for name, value in found.items()}


def _options() -> argparse.Namespace:
    parser = benchmark_options(__doc__.partition("\n")[0])
    parser.add_argument("--methods", default="fine_tune,dfv", help="the first is what the others are compared with")
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
