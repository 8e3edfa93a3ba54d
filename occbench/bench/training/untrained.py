"""The model of a cell before its training: backbone, head, trainable layers, and what its method builds beside it."""

from typing import Final

import torch

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.batches.ranks import synchronise_statistics
from occbench.bench.images.materials import Materials
from occbench.bench.protocol.benchmark import Arm
from occbench.bench.protocol.cell import Cell
from occbench.bench.protocol.rules import TrainRule
from occbench.bench.training.training_run import extend
from occbench.core.errors import ConfigError
from occbench.core.tasks import Task
from occbench.core.training import Method
from occbench.models.backbone import Backbone
from occbench.models.load import load_backbone
from occbench.models.map_head import attach_head

__all__ = ["as_in_training", "check_task", "untrained"]

#: Name -> (mean, standard deviation) of pixels in [0, 1].
_NORMALISATIONS: Final = {"unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}


def check_task(method: Method, name: str, task: Task) -> None:
    """Refuse to train a method on targets that it does not understand.

    Raises:
        ConfigError: it does not.
    """
    if task.name not in method.tasks:
        raise ConfigError(
            f"{name} does not train on {task.name} images. Use another method, or a source of another kind; one of "
            "your own whose loss is made of run.task.loss says so with tasks = EVERY_TASK."
        )


def untrained(cell: Cell, materials: Materials, device: torch.device) -> Pipeline:
    """Load the backbone with its trainable layers selected, on the device."""
    benchmark, split = cell.benchmark, materials.split
    check_task(cell.arm.build(), cell.arm.method.name, materials.task)
    model = load_backbone(
        cell.backbone,
        len(split.classes),
        pretrained=benchmark.pretrained and cell.weights is None,
        weights=cell.weights,
        head_rows=split.head_rows if benchmark.pretrained_head else None,
        seed=cell.seed,
    )
    return as_in_training(model, cell.arm, benchmark.train, cell.seed, device)


def as_in_training(model: Backbone, arm: Arm, rule: TrainRule, seed: int, device: torch.device) -> Pipeline:
    """Give a backbone what an arm puts around it: head, normalisation, trainable layers, what its method builds.

    Args:
        model: with a head for the classes; changed in place.
        arm: of a benchmark.
        rule: how it is trained.
        seed: draws the new parts.
        device: where it goes.
    """
    if (head := arm.build_head()) is not None:
        attach_head(model, head, model.num_classes, seed)
    if rule.normalisation != "weights":
        model.normalise_with(*_NORMALISATIONS[rule.normalisation])
    model.select_trainable(rule.trainable, running_statistics=rule.batch_norm == "running")
    method = arm.build()
    if not method.trains_backbone:
        model.freeze()
    model.trunk = synchronise_statistics(model.train().trunk)
    pipeline = Pipeline(model, device, rule.precision, keep_map="map" in method.needs)
    extend(pipeline, method, seed)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pipeline
