"""The training loop: one plain loop for every method, resumable after any epoch to the same weights, bit for bit.

All randomness of an epoch comes from streams named by (seed, purpose, epoch), so a resumed run needs no generator
state: weights, optimiser state and the epoch's number are enough.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from occbench.bench.augment import Geometry
from occbench.bench.batch import ImageBatch, silhouettes
from occbench.bench.blocks import blocks_of
from occbench.bench.feed import Feeder, PixelChange
from occbench.bench.images import ImageSet, batches
from occbench.bench.materials import Materials
from occbench.bench.pipeline import ActivationCache, Pipeline
from occbench.bench.protocol import Arm, TrainRule
from occbench.bench.ranks import sum_gradients
from occbench.bench.states import load_state, save_state
from occbench.bench.training_run import Training, generator
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import write_bytes
from occbench.core.interfaces import Method
from occbench.core.seeding import stream

__all__ = ["Epoch", "train"]

_SGD_MOMENTUM: Final = 0.9
#: Steps between two looks at the loss: looking stops a GPU's queue.
_CHECK_EVERY: Final = 20
_EVALUATION_BATCH: Final = 64


@dataclass(frozen=True)
class Epoch:
    """What an epoch did.

    Attributes:
        epoch: its number, from 0.
        epochs: how many there will be.
        loss: mean training loss.
        clean: share of the validation images classified rightly, of several labels their mAP; nan without any. With
            ``paper_selection`` it is that of the test images.
        occluded: the same, each image under one occlusion.
    """

    epoch: int
    epochs: int
    loss: float
    clean: float
    occluded: float

    @property
    def score(self) -> float:
        """What the epoch is chosen by."""
        return self.clean if math.isnan(self.occluded) else (self.clean + self.occluded) / 2


def train(  # noqa: PLR0913 - one call per cell; every argument is one of its parts
    pipeline: Pipeline,
    method: Method,
    arm: Arm,
    materials: Materials,
    *,
    rule: TrainRule,
    seed: int,
    folder: Path,
    cache: ActivationCache,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    on_step: Callable[[float], None] = lambda _: None,
) -> None:
    """Train a model and leave the chosen epoch's weights in it; what is finished of an earlier call is kept.

    Args:
        pipeline: the model, on its device.
        method: its loss.
        arm: what it is trained on.
        materials: the images.
        rule: how it is trained.
        seed: names order, augmentation and the method's draws.
        folder: for ``curves.csv`` and the state of the last and the best epoch.
        cache: activations shared with other cells.
        on_epoch: called after every epoch.
        on_step: told after every step which share of an epoch it was.

    Raises:
        ConfigError: the loss is not finite.
        DatasetError: a file of an earlier call is damaged or missing.
    """
    images = materials.training_images(arm)
    run = Training(pipeline, materials, arm, cache, seed)
    feeder = Feeder(pipeline, images, rule, cache, seed, _pixel_change(method, run))
    feeder.on_step = on_step
    optimizer = _optimizer(pipeline, rule)
    schedule = _schedule(optimizer, rule, feeder.steps)
    last, best = folder / "last.safetensors", folder / "best.safetensors"
    done: list[Epoch] = []
    if (found := load_state(last, pipeline.model, optimizer)) is not None:
        done = [Epoch(**entry) for entry in json.loads(found["epochs"])]
    for epoch in range(len(done), rule.epochs):
        run.epoch, run.draws = epoch, generator(seed, "method", epoch)
        with _seeded(pipeline.device, seed, epoch):
            loss = _one_epoch(pipeline, method, run, feeder, optimizer, schedule)
        clean, occluded = _validate(pipeline, method, run, materials, cache, rule)
        entry = Epoch(epoch, rule.epochs, loss, clean, occluded)
        if math.isnan(entry.score) or entry.score >= max((item.score for item in done), default=0.0):
            save_state(best, pipeline.model)
        done.append(entry)
        save_state(last, pipeline.model, optimizer, {"epochs": json.dumps([vars(item) for item in done])})
        _write_curves(folder / "curves.csv", done)
        on_epoch(entry)
    if load_state(best, pipeline.model) is None:
        raise DatasetError(f"{best} is missing, though training is finished: delete {folder} and run again.")
    pipeline.model.eval()


def _pixel_change(method: Method, run: Training) -> PixelChange | None:
    """Return the method's own augmentation, or None where it has none and pixels need not be held."""
    if type(method).augment is Method.augment:
        return None

    def change(batch: ImageBatch, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        run.batch = batch
        return method.augment(run, images, labels)

    return change


@contextmanager
def _seeded(device: torch.device, seed: int, epoch: int) -> Iterator[None]:
    """Seed torch's global generators, which dropout and stochastic depth draw from, and put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(stream(seed, "train", "layers", epoch).integer(0, 2**31))
        yield


def _one_epoch(
    pipeline: Pipeline,
    method: Method,
    run: Training,
    feeder: Feeder,
    optimizer: Optimizer,
    schedule: Any,  # noqa: ANN401
) -> float:
    model, rule = pipeline.model, feeder.rule
    model.eval()
    run.memory.clear()
    # in the precision of training, in which the vectors are that a method compares with what it prepares here
    with torch.no_grad(), pipeline.autocast():
        method.on_epoch_start(run)
    model.train()
    total = torch.zeros((), device=pipeline.device)
    for step, fed in enumerate(feeder.batches(run.epoch)):
        schedule.step_update(run.epoch * feeder.steps + step)
        run.batch = fed.batch
        with pipeline.autocast():
            loss = method.loss(run, fed.inputs.float() if not pipeline.bf16 else fed.inputs, fed.targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        sum_gradients(model.trunk.parameters())
        if rule.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), rule.clip_norm)
        optimizer.step()
        total += loss.detach()
        if step % _CHECK_EVERY == 0 or step == feeder.steps - 1:
            _check_finite(total, run.epoch, step, rule)
    return float(total) / feeder.steps


def _check_finite(total: Tensor, epoch: int, step: int, rule: TrainRule) -> None:
    if not math.isfinite(float(total)):
        raise ConfigError(
            f"the training loss became {float(total)} in epoch {epoch + 1} before step {step + 1} (lr_trunk "
            f"{rule.lr_trunk}, lr_head {rule.lr_head}, {rule.precision}). Lower the learning rates, set "
            "train.clip_norm, or train in fp32. Finished epochs are kept."
        )


def _optimizer(pipeline: Pipeline, rule: TrainRule) -> Optimizer:
    groups = pipeline.model.parameter_groups(rule.lr_trunk, rule.lr_head)
    if rule.optimizer == "adamw":
        return AdamW(groups, weight_decay=rule.weight_decay)
    return SGD(groups, momentum=_SGD_MOMENTUM, weight_decay=rule.weight_decay)


def _schedule(optimizer: Optimizer, rule: TrainRule, steps: int) -> Any:  # noqa: ANN401 - timm ships no types
    from timm.scheduler import CosineLRScheduler, StepLRScheduler

    warmup, total = round(rule.warmup_epochs * steps), rule.epochs * steps
    # the schedule starts where the warm-up ends, so that the peak is reached
    common = {"warmup_t": warmup, "warmup_lr_init": 0.0, "warmup_prefix": True, "t_in_epochs": False}
    if rule.schedule == "cosine":
        return CosineLRScheduler(optimizer, t_initial=max(1, total - warmup), **common)
    if rule.schedule == "step" and rule.step_epochs is not None:
        # as in the code of Zunair and Ben Hamza the steps do not wait for the warm-up
        common["warmup_prefix"] = False
        return StepLRScheduler(optimizer, decay_t=rule.step_epochs * steps, decay_rate=0.1, **common)
    decay_t = max(1, total // 3) if rule.schedule == "step" else 2 * total
    return StepLRScheduler(optimizer, decay_t=decay_t, decay_rate=0.1, **common)


@torch.no_grad()
def _validate(
    pipeline: Pipeline,
    method: Method,
    run: Training,
    materials: Materials,
    cache: ActivationCache,
    rule: TrainRule,
) -> tuple[float, float]:
    """Return the scores of clean and of occluded validation images; nan where there are none of them."""
    chosen: dict[str, ImageSet] = {}
    if rule.paper_selection:
        chosen["test"] = materials.test
    elif len(materials.validation):
        chosen |= {"clean": materials.validation, "occluded": materials.occluded_validation}
    pipeline.model.eval()
    blocks = blocks_of(materials.task)

    def asked(name: str, images: ImageSet) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in batches(len(images), _EVALUATION_BATCH):
            key = ("validation", name, pipeline.prefix_hash, str(rows.start))
            make = partial(pipeline.inputs, images.images[rows])
            inputs = cache.recall(key, make) if pipeline.prefix_hash else make()
            with pipeline.autocast():
                logits = run.ask(method, inputs, _validation_batch(pipeline, images, rows, name))
            yield logits, images.labels[rows]

    scores = [blocks.score(asked(name, images)) for name, images in chosen.items()]
    return (*scores, math.nan, math.nan)[0], (*scores, math.nan, math.nan)[1]


def _validation_batch(pipeline: Pipeline, images: ImageSet, rows: slice, name: str) -> ImageBatch:
    geometry = Geometry()
    return ImageBatch(
        lambda: images.images[rows].to(pipeline.device).float(),
        lambda: silhouettes(images, range(rows.start, rows.stop), geometry, pipeline.device),
        [f"{key}~validation-{name}" for key in images.keys[rows]],
    )


def _write_curves(path: Path, epochs: list[Epoch]) -> None:
    rows = [f"{item.epoch},{item.loss:.6f},{item.clean:.6f},{item.occluded:.6f}" for item in epochs]
    write_bytes(path, "\n".join(["epoch,loss,clean,occluded", *rows, ""]).encode())
