"""MSL, masked supervised learning: clean and masked image must be recognised, and recognised alike.

Zunair, Ben Hamza, "Learning to Recognize Occluded and Small Objects with Partial Inputs", WACV 2024 (arXiv 2310.18517):

    L = a1 L_rcg(y_clean, y) + a2 L_MaBr(y_masked, y) + a3 L_LaCo(y_clean, y_masked),   (a1, a2, a3) = (0.3, 0.2, 0.5)

One network, two forward passes one after the other, one backward pass; the gradient of the consistency term flows
through both. At test time the clean branch answers alone. This is the form for one label an image (inferred from the
paper's multi-label one): cross-entropy for the first two terms, the mean squared difference of the class probabilities
for the third; never of their maxima, which have no gradient.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, mse_loss

from occbench.core.errors import ConfigError
from occbench.core.interfaces import Method, TrainingRun
from occbench.methods.option_ranges import check_range

__all__ = ["MaskedSupervisedLearning"]


@dataclass(frozen=True)
class MaskedSupervisedLearning(Method):
    """Masked supervised learning (MSL): trains on each image clean and masked, and on the agreement of both answers.

    The masks are the benchmark's ``pair_occlusions``: ``irregular`` holes in the paper, ``patch_drop`` in its ablation.

    Attributes:
        recognise: weight of the clean branch, 0 or more. The paper: 0.3.
        masked: weight of the masked branch, 0 or more. The paper: 0.2.
        consistency: weight of the agreement, 0 or more. The paper: 0.5.
        laco: ``mse_prob``, the squared difference of probabilities, or ``kl``, from masked to clean.

    Raises:
        ConfigError: a negative weight, all weights 0, or no such agreement.
    """

    recognise: float = 0.3
    masked: float = 0.2
    consistency: float = 0.5
    laco: Literal["mse_prob", "kl"] = "mse_prob"

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})

    def __post_init__(self) -> None:
        """Check the options."""
        for name in ("recognise", "masked", "consistency"):
            check_range("msl", name, getattr(self, name), 0.0)
        if self.recognise == self.masked == 0:
            raise ConfigError(
                "msl needs recognise or masked above 0: agreement alone learns one answer for everything."
            )
        if self.laco not in ("mse_prob", "kl"):
            raise ConfigError(f"msl needs laco mse_prob or kl, found {self.laco!r}. Use one of these.")

    def loss(self, run: TrainingRun, inputs: Tensor, labels: Tensor) -> Tensor:
        """Return the weighted sum of the three terms; see ``Method.loss``."""
        clean = run.head(run.vectors(inputs))
        # a pass of its own: together, BatchNorm would normalise both by the statistics of the two
        hidden = run.head(run.vectors(run.occluded_inputs().to(inputs.dtype)))
        total = self.recognise * cross_entropy(clean, labels) + self.masked * cross_entropy(hidden, labels)
        return total + self.consistency * self._agreement(clean.float(), hidden.float())

    def _agreement(self, clean: Tensor, hidden: Tensor) -> Tensor:
        if self.laco == "kl":
            return kl_div(hidden.log_softmax(1), clean.log_softmax(1), log_target=True, reduction="batchmean")
        return mse_loss(clean.softmax(1), hidden.softmax(1))
