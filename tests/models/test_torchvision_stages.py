"""Properties of grouping blocks into stages."""

from torch import nn

from occbench.models.torchvision_stages import stages_by_resolution


def test_stages_start_where_the_resolution_falls():
    blocks = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1, 2))]
    stages = stages_by_resolution(blocks)
    assert {name: len(stage) for name, stage in stages.named_children()} == {"stage1": 2, "stage2": 2, "stage3": 1}
    assert [block for stage in stages for block in stage] == blocks


def test_final_pooling_stays_with_the_last_stage_that_has_parameters():
    stages = stages_by_resolution([nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.MaxPool2d(2)])
    assert [len(stage) for stage in stages] == [1, 4]
