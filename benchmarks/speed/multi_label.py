"""Time training steps and scoring of images with several labels: MSL, 20 and 80 classes, one label.

    python benchmarks/speed/multi_label.py [--model torchvision/resnet18] [--size-px 224] [--out FILE.json]

Training: steps of the trainer's own loop on drawn scenes; `plain` and `msl` have the same CSRA head, and a bank of
masks is drawn before the clock starts (its time is given). Scoring: `bench.scoring.score` of one pattern condition,
to the block on disk, against the bare forward pass of the same network on batches that are ready; once with one label
an image, once with several. Everything takes turns. Seconds are those of this process on its processor (with one
thread: what the work costs, whatever runs beside it), and by wall clock, which the load of the machine is in.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from machine import load, machine

from occbench.bench.batches.mask_bank import MaskBank
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.images.materials import Materials, load_materials
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.scoring.classify import logits_of
from occbench.bench.scoring.score import score
from occbench.bench.scoring.test_set import test_set
from occbench.bench.training.train import train
from occbench.core.seeding import stream
from occbench.data.config import validate
from occbench.models.csra import CSRA
from occbench.models.load import load_backbone
from occbench.models.map_head import attach_head

CLASSES = (20, 80)
MASKS = 951


class Spent(NamedTuple):
    """Seconds of one piece of work.

    Attributes:
        processor: of this process.
        wall: by wall clock.
    """

    processor: float
    wall: float


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    result = machine()
    if options.heads:
        _write(result | {"load_at_end": load(), "threads": options.threads} | _heads(options), options.out)
        return
    materials = _materials(options)
    steps = _training(materials, options)
    scoring = _scoring(materials, options)
    plain, msl = (name.format(CLASSES[-1]) for name in ("plain, {} classes", "msl, {} classes"))
    result["versions"] |= {name: metadata.version(name) for name in ("torch", "torchvision", "timm")}
    result |= {
        "load_at_end": load(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": options.threads,
        "model": options.model,
        "size_px": options.size_px,
        "batch_size": options.batch_size,
        "turns": options.turns,
        "mask_bank": {"masks": MASKS, "drawn_s": _bank_s(materials)},
        "step_s": {
            name: round(statistics.median(spent.processor for spent in found), 4) for name, found in steps.items()
        },
        "msl_times_plain": _ratios(steps[msl], steps[plain]),
        f"{CLASSES[1]}_classes_times_{CLASSES[0]}": {
            kind: _ratios(steps[f"{kind}, {CLASSES[1]} classes"], steps[f"{kind}, {CLASSES[0]} classes"])
            for kind in ("plain", "msl")
        },
        "score_share_of_bare_forward": {
            name: _ratios(scoring["bare forward"], found) for name, found in scoring.items() if name != "bare forward"
        },
        "score_of_several_labels_times_one": _ratios(scoring["several labels"], scoring["one label"]),
    }
    _write(result, options.out)


def _write(result: dict[str, Any], out: Path | None) -> None:
    text = json.dumps(result, indent=2)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


def _heads(options: argparse.Namespace) -> dict[str, Any]:
    """Time what classes change of a step: the head, forward and backward, beside that of the whole network.

    A step's time varies by more than the head takes, where other programs share the caches; the head alone does not.
    """
    pipelines = {classes: _pipeline(options, classes) for classes in CLASSES}
    images = torch.zeros(options.batch_size, 3, options.size_px, options.size_px, dtype=torch.uint8)
    inputs = pipelines[CLASSES[0]].inputs(images)
    maps = pipelines[CLASSES[0]].vectors(inputs).detach()

    def head(classes: int) -> None:
        pipelines[classes].model.head(maps.requires_grad_()).sum().backward()

    def network(classes: int) -> None:
        pipelines[classes].model.head(pipelines[classes].vectors(inputs)).sum().backward()

    ways = {f"head, {classes} classes": partial(head, classes) for classes in CLASSES}
    found = _in_turns(ways, pipelines[CLASSES[0]], 100)
    whole = _in_turns({"network": partial(network, CLASSES[0])}, pipelines[CLASSES[0]], 4)["network"]
    few, many = (statistics.median(one.processor for one in spent) for spent in found.values())
    step_s = statistics.median(one.processor for one in whole)
    return {
        "model": options.model,
        "head_s": {name: round(statistics.median(one.processor for one in spent), 5) for name, spent in found.items()},
        "network_s": round(step_s, 4),
        f"{CLASSES[1]}_classes_times_{CLASSES[0]}_by_the_head": round(1 + (many - few) / step_s, 4),
    }


def _materials(options: argparse.Namespace) -> Materials:
    scenes = {"name": "toyparts_scenes", "size_px": options.size_px}
    content = {
        "name": "speed",
        "source": {**scenes, "images": options.steps * options.batch_size, "split": "train"},
        "prepare": {"rule": "direct", "size_px": options.size_px},
        "occlusions": [{"name": "patterns", "ratios": [0.2], "random_positions": 0}],
        "pair_occlusions": [{"name": "irregular"}],
        "split": {
            "train_per_class": "all",
            "validation_share": 0,
            "test_source": {**scenes, "images": options.scored, "split": "test"},
        },
        "backbones": [options.model],
        "train": {
            "epochs": 1, "batch_size": options.batch_size, "augment": "flip_crop", "normalisation": "unit",
            "lr_trunk": 1e-4, "lr_head": 1e-4,
        },
        "arms": {
            "plain": {"method": {"name": "fine_tune"}},
            "msl": {"method": {"name": "msl", "masks": MASKS}, "pair_groups": ["irregular-high"]},
        },
    }  # fmt: skip
    benchmark = validate(Benchmark, content, "speed")
    materials = load_materials(benchmark, benchmark.source_at(""))
    materials.decode()
    return materials


def _with_classes(materials: Materials, classes: int) -> Materials:
    """Return the same training images with some of many classes each."""
    share = stream(0, "speed", classes).uniforms(len(materials.train), classes)
    return replace(materials, train=replace(materials.train, labels=torch.from_numpy(share < 3 / classes).float()))


def _pipeline(options: argparse.Namespace, classes: int) -> Pipeline:
    model = load_backbone(options.model, classes, seed=0)
    attach_head(model, CSRA(heads=6, strength=0.4), classes, seed=0)
    model.normalise_with((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Pipeline(model.to(device, memory_format=torch.channels_last), device, "fp32")


def _training(materials: Materials, options: argparse.Namespace) -> dict[str, list[Spent]]:
    """Return what steps took, one entry a turn: the median step of an epoch."""
    kinds = [(arm, classes) for arm in materials.benchmark.arms for classes in CLASSES]
    found: dict[str, list[Spent]] = {f"{arm}, {classes} classes": [] for arm, classes in kinds}
    for turn in range(-1, options.turns):  # the first turn warms up
        for place in range(len(kinds)):
            arm, classes = kinds[(turn + place) % len(kinds)]
            spent = _epoch(_with_classes(materials, classes), arm, _pipeline(options, classes))
            if turn >= 0:
                found[f"{arm}, {classes} classes"].append(spent)
    return found


def _epoch(materials: Materials, name: str, pipeline: Pipeline) -> Spent:
    arm = materials.benchmark.arms[name]
    ticks: list[Spent] = []
    with TemporaryDirectory() as folder:
        train(
            pipeline, arm.build(), arm, materials, rule=materials.benchmark.train, seed=0, folder=Path(folder),
            cache=ActivationCache(0), on_step=lambda _: ticks.append(_now()),
        )  # fmt: skip
    # between ticks lies one whole step; what comes before the first one (a bank of masks) is left out
    spent = [Spent(end.processor - start.processor, end.wall - start.wall) for start, end in pairwise(ticks)]
    return Spent(statistics.median(one.processor for one in spent), statistics.median(one.wall for one in spent))


def _bank_s(materials: Materials) -> float:
    arm = materials.benchmark.arms["msl"]
    start = time.process_time()
    MaskBank(materials.train, materials.pair_renderer, materials.pair_conditions(arm), MASKS, torch.device("cpu"))
    return round(time.process_time() - start, 2)


def _scoring(materials: Materials, options: argparse.Namespace) -> dict[str, list[Spent]]:
    """Return what scoring one condition took, and the bare forward pass."""
    pipeline = _pipeline(options, CLASSES[-1])
    several = test_set(_tested(materials, CLASSES[-1]))
    condition = several.occluded[:1]
    several = replace(several, conditions=condition)
    one = replace(
        several, images=replace(several.images, labels=torch.arange(options.scored) % CLASSES[-1], sizes=None)
    )
    batches = torch.split(several.images.images[:], options.batch_size)
    ready = [pipeline.inputs(batch) for batch in batches]

    def bare() -> None:
        with torch.inference_mode():
            for batch in ready:
                pipeline.model(batch)

    with TemporaryDirectory() as folder:

        def scored(test: object) -> Callable[[], None]:
            def work() -> None:
                for file in Path(folder).glob("block-*"):
                    file.unlink()
                score(
                    lambda inputs, _: logits_of(pipeline, inputs), pipeline, test, Path(folder),  # type: ignore[arg-type]
                    cache=ActivationCache(0), batch_size=options.batch_size,
                )  # fmt: skip

            return work

        ways = {"bare forward": bare, "one label": scored(one), "several labels": scored(several)}
        return _in_turns(ways, pipeline, options.turns)


def _tested(materials: Materials, classes: int) -> Materials:
    share = stream(0, "speed", "test", classes).uniforms(len(materials.test), classes)
    return replace(
        materials, test=replace(materials.test, labels=torch.from_numpy(share < 3 / classes).float(), sizes=None)
    )


def _in_turns(ways: dict[str, Callable[[], None]], pipeline: Pipeline, turns: int) -> dict[str, list[Spent]]:
    pipeline.model.eval()
    names = list(ways)
    found: dict[str, list[Spent]] = {name: [] for name in names}
    for turn in range(-1, 2 * turns):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            start = _now()
            ways[name]()
            end = _now()
            if turn >= 0:
                found[name].append(Spent(end.processor - start.processor, end.wall - start.wall))
    return found


def _now() -> Spent:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Spent(time.process_time(), time.perf_counter())


def _ratios(these: list[Spent], those: list[Spent]) -> dict[str, dict[str, float]]:
    """Return what these took in units of those, turn by turn."""
    found = {}
    for kind in Spent._fields:
        ratios = [getattr(one, kind) / getattr(other, kind) for one, other in zip(these, those, strict=True)]
        parts = {"median": statistics.median(ratios), "least": min(ratios), "greatest": max(ratios)}
        found[kind] = {name: round(value, 3) for name, value in parts.items()}
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="torchvision/resnet18")
    parser.add_argument("--size-px", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=6)
    parser.add_argument("--steps", type=int, default=6, help="of an epoch")
    parser.add_argument("--scored", type=int, default=36, help="test images")
    parser.add_argument("--heads", action="store_true", help="only what classes change: the head, forward and backward")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
