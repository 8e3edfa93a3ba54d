"""TENT: scales and shifts of BatchNorm follow the test images downhill in the entropy of their answers.

Wang, Shelhamer, Liu, Olshausen, Darrell, "Tent: fully test-time adaptation by entropy minimization", ICLR 2021:
BatchNorm normalises with the statistics of the test batch, and its scales and shifts take a gradient step a batch on

    H = mean over the batch of - sum_c p_c log p_c

Adaptation goes on from batch to batch within one test column and starts anew with the next (or with every batch), so no
column depends on which ones were scored before it. Within a column images come in a mixed order. Inferred:
plain gradient steps (the release has momentum 0.9 at a tenth of the rate), and answers of the adapted network (the
release gives those from before the step).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from torch import Tensor, nn

from occbench.core.errors import ConfigError
from occbench.core.options import check_range, settle_options
from occbench.core.training import Method, TrainingRun

__all__ = ["Tent", "entropy"]

_WEIGHTS: Final = "adapted"


@dataclass(frozen=True)
class Tent(Method):
    """Adapts BatchNorm to the test images, without labels; training is plain fine-tuning.

    Attributes:
        lr: size of a step, 0 or more; 0 leaves the statistics of the test batch alone.
        steps: on each batch, 1 or more.
        reset: what starts anew from the trained weights, every test ``column`` or every ``batch``.

    Raises:
        ConfigError: an option outside of its range; a network without BatchNorm layers that train.
    """

    lr: float = 0.0025
    steps: int = 1
    reset: Literal["column", "batch"] = "column"

    adapts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the options."""
        settle_options(self)
        check_range(self, "lr", 0.0)
        check_range(self, "steps", 1)

    def build(self, run: TrainingRun) -> nn.Module | None:
        """Make nothing, but see that there is something to adapt; see ``Method.build``."""
        with run.adaptable() as weights:
            if not weights:
                raise ConfigError(
                    "tent adapts BatchNorm, and no such layer of this network trains: use another backbone or method, "
                    "or set train.trainable."
                )
        return None

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return logits of the network after it has adapted to the batch; see ``Method.predict``."""
        # a batch that is filled up by one image must not adapt to that image
        rows, of_row = _distinct(run.batch.names, len(inputs))
        with run.adaptable() as weights:
            images = inputs[rows].clone()  # one that gradients may pass through
            if self.reset == "column" and _WEIGHTS in run.memory:
                _assign(weights, run.memory[_WEIGHTS])
            for _ in range(self.steps):
                slopes = torch.autograd.grad(entropy(run.head(run.vectors(images))), weights)
                _assign(weights, [one.detach() - self.lr * slope for one, slope in zip(weights, slopes, strict=True)])
            run.memory[_WEIGHTS] = [weight.detach().clone() for weight in weights]
            with torch.no_grad():
                logits = run.head(run.vectors(images))
        return logits[of_row]


def entropy(logits: Tensor) -> Tensor:
    """Return the mean entropy, in nats, of the answers float[B, C]."""
    likely = logits.float().log_softmax(1)
    return -(likely.exp() * likely).sum(1).mean()


def _assign(weights: list[nn.Parameter], values: list[Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)


def _distinct(names: Sequence[str] | None, count: int) -> tuple[list[int], list[int]]:
    """Return (the first row of each image, for every row which of them it is)."""
    if names is None:
        return list(range(count)), list(range(count))
    places: dict[str, int] = {}
    of_row = [places.setdefault(name, len(places)) for name in names]
    rows = [of_row.index(place) for place in range(len(places))]
    return rows, of_row
