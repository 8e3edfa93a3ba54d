"""The training loop: one plain loop for every method, resumable after any epoch to the same weights, bit for bit.

All randomness of an epoch comes from streams named by (seed, purpose, epoch), so a resumed run needs no generator
state: weights, optimiser state and the epoch's number are enough.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from occbench.bench.batches.batch import ImageBatch
from occbench.bench.batches.held_out import HELD_OUT, HeldOut
from occbench.bench.batches.pipeline import ActivationCache, Pipeline
from occbench.bench.batches.ranks import sum_gradients
from occbench.bench.images.materials import Materials
from occbench.bench.protocol.benchmark import Arm
from occbench.bench.protocol.rules import TrainRule
from occbench.bench.scoring.blocks import blocks_of
from occbench.bench.training.feed import Feeder, PixelChange
from occbench.bench.training.optimizer import make_optimizer, make_schedule
from occbench.bench.training.states import load_state, save_state
from occbench.bench.training.training_run import Training, generator
from occbench.core.errors import ConfigError, DatasetError
from occbench.core.files import write_bytes
from occbench.core.seeding import stream
from occbench.core.training import Method

__all__ = ["Epoch", "train"]

#: Steps between two looks at the loss: looking stops a GPU's queue.
_CHECK_EVERY: Final = 20


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
    run = Training(pipeline, materials, arm, cache, seed)
    if method.has_epochs:
        _train_epochs(pipeline, method, run, rule, folder, _Told(on_epoch, on_step))
    _fit(pipeline, method.on_training_end, run, "end")


def _fit(pipeline: Pipeline, hook: Callable[[Training], None], run: Training, name: str) -> None:
    """Call a method's hook outside of epochs, with draws and notes of its own."""
    pipeline.model.eval()
    run.memory.clear()
    run.draws = generator(run.seed, "method", name)
    with torch.no_grad(), pipeline.autocast():
        hook(run)


@dataclass(frozen=True)
class _Told:
    on_epoch: Callable[[Epoch], None]
    on_step: Callable[[float], None]


def _train_epochs(
    pipeline: Pipeline, method: Method, run: Training, rule: TrainRule, folder: Path, told: _Told
) -> None:
    """Train what is left of the epochs and load the chosen one's weights."""
    last, best = folder / "last.safetensors", folder / "best.safetensors"
    if not last.is_file():  # before the optimizer, because sizes may change
        _fit(pipeline, method.on_training_start, run, "start")
    feeder = Feeder(pipeline, run.images, rule, run.cache, run.seed, _pixel_change(method, run))
    feeder.on_step = told.on_step
    optimizer = make_optimizer(pipeline, rule)
    schedule = make_schedule(optimizer, rule, feeder.steps)
    done: list[Epoch] = []
    if (found := load_state(last, pipeline.model, optimizer)) is not None:
        done = [Epoch(**entry) for entry in json.loads(found["epochs"])]
    for epoch in range(len(done), rule.epochs):
        run.epoch, run.draws = epoch, generator(run.seed, "method", epoch)
        with _seeded(pipeline.device, run.seed, epoch):
            loss = _one_epoch(pipeline, method, run, feeder, optimizer, schedule)
        clean, occluded = _validate(pipeline, method, run, rule)
        entry = Epoch(epoch, rule.epochs, loss, clean, occluded)
        if math.isnan(entry.score) or entry.score >= max((item.score for item in done), default=0.0):
            save_state(best, pipeline.model)
        done.append(entry)
        save_state(last, pipeline.model, optimizer, {"epochs": json.dumps([vars(item) for item in done])})
        _write_curves(folder / "curves.csv", done)
        told.on_epoch(entry)
    if load_state(best, pipeline.model) is None:
        raise DatasetError(f"{best} is missing, though training is finished: delete {folder} and run again.")


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
        torch.manual_seed(stream(seed, "train", "layers", epoch).seed())
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


@torch.no_grad()
def _validate(pipeline: Pipeline, method: Method, run: Training, rule: TrainRule) -> tuple[float, float]:
    """Return the scores of clean and of occluded validation images; nan where there are none of them."""
    pipeline.model.eval()
    blocks = blocks_of(run.task)

    def asked(part: HeldOut) -> Iterator[tuple[Tensor, Tensor]]:
        run.memory.clear()  # a method that adapts starts anew
        for inputs, labels in run.examples(part):
            with pipeline.autocast():
                logits = run.ask(method, inputs, run.batch)
            yield logits, labels.cpu()

    if rule.paper_selection:
        return blocks.score(asked("test")), math.nan
    clean, occluded = (blocks.score(asked(part)) for part in HELD_OUT)
    return clean, occluded


def _write_curves(path: Path, epochs: list[Epoch]) -> None:
    rows = [f"{item.epoch},{item.loss:.6f},{item.clean:.6f},{item.occluded:.6f}" for item in epochs]
    write_bytes(path, "\n".join(["epoch,loss,clean,occluded", *rows, ""]).encode())
