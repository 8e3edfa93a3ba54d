"""Feature vectors in three clouds, and runs whose networks are so small that gradients can be written down."""

import pytest
import torch

from occbench.bench.training.training_run import Prediction
from occbench.core.tasks import SINGLE_LABEL

DIM, CLASSES = 6, 3


class VectorsRun(Prediction):
    """Yields what it is given; the head is a matrix [D, C]."""

    def __init__(self, parts, matrix, pairs=()):
        self.memory = {}
        self.draws = torch.Generator().manual_seed(0)
        self.matrix = matrix
        self.built = None
        self._parts = parts
        self._pairs = pairs

    dim = property(lambda self: self.matrix.shape[0])
    num_classes = property(lambda self: self.matrix.shape[1])
    module = property(lambda self: self.built)
    mean_pixel = property(lambda self: torch.zeros(3))

    def examples(self, part):
        vectors, labels = self._parts.get(part, (torch.empty(0, self.dim), torch.empty(0, dtype=torch.int64)))
        for rows in torch.arange(len(labels)).split(7):
            yield vectors[rows], labels[rows]

    def pairs(self):
        return iter(self._pairs)

    def vectors(self, inputs):
        return inputs

    def head(self, vectors):
        return vectors @ self.matrix

    def fit(self, method):
        """Fit a method as the trainer does; return the run."""
        self.built = method.build(self)
        with torch.no_grad():
            method.on_training_end(self)
        return self


class TwoBranches(Prediction):
    """Trunk and head are matrices; the masked inputs are given, and it notes what it is asked for."""

    def __init__(self, masked, task=SINGLE_LABEL, dim=5):
        draws = torch.Generator().manual_seed(0)
        self.trunk = torch.randn(dim, dim, generator=draws).requires_grad_()
        self.linear = torch.randn(dim, CLASSES, generator=draws).requires_grad_()
        self.masked, self.task = masked, task
        self.passes, self.asked = [], []

    num_classes = property(lambda self: self.linear.shape[1])

    def occluded_inputs(self, views=0):
        self.asked.append("occluded")
        return self.masked

    def masked_inputs(self, masks):
        self.asked.append(masks)
        return self.masked

    def vectors(self, inputs):
        self.passes.append(inputs)
        return inputs @ self.trunk

    def head(self, vectors):
        return vectors @ self.linear


@pytest.fixture(scope="session")
def two_branches():
    """Return the class of runs with a clean and a masked branch."""
    return TwoBranches


@pytest.fixture(scope="session")
def vectors_run():
    """Return the class of runs whose inputs are feature vectors."""
    return VectorsRun


@pytest.fixture(scope="session")
def clouds():
    """Return a function that draws (vectors float32[N, 6], labels) of three overlapping clouds."""

    def make(count, seed):
        draws = torch.Generator().manual_seed(seed)
        labels = torch.arange(count) % CLASSES
        centres = torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(99))
        return centres[labels] + torch.randn(count, DIM, generator=draws), labels

    return make
