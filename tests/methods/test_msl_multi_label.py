"""Masked supervised learning with several labels an image (METHODS 8 item 10): by hand, and through the trainer."""

import ast
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

import occbench.methods.msl as module
from occbench.core.tasks import MULTI_LABEL
from occbench.methods.asl import AsymmetricLoss
from occbench.methods.fine_tune import FineTune
from occbench.methods.msl import MaskedSupervisedLearning

DIM, CLASSES = 4, 3


@pytest.fixture
def branches(two_branches):
    """Return a function that makes a run of several labels with these masked inputs."""
    return partial(two_branches, task=MULTI_LABEL, dim=DIM)


@pytest.fixture
def batch():
    """Two samples, one of whose entries is unknown."""
    draws = torch.Generator().manual_seed(1)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, float("nan"), 1.0]])
    return torch.randn(2, DIM, generator=draws), torch.randn(2, DIM, generator=draws), labels


def test_one_optimiser_step_equals_two_samples_worked_out_by_hand(branches, batch):
    """The gradient written down: of the cross-entropies (p - y) / n, of the agreement 2 (p - q) p (1 - p) / m."""
    clean, masked, labels = batch
    run = branches(masked)
    optimizer = torch.optim.SGD([run.trunk, run.linear], lr=0.1)
    start = [weight.detach().clone() for weight in (run.trunk, run.linear)]
    MaskedSupervisedLearning().loss(run, clean, labels).backward()
    optimizer.step()

    trunk, linear = start
    known = (~labels.isnan()).float()
    p, q = ((inputs @ trunk @ linear).sigmoid() for inputs in (clean, masked))
    difference = 2 * (p - q) / p.numel()
    of_clean = 0.3 * known * (p - labels.nan_to_num(0)) / 5 + 0.5 * difference * p * (1 - p)
    of_masked = 0.2 * known * (q - labels.nan_to_num(0)) / 5 - 0.5 * difference * q * (1 - q)
    of_linear = (clean @ trunk).T @ of_clean + (masked @ trunk).T @ of_masked
    of_trunk = clean.T @ of_clean @ linear.T + masked.T @ of_masked @ linear.T
    assert torch.allclose(run.linear, linear - 0.1 * of_linear, atol=1e-6)
    assert torch.allclose(run.trunk, trunk - 0.1 * of_trunk, atol=1e-6)


@pytest.mark.parametrize("left_out", ["recognise", "masked", "consistency"])
def test_each_loss_can_be_left_out(branches, batch, left_out):
    clean, masked, labels = batch
    run = branches(masked)
    weights = {"recognise": 0.3, "masked": 0.2, "consistency": 0.5} | {left_out: 0.0}
    known = ~labels.isnan()
    logits = [(inputs @ run.trunk @ run.linear).detach() for inputs in (clean, masked)]
    terms = [binary_cross_entropy_with_logits(one[known], labels[known]) for one in logits]
    terms.append(mse_loss(logits[0].sigmoid(), logits[1].sigmoid()))
    expected = sum(weight * term for weight, term in zip(weights.values(), terms, strict=True))
    assert MaskedSupervisedLearning(**weights).loss(run, clean, labels).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


@pytest.mark.parametrize("laco", ["mse_prob", "kl"])
def test_an_empty_mask_leaves_no_disagreement(branches, batch, laco):
    clean, _, labels = batch
    with_it = MaskedSupervisedLearning(consistency=100.0, laco=laco).loss(branches(clean.clone()), clean, labels)
    without = MaskedSupervisedLearning(consistency=0.0).loss(branches(clean.clone()), clean, labels)
    assert with_it.item() == pytest.approx(without.item(), rel=1e-5)


@pytest.mark.parametrize("laco", ["mse_prob", "kl"])
def test_the_agreement_alone_moves_both_branches(branches, batch, laco):
    clean, masked, _ = batch
    unknown = torch.full((2, CLASSES), float("nan"))
    clean.requires_grad_()
    masked.requires_grad_()
    MaskedSupervisedLearning(laco=laco).loss(branches(masked), clean, unknown).backward()
    assert clean.grad.abs().min() > 0
    assert masked.grad.abs().min() > 0


def test_the_divergence_is_that_of_one_coin_for_each_class(branches, batch):
    clean, masked, labels = batch
    run = branches(masked)
    p, q = ((inputs @ run.trunk @ run.linear).sigmoid() for inputs in (clean, masked))
    expected = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    whole, rest = (
        MaskedSupervisedLearning(consistency=weight, laco="kl").loss(run, clean, labels) for weight in (1, 0)
    )
    assert (whole - rest).item() == pytest.approx(expected.item(), rel=1e-4)


def test_masks_come_from_a_bank_where_one_is_asked_for(branches, batch):
    clean, masked, labels = batch
    run = branches(masked)
    MaskedSupervisedLearning().loss(run, clean, labels)
    MaskedSupervisedLearning(masks=7).loss(run, clean, labels)
    assert run.asked == ["occluded", 7]


def test_without_masked_terms_there_is_no_second_pass(branches, batch):
    clean, masked, labels = batch
    run = branches(masked)
    loss = MaskedSupervisedLearning(1.0, 0.0, 0.0).loss(run, clean, labels)
    assert run.asked == []
    assert loss.item() == pytest.approx(FineTune().loss(run, clean, labels).item())


def test_no_loss_takes_an_argmax():
    """METHODS 4.7: an agreement of answers instead of probabilities has no gradient."""
    for name in ("msl", "asl"):
        tree = ast.parse(Path(module.__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        called |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert called.isdisjoint({"argmax", "max", "topk", "round", "sign", "decisions"})


def test_asymmetric_loss_equals_the_sum_written_down(branches, batch):
    clean, _, labels = batch
    run = branches(clean)
    loss = AsymmetricLoss(gamma_positive=1.0, gamma_negative=4.0, margin=0.05).loss(run, clean, labels)
    total = 0.0
    for p, label in zip(
        (clean @ run.trunk @ run.linear).sigmoid().flatten().tolist(), labels.flatten().tolist(), strict=True
    ):
        if label == 1:
            total -= (1 - p) * torch.tensor(p).log().item()
        elif label == 0:
            shifted = max(p - 0.05, 0.0)
            total -= shifted**4 * torch.tensor(1 - shifted).log().item()
    assert loss.item() == pytest.approx(total / 5, rel=1e-4)


def test_asymmetric_loss_without_its_options_is_the_binary_cross_entropy(branches, batch):
    clean, _, labels = batch
    run = branches(clean)
    ours = AsymmetricLoss(0.0, 0.0, 0.0).loss(run, clean, labels)
    assert ours.item() == pytest.approx(FineTune().loss(run, clean, labels).item(), rel=1e-5)


def test_an_easy_absent_class_costs_nothing_and_moves_nothing(branches):
    run = branches(None)
    inputs = torch.zeros(1, DIM)
    inputs[0, 0] = 1.0
    with torch.no_grad():
        run.trunk.zero_().fill_diagonal_(1.0)
        run.linear.zero_()[0] = -6.0
    loss = AsymmetricLoss().loss(run, inputs, torch.zeros(1, CLASSES))
    loss.backward()
    assert loss.item() == 0
    assert run.linear.grad.abs().sum() == 0
