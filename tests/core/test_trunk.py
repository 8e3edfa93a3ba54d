"""Properties of trunks."""

import pytest
import torch
from torch import nn

from occbench.core.errors import ConfigError
from occbench.core.trunk import TokenMap, Trunk


def test_token_map_lays_patches_out_row_by_row():
    tokens = torch.arange(2 * 10 * 1.0).reshape(2, 10, 1)
    grid = TokenMap(prefix_tokens=1)(tokens)
    assert grid.shape == (2, 1, 3, 3)
    assert grid[0, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_activation_that_is_no_map_is_refused():
    trunk = Trunk(nn.Sequential(nn.Flatten(2)), nn.Identity())
    with pytest.raises(ConfigError, match="last activation is 1x3x4, not a feature map"):
        trunk.features(torch.zeros(1, 3, 2, 2))
