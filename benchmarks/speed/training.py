"""An epoch of every method beside a plain one (``fine_tune``) of the same network, by the trainer's own loop.

A time is that of a whole first epoch: what the method prepares, every step, and the state written at its end; of a
method without epochs, that of all its fitting. On drawn images (``toyparts``, which knows its parts): the tiny network
at 96 px, ResNet-18 at 224 px with all layers trained, and with the last stage trained from kept activations, as in the
second epoch of every run. Weights are random, which changes no time. For every 600 training images there are 10 clean
ones with 24 occluded twins each, as many as Cen et al. pair; what makes twins of all images trains on twice as many.

LEARN is also timed from kept feature maps against the same through its frozen network, and must end in the same
weights. Of several labels: ``msl`` beside a plain step with the same head.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import Tensor

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.images.materials import Materials, load_materials
from occbench.bench.protocol.benchmark import Benchmark
from occbench.bench.protocol.cell import Cell
from occbench.bench.training.train import train
from occbench.bench.training.untrained import untrained
from occbench.core.pipelines import quiet_diffusers
from occbench.core.plugins import plugin_names
from occbench.core.seeding import stream
from occbench.data.config import validate
from occbench.models.tiny_diffusion import TinyDiffusion

from .settings import Settings
from .turns import Row, compare, network_clock, take_turns

PLAIN: Final = "fine_tune"
#: Methods timed on ResNet-18, the quick ones and those whose cost is a pass through the network.
_ON_RESNET: Final = ("dfv", "msl", "learn", "cutmix", "mixup", "part_blackout", "pattern_paste", "tent")
_CLASSES: Final = 12
_SEVERAL: Final = (80, 20)


@dataclass(frozen=True)
class _Network:
    """A network, its images and how it is trained."""

    backbone: str
    size_px: int
    per_class: int
    batch_size: int
    trainable: str = "all"

    @property
    def title(self) -> str:
        return self.backbone.rpartition("/")[2] + ("" if self.trainable == "all" else f", {self.trainable}")


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the rows of this measurement."""
    tiny = _Network("tiny", 96, settings.many(50, 500, least=5), 64)
    resnet = _Network("torchvision/resnet18", 224, settings.many(5, 200), settings.many(12, 64, least=4))
    last_stage = replace(resnet, trainable="layer4+fc", per_class=settings.many(15, 200))
    with TemporaryDirectory() as folder, quiet_diffusers():
        painter = str(TinyDiffusion(size_px=32).save(Path(folder) / "painter"))
        named = [name for name in plugin_names("methods") if name != PLAIN]
        yield from _beside_plain(tiny, named, painter, settings)
        yield from _beside_plain(resnet, _ON_RESNET, painter, settings)
        yield from _beside_plain(last_stage, ("dfv",), painter, settings)
    yield _kept_maps(replace(resnet, per_class=settings.many(8, 200)), settings)
    yield from _several_labels(resnet, settings)


def _beside_plain(network: _Network, methods: Iterator[str], painter: str, settings: Settings) -> Iterator[Row]:
    materials = _materials(network, {name: _arm(name, painter) for name in (PLAIN, *methods)})
    cache = ActivationCache()
    ways = {arm: partial(_train, materials, arm, cache, settings) for arm in materials.benchmark.arms}
    seconds = take_turns(ways, min(3, settings.turns), network_clock())
    for name in methods:
        shown = len(materials.training_images(materials.benchmark.arms[name]))
        yield compare(
            f"{network.title}: {name} / {PLAIN}", seconds, (name, PLAIN), len(materials.train), network_clock(),
            "times as long", training_images=len(materials.train), images_shown=shown, batch_size=network.batch_size,
        )  # fmt: skip


def _arm(name: str, painter: str) -> dict[str, Any]:
    arm: dict[str, Any] = {"method": {"name": name}}
    # what is chosen by held-out images otherwise, which a plain epoch would classify, too
    if name == "linear_probe":
        arm["method"] |= {"l2": 0.01}
    if name == "sdbe":
        arm["method"] |= {"ridge": 1.0}
    if name == "sd_features":
        arm["method"] |= {"model": painter, "block": "up1", "dtype": "fp32"}
    if name == "sd_inpaint":
        arm["twins"] = {"name": "inpaint", "model": painter, "size_px": 32, "dtype": "fp32", "steps": 2}
    return arm


