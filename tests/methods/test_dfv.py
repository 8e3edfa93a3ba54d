"""Deep feature augmentation: the equations of arXiv 2011.00768, and every way of getting them wrong seen so far.

The numbered mistakes are those of METHODS 2.8. Elsewhere: 2 in bench/test_pipeline, 4 also in bench/test_train,
7 and 8 in bench/test_images, 9 in bench/test_pipeline and test_train, 10 in bench/test_train, 11 in bench/test_run.
"""

import pytest
import torch
from torch.nn.functional import cross_entropy

from occbench.bench.batches.pipeline import ActivationCache
from occbench.bench.training.train import train
from occbench.bench.training.training_run import Prediction
from occbench.core.errors import ConfigError
from occbench.methods.dfv import DeepFeatureAugmentation
from occbench.methods.difference_vectors import difference_vectors
from occbench.methods.fine_tune import FineTune

DIM, CLASSES = 6, 4
TABLE = torch.randn(10, DIM, generator=torch.Generator().manual_seed(2))


class LinearRun(Prediction):
    """A run whose trunk and head are matrices, so that gradients can be written down; it notes what the head hears."""

    def __init__(self, pairs, seed=0):
        draws = torch.Generator().manual_seed(seed)
        self.epoch, self.draws, self.memory = 0, draws, {}
        self.trunk = torch.randn(DIM, DIM, generator=draws).requires_grad_()
        self.linear = torch.randn(DIM, CLASSES, generator=draws).requires_grad_()
        self.heard = []
        self._pairs = pairs

    def vectors(self, inputs):
        return inputs @ self.trunk

    def head(self, vectors):
        self.heard.append(vectors)
        return vectors @ self.linear

    def pairs(self):
        return iter(self._pairs)


def prepared(method):
    """A run at the start of its first epoch; its clean images are zeros, so differences are the twins' vectors."""
    run = LinearRun([(torch.zeros(1, DIM), TABLE)])
    with torch.no_grad():
        method.on_epoch_start(run)
    return run


def batch(count, seed=1):
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(count, DIM, generator=draws), torch.randint(CLASSES, (count,), generator=draws)


def test_a_difference_is_occluded_minus_clean():
    """Mistake 5: sign of d reversed."""
    run = LinearRun([(torch.ones(1, DIM), TABLE[:3]), (2 * torch.ones(1, DIM), TABLE[3:])])
    expected = torch.cat([TABLE[:3] - 1, TABLE[3:] - 2]) @ run.trunk
    assert torch.allclose(difference_vectors(run), expected, atol=1e-5)


def test_every_vector_is_changed_by_beta_times_one_row_of_the_table_or_not_at_all():
    """Mistake 5: beta multiplying v instead of d."""
    method = DeepFeatureAugmentation(alpha=0.5, beta=1.5)
    run = prepared(method)
    offered = torch.cat([run.memory["difference_vectors"], torch.zeros(1, DIM)]) * 1.5
    inputs, labels = batch(64)
    method.loss(run, inputs, labels)
    for change in run.heard[-1] - run.vectors(inputs):
        assert (offered - change).abs().amax(1).min() < 1e-5


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_the_share_of_changed_vectors_is_alpha_and_both_kinds_stand_in_every_batch(alpha):
    """Mistakes 3 and 5: one switch for the whole batch; the rate of zeros set to alpha instead of 1 - alpha."""
    method = DeepFeatureAugmentation(alpha=alpha)
    run = prepared(method)
    shares = []
    for number in range(40):
        inputs, labels = batch(64, number)
        method.loss(run, inputs, labels)
        shares.append((run.heard[-1] != run.vectors(inputs)).any(1).float().mean().item())
    sigma = (alpha * (1 - alpha) / (40 * 64)) ** 0.5
    assert abs(sum(shares) / 40 - alpha) < 3 * sigma
    # a batch of 64 is of one kind with a probability below 0.002; a switch for the whole batch would always make it so
    assert sum(0 < share < 1 for share in shares) >= 38


def test_every_sample_draws_its_own_difference_uniformly():
    """Mistake 5: one difference vector for the whole batch."""
    method = DeepFeatureAugmentation(alpha=1.0)
    run = prepared(method)
    method.loss(run, torch.zeros(5000, DIM), torch.zeros(5000, dtype=torch.int64))
    chosen = torch.cdist(run.heard[-1], run.memory["difference_vectors"]).argmin(1)
    sigma = (5000 * 0.1 * 0.9) ** 0.5
    assert ((torch.bincount(chosen, minlength=10) - 500).abs() < 4 * sigma).all()


def test_with_alpha_one_no_vector_stays_as_it_is():
    method = DeepFeatureAugmentation(alpha=1.0)
    run = prepared(method)
    inputs, labels = batch(500)
    method.loss(run, inputs, labels)
    assert (run.heard[-1] != run.vectors(inputs)).any(1).all()


