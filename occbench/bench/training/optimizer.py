"""The optimiser and the schedule of a training rule."""

from typing import Any, Final

from torch.optim import SGD, AdamW, Optimizer

from occbench.bench.batches.pipeline import Pipeline
from occbench.bench.protocol.rules import TrainRule

__all__ = ["make_optimizer", "make_schedule"]

_SGD_MOMENTUM: Final = 0.9


def make_optimizer(pipeline: Pipeline, rule: TrainRule) -> Optimizer:
    """Return the optimiser of the weights that train."""
    groups = pipeline.model.parameter_groups(rule.lr_trunk, rule.lr_head)
    if rule.optimizer == "adamw":
        return AdamW(groups, weight_decay=rule.weight_decay)
    return SGD(groups, momentum=_SGD_MOMENTUM, weight_decay=rule.weight_decay)


def make_schedule(optimizer: Optimizer, rule: TrainRule, steps: int) -> Any:  # noqa: ANN401 - timm ships no types
    """Return the schedule of the learning rate, stepped every batch (``step_update``).

    Args:
        optimizer: whose rates it sets.
        rule: how is trained.
        steps: batches in an epoch.
    """
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
