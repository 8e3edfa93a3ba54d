"""SDBE: the part of a feature vector that occlusion explains is solved for and taken away, at test time alone.

Cen, Wang, "Boosting occluded image classification via subspace decomposition-based estimation of deep features", IEEE
Transactions on Cybernetics 2020 (arXiv 2001.04066), the estimate with the squared l2-norm:

    v = A a + O b,   (a, b) = argmin |v - A a - O b|^2 + lambda (|a|^2 + |b|^2)

and what is classified is the vector without its occlusion, v - O b, or A a, the paper's projection onto the classes.

A holds the feature vectors of the clean training images, O the difference vectors of the pairs, a column each. The
ridge has a closed form, in which only products with the columns appear:

    v - O b = (A A' + lambda I) (A A' + O O' + lambda I)^-1 v
        A a =  A A'             (A A' + O O' + lambda I)^-1 v

so one matrix [D, D] is kept and the dictionaries may be as large as they like. Inferred: columns have length 1, which
makes lambda mean the same for every network; lambda is chosen on held-out images; the residual, which both dictionaries
leave, is kept, because a head trained on whole vectors then sees what is left of one.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from occbench.core.errors import ConfigError
from occbench.core.options import check_range
from occbench.core.training import Method, TrainingRun
from occbench.methods.difference_vectors import difference_vectors
from occbench.methods.fitted import Fitted, frozen_vectors, full_precision

__all__ = ["Sdbe", "kept_part"]

#: Strengths that are tried, from strong to weak.
_GRID: Final = tuple(10.0**power for power in range(4, -4, -1))


@dataclass(frozen=True)
class Sdbe(Method):
    """Takes the occlusion's part out of every feature vector at test time; training is plain fine-tuning.

    Attributes:
        ridge: lambda, above 0. None chooses among 1e4, 1e3, ... 1e-3 the one that answers most of the clean and the
            occluded held-out images rightly, the strongest of equals (it changes least).
        residual: classify v - O b; otherwise A a.

    Raises:
        ConfigError: a ridge of 0 or less; no pairs; nothing is held out to choose by, and ``ridge`` is None.
    """

    ridge: float | None = None
    residual: bool = True

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})

    def __post_init__(self) -> None:
        """Check the option."""
        check_range(self, "ridge", 0.0, above=True)

    def build(self, run: TrainingRun) -> nn.Module:
        """Make the matrix, which leaves vectors as they are until it is fitted; see ``Method.build``."""
        module = Fitted(["matrix"])
        module.put(matrix=torch.eye(run.dim))
        return module

    def on_training_end(self, run: TrainingRun) -> None:
        """Solve with the features of the trained network."""
        classes, _ = frozen_vectors(run, "train")
        occlusions = difference_vectors(run).cpu()
        if self.ridge is not None:
            found = kept_part(classes, occlusions, self.ridge, residual=self.residual)
        else:
            found = self._chosen(run, classes, occlusions)
        run.module_of(Fitted).put(matrix=found.float().to(run.mean_pixel.device))

    def predict(self, run: TrainingRun, inputs: Tensor) -> Tensor:
        """Return the head's logits of what is left of the vectors; see ``Method.predict``."""
        vectors, matrix = run.vectors(inputs), run.module_of(Fitted).matrix
        with full_precision(vectors):
            left = vectors.float() @ matrix.T  # type: ignore[operator]
        return run.head(left.to(vectors.dtype))

    def _chosen(self, run: TrainingRun, classes: Tensor, occlusions: Tensor) -> Tensor:
        """Return the matrix whose answers for held-out images are best."""
        held = [frozen_vectors(run, part) for part in ("validation", "occluded_validation")]
        vectors, labels = (torch.cat(parts) for parts in zip(*held, strict=True))
        if not len(labels):
            raise ConfigError(
                "sdbe chooses its ridge on held-out images, and there are none: set split.validation_share, or give "
                "the method ridge."
            )
        device = run.mean_pixel.device
        matrices = [kept_part(classes, occlusions, ridge, residual=self.residual) for ridge in _GRID]
        right = []
        for matrix in matrices:
            with full_precision(vectors):
                left = vectors @ matrix.float().T
            right.append(int((run.head(left.to(device)).argmax(1).cpu() == labels).sum()))
        return matrices[right.index(max(right))]


def kept_part(classes: Tensor, occlusions: Tensor, ridge: float, *, residual: bool = True) -> Tensor:
    """Return float64[D, D]: the matrix that takes a vector v to v - O b, or to A a.

    Args:
        classes: float[N, D], the columns of A as rows; scaled to length 1 here.
        occlusions: float[M, D], the columns of O as rows; likewise, those of length 0 stay 0.
        ridge: lambda, above 0.
        residual: v - O b; otherwise A a.
    """
    own, added = (normalize(rows.double()) for rows in (classes, occlusions))
    span, penalty = own.T @ own, ridge * torch.eye(own.shape[1], dtype=torch.float64)
    kept = span + penalty if residual else span
    solved: Tensor = torch.linalg.solve(span + added.T @ added + penalty, kept).T  # kept whole^-1, both symmetric
    return solved
