"""Properties of new and sliced heads."""

import pytest
import torch
from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.linear_head import last_linear, new_linear, slice_linear


def test_new_head_depends_on_its_seed_alone():
    state = torch.get_rng_state()
    first, again, other = new_linear(16, 5, seed=1), new_linear(16, 5, seed=1), new_linear(16, 5, seed=2)
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_new_head_is_uniform_within_one_over_root_dim():
    weight = new_linear(400, 200, seed=0).weight
    assert weight.abs().max() <= 0.05
    assert weight.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_sliced_head_gives_the_asked_logits_in_order(bias):
    linear = nn.Linear(8, 6, bias=bias)
    vectors = torch.randn(3, 8)
    rows = [4, 0, 3]
    torch.testing.assert_close(slice_linear(linear, rows)(vectors), linear(vectors)[:, rows])


@pytest.mark.parametrize(
    ("rows", "message"), [([0, 6], "row 6 of a head with 6"), ([-1], "row -1"), ([1, 1, 2], "names 1 rows twice")]
)
def test_rows_that_cannot_be_taken_are_named(rows, message):
    with pytest.raises(ConfigError, match=message):
        slice_linear(nn.Linear(8, 6), rows)


def test_head_must_end_in_a_linear_layer():
    linear = nn.Linear(2, 2)
    assert last_linear(nn.Sequential(nn.Dropout(), linear)) is linear
    with pytest.raises(ConfigError, match="found ReLU"):
        last_linear(nn.ReLU())
