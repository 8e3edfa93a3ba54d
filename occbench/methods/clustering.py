"""Clusters that CompositionalNets start from: directions by von Mises-Fisher mixtures, encodings by spectrum."""

from typing import Final

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize

__all__ = ["k_means", "spectral_clusters", "vmf_kernels"]

_K_MEANS_STEPS: Final = 50


def vmf_kernels(directions: Tensor, count: int, kappa: float, steps: int, draws: Generator) -> Tensor:
    """Return the mean directions float32[count, D] of a mixture of von Mises-Fisher distributions, each of length 1.

    Expectation-maximisation with one fixed kappa for all components (Banerjee et al., "Clustering on the unit
    hypersphere using von Mises-Fisher distributions", JMLR 2005, section 4.2).

    Args:
        directions: float32[N, D], of length 1.
        count: components; they start at directions of the data, repeated where there are fewer.
        kappa: their concentration, above 0.
        steps: of the algorithm.
        draws: choose where they start.
    """
    order = torch.randperm(len(directions), generator=draws)
    means = directions[order.repeat(-(-count // len(order)))[:count]].clone()
    shares = torch.full((count,), 1 / count)
    for _ in range(steps):
        members = (kappa * directions @ means.T + shares.clamp(min=1e-12).log()).softmax(1)
        shares = members.mean(0)
        sums = members.T @ directions
        # a component without members stays where it is
        means = torch.where(sums.norm(dim=1, keepdim=True) > 1e-6, normalize(sums), means)
    return means


def spectral_clusters(encodings: Tensor, count: int, draws: Generator) -> Tensor:
    """Return the cluster int64[N] of each encoding by normalised spectral clustering of their cosines.

    Ng, Jordan, Weiss, "On spectral clustering", NIPS 2001: the leading eigenvectors of the affinities, normalised by
    their sums, have rows that are clustered by k-means.

    Args:
        encodings: float[N, E], not negative, N above 0.
        count: clusters; where there are no more encodings, each is a cluster of its own.
        draws: start k-means.
    """
    if len(encodings) <= count:
        return torch.arange(len(encodings))
    rows = normalize(encodings.float())
    affinities = (rows @ rows.T).double().clamp(min=0)
    scale = affinities.sum(1).clamp(min=1e-12).rsqrt()
    _, vectors = torch.linalg.eigh(scale[:, None] * affinities * scale)
    return k_means(normalize(vectors[:, -count:]).float(), count, draws)[1]


def k_means(points: Tensor, count: int, draws: Generator) -> tuple[Tensor, Tensor]:
    """Return (centres float[count, D], each point's cluster int64[N]) of Lloyd's algorithm, started by k-means++.

    Args:
        points: float[N, D].
        count: clusters; some may stay empty where points are equal.
        draws: choose the first centres.
    """
    centres = points[torch.randint(len(points), (1,), generator=draws)]
    while len(centres) < count:
        distances = torch.cdist(points, centres).amin(1).square()
        weights = distances if distances.sum() > 0 else torch.ones_like(distances)
        centres = torch.cat([centres, points[torch.multinomial(weights, 1, generator=draws)]])
    members = torch.cdist(points, centres).argmin(1)
    for _ in range(_K_MEANS_STEPS):
        sums = torch.zeros_like(centres).index_add_(0, members, points)
        counts = members.bincount(minlength=count)[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
        moved = torch.cdist(points, centres).argmin(1)
        if torch.equal(moved, members):
            break
        members = moved
    return centres, members