def _materials(network: _Network, arms: Mapping[str, Any], epochs: int = 1) -> Materials:
    images, pairs = network.per_class * _CLASSES, max(1, network.per_class * _CLASSES // 60)
    content = {
        "name": "speed",
        "source": {"name": "toyparts", "images_per_class": network.per_class + pairs, "size_px": network.size_px},
        "prepare": {"rule": "direct", "size_px": network.size_px},
        "occlusions": [{"name": "patterns", "bank": "occbench-3"}],
        "split": {
            "train_per_class": network.per_class, "test_per_class": 1, "pair_classes": 1, "pair_per_class": pairs,
            "validation_share": 0,
        },
        "backbones": [network.backbone],
        "pretrained": False,
        "train": {
            "epochs": epochs, "warmup_epochs": 0, "batch_size": network.batch_size, "trainable": network.trainable,
            "cached_views": 1, "augment": "flip_affine", "schedule": "constant",
        },
        "arms": arms,
    }  # fmt: skip
    benchmark = validate(Benchmark, content, "speed")
    materials = load_materials(benchmark, benchmark.source_at(""))
    materials.decode()
    if len(materials.train) != images:
        raise SystemExit(f"{len(materials.train)} training images, {images} were wanted.")
    return materials


def _train(
    materials: Materials,
    arm: str,
    cache: ActivationCache,
    settings: Settings,
    on_step: Callable[[float], None] = lambda _: None,
) -> dict[str, Tensor]:
    """Train an arm and return what was learned beside the backbone."""
    benchmark = materials.benchmark
    cell = Cell(benchmark, benchmark.backbones[0], None, arm, 0, "")
    pipeline, method = untrained(cell, materials, settings.device), cell.arm.build()
    with TemporaryDirectory() as folder:
        train(
            pipeline, method, cell.arm, materials, rule=benchmark.train, seed=0, folder=Path(folder), cache=cache,
            on_step=on_step,
        )  # fmt: skip
    learned = pipeline.model.extension
    return {} if learned is None else {name: weight.cpu() for name, weight in learned.state_dict().items()}


def _kept_maps(network: _Network, settings: Settings) -> Row:
    materials = _materials(network, {"learn": {"method": {"name": "learn", "views": 1}}}, epochs=3)
    cache = ActivationCache()
    ends: dict[str, dict[str, Tensor]] = {}

    def learn(name: str, kept: ActivationCache) -> None:
        ends[name] = _train(materials, "learn", kept, settings)

    names = "learn from kept maps", "learn through the network"
    ways = {name: partial(learn, name, kept) for name, kept in zip(names, (cache, ActivationCache(0)), strict=True)}
    seconds = take_turns(ways, min(3, settings.turns), network_clock())
    if any(not torch.equal(weight, ends[names[1]][name]) for name, weight in ends[names[0]].items()):
        raise SystemExit("LEARN ends in other weights from kept maps: the numbers would mean nothing.")
    images = 3 * len(materials.train)
    return compare(f"{network.title}: {' / '.join(names)}", seconds, names, images, network_clock(), epochs=3)


def _several_labels(network: _Network, settings: Settings) -> Iterator[Row]:
    """Time epochs on images with several labels, all with a CSRA head: MSL, and more classes.

    One of them is there twice, under two names: what differs between these two is the machine.
    """
    many, few = _SEVERAL
    head = {"name": "csra", "heads": 6, "strength": 0.4}
    methods = {"plain": PLAIN, "msl": "msl"}
    base = _materials(network, {name: {"method": {"name": method}, "head": head} for name, method in methods.items()})
    ways = {
        f"plain, {many}": ("plain", _with_classes(base, many)),
        f"msl, {many}": ("msl", _with_classes(base, many)),
        f"plain, {few}": ("plain", _with_classes(base, few)),
        f"plain, {few} again": ("plain", _with_classes(base, few)),
    }
    cache = ActivationCache(0)
    epochs = {name: partial(_train, materials, arm, cache, settings) for name, (arm, materials) in ways.items()}
    seconds = take_turns(epochs, settings.turns, network_clock())
    pairs = [(f"msl, {many}", f"plain, {many}"), (f"plain, {many}", f"plain, {few}")]
    for pair in (*pairs, (f"plain, {few} again", f"plain, {few}")):
        what = f"{network.title}, several labels, CSRA head: {pair[0]} / {pair[1]} classes"
        yield compare(what, seconds, pair, len(base.train), network_clock(), "times as long")


def _with_classes(materials: Materials, classes: int) -> Materials:
    """Return the same training images with some of many classes each."""
    share = stream(0, "training", "several labels", classes).uniforms(len(materials.train), classes)
    labels = torch.from_numpy(share < 3 / classes).float()
    split = replace(materials.split, classes=tuple(map(str, range(classes))))
    return replace(materials, split=split, train=replace(materials.train, labels=labels))
