"""Weighted nearest neighbours against scikit-learn."""

import numpy as np
import pytest
import torch

from occbench.methods.knn import NearestNeighbours

sklearn = pytest.importorskip("sklearn.neighbors")


@pytest.mark.parametrize(("neighbours", "temperature"), [(1, None), (5, None), (5, 0.07), (20, 0.5)])
def test_votes_are_scikit_learns(vectors_run, clouds, neighbours, temperature):
    vectors, labels = clouds(90, 0)
    asked, _ = clouds(40, 1)
    run = vectors_run({"train": (vectors, labels)}, torch.eye(6, 3))
    method = NearestNeighbours(neighbours, temperature)
    shares = method.predict(run.fit(method), asked).exp()
    weights = "uniform" if temperature is None else lambda distances: np.exp((1 - distances) / temperature)
    peer = sklearn.KNeighborsClassifier(neighbours, metric="cosine", weights=weights)
    expected = peer.fit(vectors.numpy(), labels.numpy()).predict_proba(asked.numpy())
    assert np.allclose(shares.numpy(), expected, atol=2e-6)


def test_all_vote_where_there_are_fewer(vectors_run, clouds):
    vectors, labels = clouds(6, 0)
    run = vectors_run({"train": (vectors, labels)}, torch.eye(6, 3))
    method = NearestNeighbours(20, None)
    assert torch.allclose(method.predict(run.fit(method), vectors).exp(), torch.full((6, 3), 1 / 3))
