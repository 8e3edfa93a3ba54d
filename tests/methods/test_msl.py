"""Masked supervised learning: two passes, one network, agreement of probabilities (METHODS 8 item 10)."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from occbench.methods.fine_tune import FineTune
from occbench.methods.msl import MaskedSupervisedLearning

DIM, CLASSES = 5, 3


@pytest.fixture
def batch():
    draws = torch.Generator().manual_seed(1)
    return torch.randn(4, DIM, generator=draws), torch.randn(4, DIM, generator=draws), torch.tensor([0, 2, 1, 1])


def test_one_step_equals_the_sum_written_down(two_branches, batch):
    clean, masked, labels = batch
    run = two_branches(masked)
    loss = MaskedSupervisedLearning(0.3, 0.2, 0.5).loss(run, clean, labels)
    logits = [(inputs @ run.trunk @ run.linear).detach() for inputs in (clean, masked)]
    shares = [(one.exp() / one.exp().sum(1, keepdim=True)) for one in logits]
    picked = [-share[torch.arange(4), labels].log().mean() for share in shares]
    expected = 0.3 * picked[0] + 0.2 * picked[1] + 0.5 * ((shares[0] - shares[1]) ** 2).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_clean_and_masked_are_two_passes_of_their_own(two_branches, batch):
    clean, masked, labels = batch
    run = two_branches(masked)
    MaskedSupervisedLearning().loss(run, clean, labels)
    assert [one is given for one, given in zip(run.passes, (clean, masked), strict=True)] == [True, True]


@pytest.mark.parametrize("laco", ["mse_prob", "kl"])
def test_an_empty_mask_leaves_no_disagreement(two_branches, batch, laco):
    clean, _, labels = batch
    run = two_branches(clean.clone())
    loss = MaskedSupervisedLearning(1.0, 1.0, 100.0, laco).loss(run, clean, labels)
    plain = cross_entropy(clean @ run.trunk @ run.linear, labels)
    assert loss.item() == pytest.approx(2 * plain.item(), rel=1e-5)


@pytest.mark.parametrize("laco", ["mse_prob", "kl"])
def test_the_agreement_moves_both_branches(two_branches, batch, laco):
    clean, masked, labels = batch
    clean.requires_grad_()
    masked.requires_grad_()
    whole = MaskedSupervisedLearning(0.3, 0.2, 0.5, laco).loss(two_branches(masked), clean, labels)
    apart = MaskedSupervisedLearning(0.3, 0.2, 0.0, laco).loss(two_branches(masked), clean, labels)
    for one in (clean, masked):
        with_it, without = (torch.autograd.grad(loss, one, retain_graph=True)[0] for loss in (whole, apart))
        assert not torch.allclose(with_it, without)


def test_without_mask_and_agreement_it_is_plain_training(two_branches, batch):
    clean, masked, labels = batch
    ours = MaskedSupervisedLearning(1.0, 0.0, 0.0).loss(two_branches(masked), clean, labels)
    assert ours.item() == pytest.approx(FineTune().loss(two_branches(masked), clean, labels).item())
