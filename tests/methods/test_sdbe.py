"""SDBE's closed form against numpy's least squares on augmented rows, and the choice of its ridge."""

import numpy as np
import pytest
import torch

from occbench.core.errors import ConfigError
from occbench.methods.sdbe import Sdbe, kept_part


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize(("classes", "occlusions"), [(4, 3), (40, 30)])
def test_it_solves_the_ridge_regression(ridge, classes, occlusions):
    """min |v - [A O] x|^2 + lambda |x|^2 is plain least squares on [A O; sqrt(lambda) I] x = [v; 0]."""
    draws = torch.Generator().manual_seed(0)
    atoms = [torch.randn(count, 8, generator=draws).double() for count in (classes, occlusions)]
    vector = torch.randn(8, generator=draws).double()
    own, added = ((rows / rows.norm(dim=1, keepdim=True)).numpy().T for rows in atoms)
    dictionary = np.concatenate([own, added], axis=1)
    rows = np.concatenate([dictionary, np.sqrt(ridge) * np.eye(dictionary.shape[1])])
    solution = np.linalg.lstsq(rows, np.append(vector.numpy(), np.zeros(dictionary.shape[1])), rcond=None)[0]
    expected = vector.numpy() - added @ solution[classes:]
    found = kept_part(*atoms, ridge) @ vector
    assert np.allclose(found.numpy(), expected, atol=1e-9)
    projected = kept_part(*atoms, ridge, residual=False) @ vector
    assert np.allclose(projected.numpy(), own @ solution[:classes], atol=1e-9)


def test_a_pair_that_does_not_differ_adds_nothing():
    classes = torch.randn(20, 5)
    assert torch.allclose(kept_part(classes, torch.zeros(3, 5), 0.5), torch.eye(5, dtype=torch.float64))


@pytest.fixture
def occluded_run(vectors_run):
    """Two classes along the first axis; occlusion adds a long third axis, which the head looks at."""
    vectors = torch.tensor([[1.0, 0.1, 0.0], [-1.0, 0.1, 0.0]]).repeat(10, 1)
    labels = torch.tensor([0, 1]).repeat(10)
    added = torch.tensor([0.0, 0.0, 5.0])
    matrix = torch.tensor([[1.0, -1.0], [0.0, 0.0], [1.0, -1.0]])
    pairs = [(vectors[:1], vectors[:1] + added), (vectors[1:2], vectors[1:2] + 0.8 * added)]
    parts = {
        "train": (vectors, labels),
        "validation": (vectors[:4], labels[:4]),
        "occluded_validation": (vectors[4:10] + added, labels[4:10]),
    }
    return vectors_run(parts, matrix, pairs), vectors + added, labels


def test_what_occlusion_adds_is_taken_away(occluded_run):
    run, occluded, labels = occluded_run
    assert (run.head(occluded).argmax(1) == labels).float().mean() == 0.5  # plain: all of one class
    method = Sdbe()
    answers = method.predict(run.fit(method), occluded).argmax(1)
    assert torch.equal(answers, labels)
    clean = method.predict(run, run.examples("train").__next__()[0]).argmax(1)
    assert torch.equal(clean, labels[: len(clean)])


def test_the_strongest_ridge_is_taken_where_nothing_is_gained(occluded_run):
    """Where held-out images are answered alike, the vectors are changed least."""
    run, _, _ = occluded_run
    run._parts["occluded_validation"] = run._parts["validation"]
    run.fit(Sdbe())
    expected = kept_part(run._parts["train"][0], torch.tensor([[0.0, 0.0, 1.0]] * 2), 1e4)
    assert torch.allclose(run.module.matrix, expected.float(), atol=1e-6)


def test_the_trained_network_is_fitted_to_and_the_matrix_gets_no_gradient(occluded_run):
    run, _, _ = occluded_run
    run.fit(Sdbe(1.0))
    assert list(run.module.parameters()) == []
    assert run.module.matrix.shape == (3, 3)


def test_errors_say_what_is_missing(occluded_run):
    run, _, _ = occluded_run
    del run._parts["validation"], run._parts["occluded_validation"]
    with pytest.raises(ConfigError, match=r"sdbe chooses its ridge .* split\.validation_share"):
        run.fit(Sdbe())
    run._pairs = ()
    with pytest.raises(ConfigError, match="needs pairs"):
        run.fit(Sdbe(1.0))
