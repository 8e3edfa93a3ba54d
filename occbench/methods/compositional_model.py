"""The likelihood of CompositionalNets: feature vectors are drawn around kernels, each place by object or by occluder.

Kortylewski, He, Liu, Yuille, "Compositional Convolutional Neural Networks", CVPR 2020, as their release computes it
(code: AdamKortylewski/CompositionalNets). With f_p the feature vector at place p of a frozen map, both f and mu of
length 1, and o the prior of being occluded:

    a_pk     = exp(kappa cos(f_p, mu_k)) [cos > 0]                                 von Mises-Fisher, not normalised
    object   = log(sum_k a_pk A_(y,m,p,k) (1 - o) + 1e-10)                         mixture m of class y
    occluder = log(sum_k a_pk B_(n,k) o + 1e-10)                                   background model n
    score_y  = max over m, n of mean_p max(object, occluder)

A and B are kept between 0 and 1 and sum to 1 over k.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from occbench.methods.fitted import Fitted

__all__ = ["CompositionalModel"]

_LEAST: Final = 1e-10


class CompositionalModel(Fitted):
    """Feature maps float[B, D, H, W] to scores float[B, C]; empty until it is given its tensors.

    Attributes:
        kernels: mu, float32[K, D].
        mixtures: A, float32[C, M, K, H * W].
        backgrounds: B, float32[N, K]; not trained.
    """

    kernels: Tensor
    mixtures: Tensor
    backgrounds: Tensor

    def __init__(self, kappa: float, occluded: float) -> None:
        """Take kappa and the prior o of being occluded, 0 to 1."""
        super().__init__(["backgrounds"], ["kernels", "mixtures"])
        self._kappa = kappa
        self._occluded = occluded

    def cosines(self, maps: Tensor) -> Tensor:
        """Return cos(f_p, mu_k), float32[B, K, H * W]."""
        vectors = normalize(maps.float().flatten(2), dim=1)
        return torch.einsum("kd,bdp->bkp", normalize(self.kernels, dim=1), vectors)

    def activations(self, cosines: Tensor) -> Tensor:
        """Return a_pk, float32[B, K, H * W]."""
        return (self._kappa * cosines).exp() * (cosines > 0)

    def scores(self, cosines: Tensor) -> Tensor:
        """Return score_y, float32[B, C], of what ``cosines`` made."""
        activations = self.activations(cosines)
        shares, behind = _shares(self.mixtures, 2), _shares(self.backgrounds, 1)
        objects = (torch.einsum("bkp,ymkp->bymp", activations, shares) * (1 - self._occluded) + _LEAST).log()
        occluders = (torch.einsum("bkp,nk->bnp", activations, behind) * self._occluded + _LEAST).log()
        # one background model after another, which keeps a sixth of the memory
        found = [torch.maximum(objects, occluders[:, None, None, number]).mean(3) for number in range(len(behind))]
        scores: Tensor = torch.stack(found).amax(0).amax(2)
        return scores


def _shares(weights: Tensor, dim: int) -> Tensor:
    """Return weights kept between 0 and 1 that sum to 1 along a dimension."""
    kept = weights.clamp(0, 1)
    shares: Tensor = kept / kept.sum(dim, keepdim=True).clamp(min=_LEAST)
    return shares