@pytest.mark.parametrize("method", [DeepFeatureAugmentation(alpha=0.0), DeepFeatureAugmentation(beta=0.0)], ids=repr)
def test_alpha_zero_and_beta_zero_are_classical_training_in_loss_and_gradient(method):
    inputs, labels = batch(32)
    run, plain = prepared(method), LinearRun([])
    one, other = method.loss(run, inputs, labels), FineTune().loss(plain, inputs, labels)
    assert torch.equal(one, other)
    one.backward()
    other.backward()
    assert torch.equal(run.trunk.grad, plain.trunk.grad)
    assert torch.equal(run.linear.grad, plain.linear.grad)


def test_the_gradient_is_that_of_the_changed_vectors_chained_through_the_trunk_alone():
    """Mistake 6: gradient through d, or changing in place a tensor that autograd keeps."""
    method = DeepFeatureAugmentation(alpha=0.7, beta=1.25)
    run = prepared(method)
    inputs, labels = batch(32)
    method.loss(run, inputs, labels).backward()
    changed = run.heard[-1].detach().requires_grad_()
    linear = run.linear.detach().requires_grad_()
    cross_entropy(changed @ linear, labels).backward()
    assert torch.allclose(run.trunk.grad, inputs.T @ changed.grad, atol=1e-6)
    assert torch.allclose(run.linear.grad, linear.grad, atol=1e-6)


def test_differences_carry_no_gradient_even_where_gradients_are_on():
    """Mistake 6: a missing detach."""
    run = LinearRun([(torch.zeros(1, DIM), TABLE)])
    assert run.vectors(TABLE).requires_grad
    assert not difference_vectors(run).requires_grad


class PairsRun(Prediction):
    """A run over a real network with the pairs it is given."""

    def __init__(self, pipeline, pairs):
        super().__init__(pipeline)
        self._pairs = pairs

    def pairs(self):
        return iter(self._pairs)


@pytest.fixture(scope="module", params=["tiny", "torchvision/resnet18"])
def network(request, make_pipeline):
    """A network whose running statistics are not the initial ones, in evaluation mode."""
    pipeline = make_pipeline(name=request.param)
    pipeline.model.train()
    with torch.no_grad():
        pipeline.model(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(4)))
    pipeline.model.eval()
    return pipeline


@pytest.fixture(scope="module")
def images(tiny_materials):
    return tiny_materials().train.images


@torch.no_grad()
def test_differences_do_not_depend_on_the_company_of_an_image(network, images):
    """Mistake 1: batch statistics would mix patterns into every vector."""
    inputs = network.inputs(images[:6])
    together = difference_vectors(PairsRun(network, [(inputs[:1], inputs[1:])]))
    alone = difference_vectors(PairsRun(network, [(inputs[:1], one[None]) for one in inputs[1:]]))
    assert together.shape == (5, network.model.dim)
    assert (together - alone).abs().max() < 1e-5
    assert together.abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("copies", [1, 2, 7, 24])
def test_a_clean_twin_has_difference_zero_exactly(network, images, copies):
    """Mistake 2: two members prepared or computed differently would differ."""
    inputs = network.inputs(images[:1])
    assert not difference_vectors(PairsRun(network, [(inputs, inputs.repeat(copies, 1, 1, 1))])).any()


@torch.no_grad()
def test_taking_differences_leaves_the_network_as_it_is(network, images):
    """Mistake 1: running statistics that move while difference vectors are taken."""
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    inputs = network.inputs(images[:4])
    difference_vectors(PairsRun(network, [(inputs[:1], inputs[1:])]))
    assert all(torch.equal(before[name], value) for name, value in network.model.state_dict().items())


def test_alpha_zero_trains_to_the_same_weights_bit_for_bit(make_pipeline, tiny_materials, tmp_path):
    """The method's draws disturb neither order nor augmentation."""
    materials = tiny_materials()
    arm = materials.benchmark.arms["C"]
    weights = []
    for method in (FineTune(), DeepFeatureAugmentation(alpha=0.0), DeepFeatureAugmentation(alpha=0.9)):
        pipeline, folder = make_pipeline(), tmp_path / str(len(weights))
        train(
            pipeline, method, arm, materials,
            rule=materials.benchmark.train, seed=3, folder=folder, cache=ActivationCache(),
        )  # fmt: skip
        weights.append(pipeline.model.state_dict())
    classical, zero, augmented = weights
    assert all(torch.equal(value, zero[name]) for name, value in classical.items())
    assert not all(torch.equal(value, augmented[name]) for name, value in classical.items())


def test_without_pairs_there_is_one_clear_line():
    with pytest.raises(ConfigError, match="needs pairs of clean and occluded images"):
        DeepFeatureAugmentation().on_epoch_start(LinearRun([]))


def test_the_defaults_are_the_papers():
    assert (DeepFeatureAugmentation().alpha, DeepFeatureAugmentation().beta) == (0.9, 1.0)
