"""ASL, asymmetric loss: easy absent classes weigh little, so that the few that are there are heard.

Ridnik, Ben-Baruch et al., "Asymmetric Loss For Multi-Label Classification", ICCV 2021 (arXiv 2009.14119), equations 4
to 7, for a probability p = sigmoid(logit) of one class of one image:

    there     -(1 - p)^g+ log p
    absent    -p_m^g- log(1 - p_m),    p_m = max(p - m, 0)

The focusing g- > g+ and the margin m quiet down absent classes that are known to be absent. The paper sums over
classes; here it is the mean over known entries, as of every loss, so learning rates compare. As in the authors' code
no gradient flows through the focusing weights.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from occbench.core.options import check_range
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun

__all__ = ["AsymmetricLoss"]

#: Least argument of a logarithm.
_LEAST = 1e-8


@dataclass(frozen=True)
class AsymmetricLoss(Method):
    """Asymmetric loss (ASL): every class is a question of its own, and easy absent ones weigh little.

    With one label an image, that class is there and all others are absent.

    Attributes:
        gamma_positive: focusing of classes that are there, 0 or more. The paper: 0.
        gamma_negative: focusing of absent ones, 0 or more. The paper: 4.
        margin: probability below which an absent class costs nothing, 0 to 1. The paper: 0.05.

    Raises:
        ConfigError: an option outside of its range.
    """

    gamma_positive: float = 0.0
    gamma_negative: float = 4.0
    margin: float = 0.05

    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_range(self, "gamma_positive", 0.0)
        check_range(self, "gamma_negative", 0.0)
        check_range(self, "margin", 0.0, 1.0)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over known entries; see ``Method.loss``."""
        logits = run.head(run.vectors(inputs)).float()
        targets = run.task.multi_hot(labels, run.num_classes)
        known = ~targets.isnan()
        there = targets.nan_to_num(0.0)
        shifted = (logits.sigmoid() - self.margin).clamp(min=0)
        with torch.no_grad():
            focus_there = (-logits).sigmoid() ** self.gamma_positive
            focus_absent = shifted**self.gamma_negative
        absent = focus_absent * (1 - shifted).clamp(min=_LEAST).log()
        gain = there * focus_there * logsigmoid(logits) + (1 - there) * absent
        return -(gain * known).sum() / known.sum().clamp(min=1)
