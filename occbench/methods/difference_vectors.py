"""Difference vectors: what an occlusion adds to a deep feature vector (Cen et al., arXiv 2011.00768, eq. 1)."""

import torch
from torch import Tensor

from occbench.core.errors import ConfigError
from occbench.core.training import TrainingRun

__all__ = ["difference_vectors"]


def difference_vectors(run: TrainingRun) -> Tensor:
    """Return float32[K, D]: occluded minus clean vector of every pair, in the order of ``run.pairs``.

    Raises:
        ConfigError: the run has no pairs.
    """
    differences = []
    for clean, occluded in run.pairs():
        # in one batch, because kernels chosen by batch size round differently: twins that are equal must give zero
        vectors = run.vectors(torch.cat([clean, occluded])).float().detach()
        differences.append(vectors[1:] - vectors[:1])
    if not differences:
        raise ConfigError("the method needs pairs of clean and occluded images, and the arm has none: give it pairs.")
    return torch.cat(differences)
