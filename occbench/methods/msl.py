"""MSL, masked supervised learning: clean and masked image must be recognised, and recognised alike.

Zunair, Ben Hamza, "Learning to Recognize Occluded and Small Objects with Partial Inputs", WACV 2024 (arXiv 2310.18517):

    L = a1 L_rcg(y_clean, y) + a2 L_MaBr(y_masked, y) + a3 L_LaCo(y_clean, y_masked),   (a1, a2, a3) = (0.3, 0.2, 0.5)

One network, two forward passes one after the other, one backward pass; the gradient of the consistency term flows
through both. At test time the clean branch answers alone. The paper's task is multi-label: L_rcg and L_MaBr are the
binary cross-entropy with logits, L_LaCo the mean squared difference of the sigmoids, all means over images and
classes. With one label an image (inferred) they are the cross-entropy and the mean squared difference of the softmax;
never of their maxima, which have no gradient.

The paper lays a free-form mask on every image, drawn afresh from some 950 mask files in every epoch, whatever the
image's crop and flip are: ``masks: 951``. Its "low" and "high" masks are the groups ``irregular-low`` and
``irregular-high`` of the benchmark's ``pair_occlusions``, which an arm's ``pair_groups`` choose from; ``patch_drop``
there is its ablation.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import kl_div, logsigmoid, mse_loss

from occbench.core.errors import ConfigError
from occbench.core.options import check_range, settle_options
from occbench.core.tasks import EVERY_TASK, MULTI_LABEL, Task
from occbench.core.training import Method, TrainingRun

__all__ = ["MaskedSupervisedLearning"]


@dataclass(frozen=True)
class MaskedSupervisedLearning(Method):
    """Masked supervised learning (MSL): trains on each image clean and masked, and on the agreement of both answers.

    The masks are the benchmark's ``pair_occlusions``: ``irregular`` holes in the paper, ``patch_drop`` in its ablation.
    A term of weight 0 is left out; without the last two the masked pass is, too.

    Attributes:
        recognise: weight of the clean branch, 0 or more. The paper: 0.3.
        masked: weight of the masked branch, 0 or more. The paper: 0.2.
        consistency: weight of the agreement, 0 or more. The paper: 0.5.
        laco: ``mse_prob``, the squared difference of probabilities, or ``kl``, from masked to clean.
        masks: size of a bank of masks, one of which every image gets in every epoch, laid on it after its crop and flip
            (the paper's code: 951); 0 gives an image its own occlusion by each of the pairs' conditions, which follows
            crop and flip and stays the same in every epoch.

    Raises:
        ConfigError: a negative weight, all weights 0, or no such agreement.
    """

    recognise: float = 0.3
    masked: float = 0.2
    consistency: float = 0.5
    laco: Literal["mse_prob", "kl"] = "mse_prob"
    masks: int = 0

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})
    tasks: ClassVar[frozenset[str]] = EVERY_TASK

    def __post_init__(self) -> None:
        """Check the options."""
        settle_options(self)
        for name in ("recognise", "masked", "consistency", "masks"):
            check_range(self, name, 0.0)
        if self.recognise == self.masked == 0:
            raise ConfigError(
                "msl needs recognise or masked above 0: agreement alone learns one answer for everything."
            )

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted sum of the three terms; see ``Method.loss``."""
        clean = run.head(run.vectors(inputs))
        total = self.recognise * run.task.loss(clean, labels)
        if self.masked == self.consistency == 0:
            return total
        # a pass of its own: together, BatchNorm would normalise both by the statistics of the two
        masked = run.masked_inputs(self.masks) if self.masks else run.occluded_inputs()
        hidden = run.head(run.vectors(masked.to(inputs.dtype)))
        total = total + self.masked * run.task.loss(hidden, labels)
        return total + self.consistency * self._agreement(run.task, clean.float(), hidden.float())

    def _agreement(self, task: Task, clean: Tensor, hidden: Tensor) -> Tensor:
        if self.laco == "mse_prob":
            return mse_loss(task.probabilities(clean), task.probabilities(hidden))
        if task is MULTI_LABEL:
            return _bernoulli_divergence(clean, hidden)
        return kl_div(hidden.log_softmax(1), clean.log_softmax(1), log_target=True, reduction="batchmean")


def _bernoulli_divergence(clean: Tensor, hidden: Tensor) -> Tensor:
    """Return the divergence of the classes' own distributions from masked to clean, a mean over images and classes."""
    there = clean.sigmoid() * (logsigmoid(clean) - logsigmoid(hidden))
    absent = (-clean).sigmoid() * (logsigmoid(-clean) - logsigmoid(-hidden))
    return (there + absent).mean()
