"""Logistic regression on frozen features, with the strength of its penalty chosen on held-out images.

The linear probe of Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021,
section 3.2: a multinomial regression with an L2 penalty, solved by L-BFGS,

    minimise  mean_i CE(W v_i / s + b, y_i) + l2 / 2 |W|^2        s: root mean square of all training features

Dividing by one number s makes the penalty mean the same for every network. With n images this is scikit-learn's
``LogisticRegression(C=1 / (n l2))`` on v / s.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import linear

from occbench.core.errors import ConfigError
from occbench.core.options import check_range
from occbench.core.training import Method, TrainingRun
from occbench.methods.fitted import Fitted, frozen_vectors, full_precision

__all__ = ["LinearProbe", "fit_logistic"]

Matrix = NDArray[np.float64]

#: Penalties that are tried, from strong to weak, so that each solution starts the next.
_GRID: Final = tuple(10.0**power for power in range(0, -7, -1))
_STEPS: Final = 1000
_TOLERANCE: Final = 1e-8


@dataclass(frozen=True)
class LinearProbe(Method):
    """Fits a linear classifier on features of a network that stays as it is.

    Any backbone will do: of ``timm/vit_base_patch14_dinov2.lvd142m`` and CLIP's image towers, such as
    ``timm/vit_base_patch16_clip_224.openai``, the features are those in front of the classifier.

    Attributes:
        l2: weight of the penalty, above 0. None chooses among 1, 0.1, ... 1e-6 the one that answers most clean held-out
            images rightly, the strongest of equals.

    Raises:
        ConfigError: an option outside of its range; nothing is held out to choose by, and ``l2`` is None.
    """

    l2: float | None = None

    trains_backbone: ClassVar[bool] = False
    has_epochs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the option."""
        check_range(self, "l2", 0.0, above=True)

    def build(self, run: TrainingRun) -> nn.Module:  # noqa: ARG002 - nothing is drawn
        """Make the place of weight and bias; see ``Method.build``."""
        return Fitted(["weight", "bias"])

    def on_training_end(self, run: TrainingRun) -> None:
        """Fit to the training images."""
        vectors, labels = (part.numpy() for part in frozen_vectors(run, "train"))
        scale = max(float(np.sqrt(np.mean(np.square(vectors, dtype=np.float64)))), np.finfo(np.float64).tiny)
        points = vectors.astype(np.float64) / scale
        if self.l2 is not None:
            (found,) = fit_logistic(points, labels, run.num_classes, [self.l2])
        else:
            held, answers = (part.numpy() for part in frozen_vectors(run, "validation"))
            if not len(held):
                raise ConfigError(
                    "linear_probe chooses its penalty on held-out images, and there are none: set "
                    "split.validation_share, or give the method l2."
                )
            paths = fit_logistic(points, labels, run.num_classes, _GRID)
            right = [
                int((np.argmax(held / scale @ weight.T + bias, axis=1) == answers).sum()) for weight, bias in paths
            ]
            found = paths[int(np.argmax(right))]  # the first of equals is the strongest
        weight, bias = (torch.from_numpy(part).float().to(run.mean_pixel.device) for part in found)
        run.module_of(Fitted).put(weight=weight / scale, bias=bias)

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return the regression's logits; see ``Method.predict``."""
        known, vectors = run.module_of(Fitted), run.vectors(inputs)
        with full_precision(vectors):
            return linear(vectors.float(), known.weight, known.bias)  # type: ignore[arg-type]


def fit_logistic(
    points: Matrix, labels: NDArray[np.int64], num_classes: int, penalties: Iterable[float]
) -> list[tuple[Matrix, Matrix]]:
    """Return (weight [C, D], bias [C]) for each penalty; classes without an image are never answered.

    Args:
        points: float64[N, D].
        labels: int64[N].
        num_classes: C.
        penalties: weights of |W|^2 / 2, above 0; best from strong to weak.
    """
    count, dim = points.shape
    wanted = np.eye(num_classes)[labels]
    present = wanted.any(axis=0)
    # the bias is a column without penalty
    columns = np.concatenate([points, np.ones((count, 1))], axis=1)
    free = np.append(np.ones(dim), 0.0)
    start = np.zeros((num_classes, dim + 1))
    found = []

    def objective(flat: Matrix, penalty: float) -> tuple[float, Matrix]:
        weights = flat.reshape(start.shape)
        logits = np.where(present, columns @ weights.T, -np.inf)
        shifted = logits - logits.max(axis=1, keepdims=True)
        likely = np.exp(shifted)
        total = likely.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - shifted[np.arange(count), labels]).mean())
        slope = (likely / total - wanted).T @ columns / count + penalty * free * weights
        return loss + penalty / 2 * float((free * weights**2).sum()), slope.ravel()

    for penalty in penalties:
        solved = minimize(
            objective, start.ravel(), (penalty,), "L-BFGS-B", jac=True,
            options={"maxiter": _STEPS, "maxfun": 2 * _STEPS, "gtol": _TOLERANCE, "ftol": 0.0, "maxcor": 20},
        )  # fmt: skip
        start = solved.x.reshape(start.shape)
        found.append((start[:, :dim].copy(), np.where(present, start[:, dim], np.finfo(np.float32).min / 2)))
    return found
