"""Deep feature augmentation: difference vectors of occluded and clean pairs, added to deep feature vectors.

Cen, Zhao, Li, Wang, "Deep feature augmentation for occluded image classification", Pattern Recognition 2021
(arXiv 2011.00768), sections 3.1 to 3.3:

    difference vector   d_k  = v^_jk - v_j                          (eq. 1: occluded minus clean, same image j)
    pseudo vector       v~_i = v_i + beta * b_i * d_k(i)            (eq. 2, with the switch b_i ~ Bernoulli(alpha))
    loss                mean over i of CE(head(v~_i), y_i)             (or the task's own loss)

The difference vectors come from a copy of the network "updated at the start of each training epoch". No weight moves
while they are taken, so the network itself, switched to evaluation, is that copy. They carry no gradient; trunk and
head both get theirs through v_i. At test time the network is asked as it is.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from occbench.core.options import check_probability
from occbench.core.tasks import EVERY_TASK
from occbench.core.training import Method, TrainingRun
from occbench.methods.difference_vectors import difference_vectors

__all__ = ["DeepFeatureAugmentation"]

_TABLE = "difference_vectors"


@dataclass(frozen=True)
class DeepFeatureAugmentation(Method):
    """Deep feature augmentation (DFV): adds difference vectors of occluded pairs to deep feature vectors.

    Attributes:
        alpha: probability that a vector of a batch is changed, 0 to 1; the others stay as they are. The paper: 0.9.
        beta: factor of the difference vector. The paper: 1; above 1 clean accuracy falls.

    Raises:
        ConfigError: an option outside of its range.
    """

    alpha: float = 0.9
    beta: float = 1.0

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})
    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        check_probability(self, "alpha")

    def on_epoch_start(self, run: TrainingRun) -> None:
        """Take the difference vectors of every pair with the network as it now stands."""
        run.memory[_TABLE] = difference_vectors(run)

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the task's loss of the batch's vectors, a share alpha of them changed; see ``Method.loss``."""
        vectors = run.vectors(inputs)
        table: Tensor = run.memory[_TABLE]
        # one draw for every sample, never one for the batch: both kinds of vector stand in every batch
        chosen = torch.randint(len(table), (len(vectors),), generator=run.draws)
        switch = torch.rand(len(vectors), generator=run.draws) < self.alpha
        change = table[chosen.to(table.device)] * switch.view(-1, *[1] * (table.ndim - 1)).to(table.device)
        return run.task.loss(run.head(vectors + self.beta * change.to(vectors.dtype)), labels)
