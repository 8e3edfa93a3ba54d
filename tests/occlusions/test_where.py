"""Where and what apart: any family is a mask."""

import numpy as np
import pytest

from occbench.core.types import Example
from occbench.occlusions.irregular import Irregular
from occbench.occlusions.parts import PartBlackout
from occbench.occlusions.patch_drop import PatchDrop
from occbench.occlusions.patterns import Patterns
from occbench.occlusions.where import hidden_mask


@pytest.fixture
def example():
    parts = {name: np.zeros((96, 96), dtype=np.bool_) for name in ("head", "tail")}
    parts["head"][10:40, 10:40] = parts["tail"][50:60, 50:60] = True
    return Example("photo", np.full((96, 96, 3), 99, dtype=np.uint8), (0,), parts=parts)


def test_a_family_that_says_what_it_hides_is_believed(example):
    family = PartBlackout(shares=(1,), dilate_px=2)
    (condition,) = family.conditions
    mask = hidden_mask(family, example, condition, 0)
    assert mask[10:40, 10:40].all()
    assert mask[8, 20]
    assert not mask[7, 20]


def test_a_family_that_is_soft_at_its_edges_hides_where_it_is_opaque(example, tiny_bank):
    family = Patterns(bank=str(tiny_bank), ratios=(0.2,))
    for condition in family.conditions:
        overlay = family.overlay(example, condition, 3)
        mask = hidden_mask(family, example, condition, 3)
        assert mask.dtype == np.bool_
        assert mask.shape == (96, 96)
        assert int(mask.sum()) == int((overlay.alpha == 255).sum()) > 0
    soft = family.conditions[-1]
    assert soft.parameters["occluder"] == "disc"
    assert (family.overlay(example, soft, 3).alpha % 255).any(), "the disc has an edge that is neither"


@pytest.mark.parametrize("family", [PatchDrop(), Irregular()])
def test_hard_families_hide_all_they_cover(example, family):
    for condition in family.conditions:
        mask = hidden_mask(family, example, condition, 3)
        assert mask.mean() == pytest.approx(family.overlay(example, condition, 3).achieved)
