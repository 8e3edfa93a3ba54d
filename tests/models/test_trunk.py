"""Properties of trunks and of grouping blocks into stages."""

import pytest
import torch
from torch import nn

from occbench.core.errors import ConfigError
from occbench.models.trunk import TokenMap, Trunk, stages_by_resolution


def test_stages_start_where_the_resolution_falls():
    blocks = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1, 2))]
    stages = stages_by_resolution(blocks)
    assert {name: len(stage) for name, stage in stages.named_children()} == {"stage1": 2, "stage2": 2, "stage3": 1}
    assert [block for stage in stages for block in stage] == blocks


def test_final_pooling_stays_with_the_last_stage_that_has_parameters():
    stages = stages_by_resolution([nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2)])
    assert [len(stage) for stage in stages] == [1, 4]


def test_token_map_lays_patches_out_row_by_row():
    tokens = torch.arange(2 * 10 * 1.0).reshape(2, 10, 1)
    grid = TokenMap(prefix_tokens=1)(tokens)
    assert grid.shape == (2, 1, 3, 3)
    assert grid[0, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_activation_that_is_no_map_is_refused():
    trunk = Trunk(nn.Sequential(nn.Flatten(2)), nn.Identity())
    with pytest.raises(ConfigError, match="last activation is 1x3x4, not a feature map"):
        trunk.features(torch.zeros(1, 3, 2, 2))
