"""Clusterings that CompositionalNets start from find clusters that are there."""

import pytest
import torch
from torch.nn.functional import normalize

from occbench.methods.clustering import k_means, spectral_clusters, vmf_kernels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def bundles():
    """Three bundles of directions around orthogonal axes, and which is whose."""
    members = torch.arange(60) % 3
    return normalize(torch.eye(5)[members] + 0.1 * torch.randn(60, 5, generator=generator(1))), members


def same_parts(found, expected):
    pairs = set(zip(found.tolist(), expected.tolist(), strict=True))
    return len(pairs) == len(set(found.tolist())) == len(set(expected.tolist()))


def test_kernels_are_the_bundles_mean_directions(bundles):
    directions, members = bundles
    kernels = vmf_kernels(directions, 3, 30.0, 20, generator(3))
    assert torch.allclose(kernels.norm(dim=1), torch.ones(3), atol=1e-5)
    means = normalize(torch.stack([directions[members == one].mean(0) for one in range(3)]))
    assert (kernels @ means.T).amax(1).min() > 0.999
    assert (kernels @ means.T).amax(0).min() > 0.999


def test_one_step_of_the_mixture_is_the_one_written_down():
    """Two kernels start at two directions; memberships are a softmax of kappa times cosines."""
    directions = normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5]]))
    order = torch.randperm(3, generator=generator(0))[:2]
    start = directions[order]
    weights = (2.0 * directions @ start.T).exp()
    weights = weights / weights.sum(1, keepdim=True)
    expected = torch.stack([(weights[:, k, None] * directions).sum(0) for k in range(2)])
    expected = expected / expected.norm(dim=1, keepdim=True)
    assert torch.allclose(vmf_kernels(directions, 2, 2.0, 1, generator(0)), expected, atol=1e-6)


def test_more_kernels_than_directions_repeat(bundles):
    directions, _ = bundles
    assert vmf_kernels(directions[:2], 5, 30.0, 3, generator()).shape == (5, 5)


def test_the_spectrum_tells_clusters_apart(bundles):
    directions, members = bundles
    assert same_parts(spectral_clusters(directions.clamp(min=0), 3, generator()), members)


def test_few_encodings_are_clusters_of_their_own():
    assert spectral_clusters(torch.rand(3, 4), 4, generator()).tolist() == [0, 1, 2]


def test_k_means_finds_points_and_stands_equal_ones():
    points = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]).repeat(4, 1)
    centres, members = k_means(points, 3, generator())
    assert torch.allclose(centres[members], points)
    equal, _ = k_means(torch.ones(5, 2), 3, generator())
    assert torch.allclose(equal, torch.ones(3, 2))


def test_equal_draws_give_equal_clusters(bundles):
    directions, _ = bundles
    one, other = (vmf_kernels(directions, 4, 30.0, 5, generator(7)) for _ in range(2))
    assert torch.equal(one, other)
