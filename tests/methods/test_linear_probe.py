"""Logistic regression on frozen features against scikit-learn, and the choice of its penalty."""

import numpy as np
import pytest
import torch

from occbench.core.errors import ConfigError
from occbench.methods.linear_probe import LinearProbe, fit_logistic

sklearn = pytest.importorskip("sklearn.linear_model")


@pytest.mark.parametrize("l2", [1.0, 0.01, 0.0001])
def test_the_fit_is_scikit_learns(vectors_run, clouds, l2):
    vectors, labels = clouds(120, 0)
    asked, _ = clouds(50, 1)
    run = vectors_run({"train": (vectors, labels)}, torch.eye(6, 3))
    method = LinearProbe(l2)
    found = method.predict(run.fit(method), asked).softmax(1)
    scale = float(vectors.square().mean().sqrt())
    peer = sklearn.LogisticRegression(C=1 / (l2 * len(labels)), solver="newton-cg", tol=1e-10)
    expected = peer.fit(vectors.double().numpy() / scale, labels.numpy()).predict_proba(asked.double().numpy() / scale)
    assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_a_path_ends_where_a_single_fit_does(clouds):
    vectors, labels = clouds(60, 0)
    points = vectors.double().numpy()
    path = fit_logistic(points, labels.numpy(), 3, [1.0, 0.1, 0.01])
    (alone,) = fit_logistic(points, labels.numpy(), 3, [0.01])
    assert np.allclose(path[-1][0], alone[0], atol=1e-4)


def test_a_class_without_images_is_never_answered(vectors_run, clouds):
    vectors, labels = clouds(60, 0)
    run = vectors_run({"train": (vectors, labels)}, torch.eye(6, 5))
    method = LinearProbe(0.1)
    logits = method.predict(run.fit(method), vectors)
    assert logits.shape == (60, 5)
    assert torch.isfinite(logits).all()
    assert logits.argmax(1).max() < 3


def test_the_penalty_is_the_best_on_held_out_images_and_the_strongest_of_equals(vectors_run, clouds):
    """The noise of few images is fitted by a weak penalty, and held-out images tell."""
    vectors, labels = clouds(24, 0)
    held = clouds(600, 1)
    chosen = LinearProbe()
    run = vectors_run({"train": (vectors, labels), "validation": held}, torch.eye(6, 3)).fit(chosen)

    def right(method, run):
        return int((method.predict(run, held[0]).argmax(1) == held[1]).sum())

    scores = {}
    for power in range(0, -7, -1):
        one = LinearProbe(10.0**power)
        other = vectors_run({"train": (vectors, labels)}, torch.eye(6, 3)).fit(one)
        scores[power] = right(one, other)
    assert right(chosen, run) >= max(scores.values()) - 1  # a path and a single fit end a rounding apart
    assert len(set(scores.values())) > 1
    labels_alone = {"train": (vectors, labels), "validation": (vectors[:0], labels[:0])}
    with pytest.raises(ConfigError, match=r"split\.validation_share"):
        vectors_run(labels_alone, torch.eye(6, 3)).fit(LinearProbe())
